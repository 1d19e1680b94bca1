"""The flow as data: topics, stages, and what each outcome writes.

`python -m fraud_platform.topology` prints it. No topic, group or transactional id is spelled anywhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

MIB = 1024 * 1024
DAY_MS = 24 * 3600 * 1000
FOREVER_MS = -1

RETENTION_MS = 30 * DAY_MS
_REFUSE_WHAT_WOULD_EXPIRE = MappingProxyType(
    {
        # Outputs carry their source's timestamp. One that is older than the retention would vanish within
        # minutes and without a trace; refused by the broker it becomes a dead letter.
        "message.timestamp.before.max.ms": str(RETENTION_MS - DAY_MS)
    }
)

MAX_VALUE_BYTES = 1 * MIB
"""A consumed value above this size becomes a dead letter."""


class Topic(StrEnum):
    """Wire names of the topics, before the platform's prefix."""

    BANK_TRANSACTIONS = "bank-transactions"
    STATEMENTS = "transaction.input"
    LABELS = "labels"
    FRAUDULENT = "fraudulent-transactions"
    UNIDENTIFIED = "unidentified-transactions"
    RESULT = "fraudulent-transactions-result"
    USERS = "users"
    MONITORED = "transaction.fraud.result"
    DECISIONS = "decisions"
    MONITORING_STATE = "monitoring-state"
    DEAD_LETTERS = "dead-letters"
    LEDGER = "ledger"
    RULE_SETS = "rule-sets"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """What a topic holds and how long.

    `schema` names the Avro file in `fraud_platform/schemas` without its ending; None = JSON or raw bytes.
    `ids` are the fields that make the id of a row; empty = the schema's first field.
    `partitions` None = as many as the settings say.
    """

    topic: Topic
    key: str
    schema: str | None
    about: str
    retention_ms: int
    ids: tuple[str, ...] = ()
    max_message_bytes: int = 8 * MIB
    partitions: int | None = None
    external: bool = False
    config: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


_ACCOUNT_KEY = '{"accountNumber":"…","bankId":"…"}'

TOPICS: Mapping[Topic, TopicSpec] = MappingProxyType({
    spec.topic: spec
    for spec in (
        TopicSpec(
            topic=Topic.BANK_TRANSACTIONS, key="sender_bank_account", schema=None, external=True,
            retention_ms=RETENTION_MS,
            about="JSON transfers as the banks send them, people's details included.",
        ),
        TopicSpec(
            topic=Topic.STATEMENTS, key=_ACCOUNT_KEY, schema=None, external=True, retention_ms=RETENTION_MS,
            about="JSON statement lines of accounts, from `fraud-platform send FILE.csv` and from the banks.",
        ),
        TopicSpec(
            topic=Topic.LABELS, key="transaction id", schema=None, external=True, retention_ms=RETENTION_MS,
            about="JSON verdicts from outside: chargebacks, analysts, the demo banks' scenarios.",
        ),
        TopicSpec(
            topic=Topic.FRAUDULENT, key="sender_bank_account", schema="transaction",
            retention_ms=RETENTION_MS,
            about="Valid transfers that the bank itself calls fraudulent; ssn is a keyed token from here on.",
            config=_REFUSE_WHAT_WOULD_EXPIRE,
        ),
        TopicSpec(
            topic=Topic.UNIDENTIFIED, key="sender_bank_account", schema="transaction",
            retention_ms=RETENTION_MS,
            about="Valid transfers that nobody has judged yet; ssn is a keyed token from here on.",
            config=_REFUSE_WHAT_WOULD_EXPIRE,
        ),
        TopicSpec(
            topic=Topic.RESULT, key="transaction id", schema="result", retention_ms=FOREVER_MS,
            about="One row per fraudulent transfer, from projection and from validation.",
        ),
        TopicSpec(
            topic=Topic.USERS, key="user id", schema="user", retention_ms=FOREVER_MS,
            about="Sender and receiver of each fraudulent transfer; the highest offset is the newest version.",
            config=MappingProxyType({
                "cleanup.policy": "compact",
                # No sink may meet holes in a range that it has planned and must replay exactly.
                "min.compaction.lag.ms": str(7 * DAY_MS),
            }),
        ),
        TopicSpec(
            topic=Topic.MONITORED, key=_ACCOUNT_KEY, schema="fraud_result", retention_ms=FOREVER_MS,
            about="Each statement line that a rule hit, with the hits and what they ask for.",
        ),
        TopicSpec(
            topic=Topic.DECISIONS, key="transaction id", schema="decision", retention_ms=FOREVER_MS,
            ids=("stage", "transaction_id"),
            about="Each judgement of the rule engine with its reasons and the version of its rule set.",
        ),
        TopicSpec(
            topic=Topic.MONITORING_STATE, key=_ACCOUNT_KEY, schema=None, retention_ms=FOREVER_MS,
            about="What monitoring remembers of each account: the newest record of a key is its whole state.",
            config=MappingProxyType({
                "cleanup.policy": "compact",
                # What is not compacted yet is read again at each restore, and the newest segment never is.
                "segment.bytes": str(64 * MIB),
            }),
            max_message_bytes=9 * MIB,
        ),
        TopicSpec(
            topic=Topic.DEAD_LETTERS, key="the original key", schema=None, retention_ms=RETENTION_MS,
            max_message_bytes=9 * MIB,
            about="Records that no stage could use: the original bytes, with the reason in the headers.",
        ),
        TopicSpec(
            topic=Topic.LEDGER, key="stage", schema="ledger", retention_ms=RETENTION_MS,
            about="What became of every record: input ranges and outcomes of each committed transaction.",
        ),
        TopicSpec(
            topic=Topic.RULE_SETS, key="number of the publication", schema=None, external=True,
            retention_ms=FOREVER_MS,
            partitions=1,  # its order is the history, and its last record is what holds
            about="JSON: each rule set that was ever published, by whom, when and why; the last one is active.",
            # A key comes once, so compaction takes nothing: it only stands against deletion by time.
            config=MappingProxyType({"cleanup.policy": "compact"}),
        ),
    )
})  # fmt: skip


