"""Puts the lake's slot together: planned ranges into S3, guarded by the topics' identity."""

import logging
import threading
import time
from collections.abc import Callable

import msgspec

from fraud_platform.adapters.s3 import ObjectStore, S3ObjectStore
from fraud_platform.adapters.topic_identity import require_same, topic_ids
from fraud_platform.core.log import Log
from fraud_platform.core.partitioning import CURATED_ROOT, LAKE_ROOT, OWN_ROOT, identity_key
from fraud_platform.errors import StoreUnavailable
from fraud_platform.lake.writer import LakeWriter
from fraud_platform.runtime.handler import Handler
from fraud_platform.runtime.launch import Context
from fraud_platform.runtime.planned import PlannedSink
from fraud_platform.runtime.scribe import Scribe
from fraud_platform.topology import MIB

logger = logging.getLogger(__name__)

FLUSH_BYTES = 64 * MIB
_WAY_OUT = (
    f"choose another bucket with FRAUD_LAKE_BUCKET, or empty {LAKE_ROOT}/, {CURATED_ROOT}/ and {OWN_ROOT}/ of this one"
)


class Claim:
    """Asked before writing: is the bucket there, and was it filled from the very topics that we read?

    The answer is kept. While the store is away nothing is known, and the slot pauses like at any
    other outage instead of failing to start.
    """

    def __init__(self, store: ObjectStore, present: dict[str, str]) -> None:
        self._store = store
        self._present = present
        self._settled = False
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """Settle it once.

        Raises:
            StoreUnavailable: not now.
            ConfigurationError: the bucket is missing, refuses us, or belongs to other topics.
        """
        with self._lock:
            if not self._settled:
                self._settle()
                self._settled = True

    def _settle(self) -> None:
        self._store.prepare()
        for topic, topic_id in self._present.items():
            stored = stored_identity(self._store, topic)
            if stored is None:
                note = msgspec.json.encode(_Identity(topic, topic_id))
                self._store.put(identity_key(topic), note, content_type="application/json")
            else:
                require_same((topic, topic_id), stored, store="The lake's bucket", way_out=_WAY_OUT)


class _Identity(msgspec.Struct, frozen=True):
    topic: str
    topic_id: str


def stored_identity(store: ObjectStore, topic: str) -> tuple[str, str] | None:
    """Name and id of the Kafka topic that this topic's folder was filled from; None before the first row."""
    body = store.get(identity_key(topic))
    return None if body is None else _read_identity(body)


def _read_identity(body: bytes) -> tuple[str, str]:
    try:
        note = msgspec.json.decode(body, type=_Identity)
    except msgspec.DecodeError:
        return ("unknown", "unknown")
    return (note.topic, note.topic_id)


class LakeSink(PlannedSink):
    """A planned sink that asks S3 before it reads a whole range again."""

    def __init__(
        self, log: Log, scribe: Scribe, writer: LakeWriter, store: ObjectStore, *, flush_seconds: float,
        registry_ready: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        super().__init__(
            log, scribe, writer, clock=time.monotonic, flush_seconds=flush_seconds, flush_bytes=FLUSH_BYTES
        )
        self._store = store
        self._registry_ready = registry_ready

    def ready(self) -> bool:
        """Whether S3 and the registry answer again."""
        return self._store.ready() and self._registry_ready()


def build(context: Context, log: Log, scribe: Scribe) -> Handler:
    """The handler of one slot of the lake.

    Raises:
        ConfigurationError: the settings, the bucket or the topics' identity forbid to write.
        BrokerUnavailable: the topics' ids cannot be asked now.
    """
    settings = context.settings
    store = S3ObjectStore(settings)
    claim = Claim(store, topic_ids(settings, context.stage))
    try:
        claim()
    except StoreUnavailable as error:
        logger.warning("starting without S3, records wait in Kafka: %s", error)
    writer = LakeWriter(store, context.reader.decode, settings.naming, context.stage, claim=claim)
    ready = context.reader.ready
    return LakeSink(log, scribe, writer, store, flush_seconds=settings.flush_seconds, registry_ready=ready)
