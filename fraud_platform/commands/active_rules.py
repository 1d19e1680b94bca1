"""Which rule set judges now, since when and by whom, for `fraud-platform status`."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from fraud_platform.adapters.reader import TopicReader
from fraud_platform.rules.history import History
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic

_OFFSETS = 100
"""How far back the active set is looked for: each publication takes two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveRules:
    """The active rule set's newest publication; `how` is `published`, `rolled back` or `seeded`."""

    version: str
    number: int
    how: str
    since: datetime
    by: str
    note: str = ""

    def __str__(self) -> str:
        why = f": {self.note}" if self.note else ""
        return f"{self.version} (number {self.number}), {self.how} by {self.by} at {self.since:%Y-%m-%d %H:%M:%S}Z{why}"

    def to_json(self) -> dict[str, Any]:
        """As JSON types; the time is ISO 8601 in UTC."""
        return {**asdict(self), "since": self.since.isoformat(timespec="milliseconds")}


def active_rules(settings: Settings, *, timeout_s: float) -> ActiveRules:
    """The publication that consumers follow now.

    Raises:
        BrokerUnavailable: no answer in time.
        ConfigurationError: there is no such topic, or nothing was ever published.
    """
    with TopicReader(settings, Topic.RULE_SETS, timeout_s=timeout_s) as reader:
        bounds = reader.bounds()
        starts = {partition: max(low, end - _OFFSETS) for partition, (low, end) in bounds.items()}
        ends = {partition: end for partition, (_, end) in bounds.items()}
        found = History.of(record.value for record in reader.read(starts, ends)).require_active()
    return ActiveRules(
        version=found.version, number=found.number, how=found.kind.value, since=found.at, by=found.by, note=found.note
    )