DEAD_LETTERED = "dead-lettered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of the flow: what it reads, and what each outcome of a record writes.

    `outcomes` maps an outcome's name to the number of records written per topic. A name may carry a
    detail after a colon in the ledger (`discarded.evaluation:legitimate`); the part before it counts.

    `changelog` is the stage's own compacted topic: what it remembers, written in the transaction of the records that
    changed it. It is no part of `outcomes`: one record stands for all that a batch did to a key, and a tombstone for
    none, so that no outcome can say how many it writes; and nobody but the stage reads it.
    """

    name: str
    reads: tuple[Topic, ...]
    outcomes: Mapping[str, Mapping[Topic, int]]
    about: str
    changelog: Topic | None = None

    @property
    def consumes(self) -> bool:
        """Whether the stage is a consumer group (the demo banks are not)."""
        return bool(self.reads)

    @property
    def writes(self) -> tuple[Topic, ...]:
        """The topics that an outcome of this stage can write, dead letters apart, in flow order."""
        written = {topic for counts in self.outcomes.values() for topic in counts}
        return tuple(topic for topic in Topic if topic in written and topic is not Topic.DEAD_LETTERS)

    def written_by(self, outcome: str) -> Mapping[Topic, int]:
        """Records per topic that one input record with this outcome writes.

        Raises:
            KeyError: the stage has no such outcome.
        """
        return self.outcomes[outcome.partition(":")[0]]


_DEAD: Mapping[str, Mapping[Topic, int]] = {DEAD_LETTERED: {Topic.DEAD_LETTERS: 1}}

BANKS = Stage(
    name="banks", reads=(),
    outcomes={"sent": {Topic.BANK_TRANSACTIONS: 1, Topic.STATEMENTS: 2, Topic.LABELS: 3}},
    about="The demo's banks: a stable population of customers, labelled fraud scenarios, a steady rate.",
)  # fmt: skip
INGESTION = Stage(
    name="ingestion",
    reads=(Topic.BANK_TRANSACTIONS,),
    outcomes={
        "accepted.fraudulent": {Topic.FRAUDULENT: 1},
        "accepted.unidentified": {Topic.UNIDENTIFIED: 1},
        "discarded.evaluation": {},
        **_DEAD,
    },
    about="Validates each transfer whole, replaces ssn by a token, routes by the bank's own evaluation.",
)
PROJECTION = Stage(
    name="projection",
    reads=(Topic.FRAUDULENT,),
    outcomes={"accepted.projected": {Topic.RESULT: 1, Topic.USERS: 2}, **_DEAD},
    about="Turns each fraudulent transfer into one result row and its two users.",
)
VALIDATION = Stage(
    name="validation",
    reads=(Topic.UNIDENTIFIED,),
    outcomes={
        "accepted.fraudulent": {Topic.RESULT: 1, Topic.USERS: 2, Topic.DECISIONS: 1},
        "discarded.legitimate": {Topic.DECISIONS: 1},
        **_DEAD,
    },
    about="Asks fraud-validator-api about each unidentified transfer; keeps every decision with its reasons.",
)
MONITORING = Stage(
    name="monitoring",
    reads=(Topic.STATEMENTS,),
    outcomes={
        "accepted.hit": {Topic.MONITORED: 1, Topic.DECISIONS: 1},
        "accepted.clear": {Topic.DECISIONS: 1},
        "discarded.duplicate": {},
        "rekeyed": {Topic.STATEMENTS: 1},
        **_DEAD,
    },
    changelog=Topic.MONITORING_STATE,
    about="Applies the rules to each statement line and to what its account did before; keeps every decision.",
)
RESULT_TOPICS = (Topic.RESULT, Topic.USERS, Topic.MONITORED, Topic.DECISIONS)
LAKE = Stage(
    name="lake", reads=RESULT_TOPICS, outcomes={"stored": {}, **_DEAD},
    about="Writes results, users and decisions to S3 as Avro files by hour.",
)  # fmt: skip
DOCUMENTS = Stage(
    name="documents", reads=RESULT_TOPICS, outcomes={"stored": {}, "superseded": {}, **_DEAD},
    about="Keeps the newest version of each result, user and decision in MongoDB.",
)  # fmt: skip

STAGES: Mapping[str, Stage] = MappingProxyType(
    {stage.name: stage for stage in (BANKS, INGESTION, PROJECTION, VALIDATION, MONITORING, LAKE, DOCUMENTS)}
)


def writers_of(topic: Topic) -> tuple[Stage, ...]:
    """The stages that write `topic`, in flow order; the first owns its asset."""
    return tuple(stage for stage in STAGES.values() if topic in stage.writes or topic is stage.changelog)


@dataclass(frozen=True, slots=True)
class Naming:
    """Wire names under the platform's prefix, so that two platforms share a cluster safely."""

    prefix: str = ""

    def topic(self, topic: Topic) -> str:
        """The topic's name on the broker."""
        return f"{self.prefix}{topic.value}"

    def subject(self, topic: Topic) -> str:
        """The Schema Registry subject of the topic's value."""
        return f"{self.topic(topic)}-value"

    def group(self, stage: Stage) -> str:
        """The consumer group id of the stage."""
        return f"{self.prefix}fraud-platform.{stage.name}"

    def transactional_id(self, stage: Stage, slot: str) -> str:
        """The fixed transactional id of one slot of the stage."""
        return f"{self.group(stage)}.{slot}"

    def instance_id(self, stage: Stage, slot: str) -> str:
        """The static group membership id of one slot of the stage."""
        return f"{stage.name}.{slot}"

    @property
    def rules_publisher(self) -> str:
        """The transactional id of whoever publishes a rule set: there is one at a time."""
        return f"{self.prefix}fraud-platform.rules"

    def logical(self, wire_name: str) -> Topic:
        """The topic behind a name on the broker.

        Raises:
            ValueError: the name is none of ours.
        """
        return Topic(wire_name.removeprefix(self.prefix))


def describe() -> str:
    """The flow in words, one line per stage and outcome."""
    lines: list[str] = []
    for stage in STAGES.values():
        lines.append(f"{stage.name}: {', '.join(stage.reads) or '-'} -> {', '.join(stage.writes) or '-'}")
        for outcome, counts in stage.outcomes.items():
            written = ", ".join(f"{n} x {topic}" for topic, n in counts.items()) or "nothing"
            lines.append(f"    {outcome}: {written}")
        if stage.changelog is not None:
            lines.append(f"    remembers in {stage.changelog}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(describe())
