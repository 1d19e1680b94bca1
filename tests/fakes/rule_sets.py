"""The rule-sets topic in memory: what is published is heard at once."""

from fraud_platform.rules.followed import Followed
from fraud_platform.rules.rule_set import RuleSet
from tests.rules.publishing import published


class FakeRuleSets(Followed):
    """Keeps the contract of `adapters.rule_sets.RuleSets`; begins with `first`."""

    def __init__(self, first: RuleSet) -> None:
        super().__init__()
        self.publish(first)

    def publish(self, rule_set: RuleSet) -> None:
        self.write(published(rule_set).encode())

    def write(self, value: bytes | None) -> None:
        """Any record, good or not."""
        self.take([value])

    def close(self) -> None:
        """There is nothing to end."""
