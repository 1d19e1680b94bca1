"""What a stage reads, and the one thing that becomes of each record.

Every consumed record has exactly one `Outcome`. A bad record is a value (`Rejected`), not an exception.
"""

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False):
    """One consumed record: where it lay, when, and its bytes. `timestamp_ms` is Kafka's, epoch ms."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """One record to write. `topic` is the name on the broker; `timestamp_ms` epoch ms."""

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: tuple[tuple[str, bytes], ...] = ()


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """Why a record cannot be used. `reason` names the field and the fault, never the field's value."""

    error_type: str
    reason: str


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of one record: the outcome's name in the topology, its outputs, or why it was rejected."""

    name: str
    outputs: tuple[Outgoing, ...] = ()
    rejected: Rejected | None = None
