"""The rule set in force as a process knows it: what it has heard last, ready to judge."""

from collections.abc import Sequence

from fraud_platform.core.outcome import Rejected
from fraud_platform.errors import BrokerUnavailable
from fraud_platform.rules.engine import Engine
from fraud_platform.rules.publication import Publication, read
from fraud_platform.rules.rule_set import RuleSet


class Followed:
    """Takes records of the rule-sets topic and holds the newest good one; a bad one leaves the set as it is.

    One thread may `take` while another asks: what is asked is one attribute, which never holds anything half done.
    """

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._handed: Engine | None = None

    @property
    def is_ready(self) -> bool:
        """Whether a rule set was heard of."""
        return self._engine is not None

    def take(self, values: Sequence[bytes | None]) -> list[Rejected]:
        """Hear of records in their order; why those were refused that came after the newest good one."""
        refused: list[Rejected] = []
        for value in reversed(values):
            found = read(value)
            rule_set = found if isinstance(found, Rejected) else found.rule_set()
            if isinstance(found, Publication) and isinstance(rule_set, RuleSet):
                if self._engine is None or self._engine.rule_set.version != rule_set.version:
                    self._engine = Engine(rule_set, since=found.at)
                break
            if isinstance(rule_set, Rejected):
                refused.append(rule_set)
        return refused

    def engine(self) -> Engine:
        """The present rule set, compiled.

        Raises:
            BrokerUnavailable: none was heard of yet.
        """
        if self._engine is None:
            raise BrokerUnavailable("No rule set was heard of yet.")
        return self._engine

    def current(self) -> RuleSet:
        """The present rule set; raises as `engine`."""
        return self.engine().rule_set

    def at_batch(self) -> Engine | None:
        """What a consumer must judge with from this batch on; None = with what it has. The first call gives one.

        Raises as `engine`. For one consumer.
        """
        engine = self.engine()
        if engine is self._handed:
            return None
        self._handed = engine
        return engine
