"""The rule sets that a replay needs, and which publication of them judged when."""

from datetime import datetime

from fraud_platform.adapters.rule_set_topic import rule_set_of
from fraud_platform.rules.engine import Engine
from fraud_platform.rules.history import History
from fraud_platform.rules.past import UNSURE_US
from fraud_platform.rules.rule_set import RuleSet


class Engines:
    """The rule sets that a replay needs, compiled once each. `fixed`: the one that judges all, None = many do."""

    def __init__(self, history: History, fixed: RuleSet | None) -> None:
        self._history = history
        self._found: dict[str, Engine | None] = {}
        self._first = 0
        self._at: dict[int, int] = {}
        self.fixed = Engine(fixed) if fixed else None

    def of(self, version: str) -> Engine | None:
        """The engine of a version; None when it was never published here, or cannot be applied here."""
        if version not in self._found:
            named = [each for each in self._history.publications if each.version == version]
            rule_set = named[-1].rule_set() if named else None
            self._found[version] = Engine(rule_set) if isinstance(rule_set, RuleSet) else None
        return self._found[version]

    def at(self, at_ms: int) -> Engine:
        """What was active at a moment, or first.

        Raises:
            ConfigurationError: nothing was ever published, or it cannot be applied here.
        """
        if self.fixed is not None:
            return self.fixed
        self._history.require_active()
        before = [each for each in self._history.publications if each.at.timestamp() * 1000 <= at_ms]
        self._first = max(0, len(before) - 1)
        chosen = self._history.publications[self._first]
        found = self.of(chosen.version)
        return found if found is not None else Engine(rule_set_of(chosen))

    def since(self, partition: int, version: str) -> datetime | None:
        """When the version was published that judges the partition from now on; None = never.

        A partition passes publications in their order. Of several of this version it is the next one, if there is one.
        """
        publications = self._history.publications
        named = [n for n, each in enumerate(publications) if each.version == version]
        ahead = [n for n in named if n >= self._at.get(partition, self._first)]
        if not named:
            return None
        self._at[partition] = chosen = ahead[0] if ahead else named[-1]
        return publications[chosen].at

    def longest_ms(self) -> int:
        """As long before the range as anything can matter to it: windows, lateness, and what is sure only then."""
        versions = {each.version for each in self._history.publications}
        engines = [self.fixed] if self.fixed else [each for each in map(self.of, versions) if each is not None]
        return max((each.layout.longest // 1000 for each in engines), default=0) + UNSURE_US // 1000
