"""Puts a slot together: its log, scribe and the stage's own handler, and runs it in either mode."""

import importlib
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from fraud_platform import __version__
from fraud_platform.adapters.avro import AvroReader, AvroWriter
from fraud_platform.adapters.kafka import KafkaLog
from fraud_platform.adapters.kafka_access import require_access
from fraud_platform.adapters.ledger import require_whole, resume_points
from fraud_platform.adapters.registry import SchemaRegistry
from fraud_platform.core.log import Log
from fraud_platform.errors import Defect, FraudPlatformError, Retryable
from fraud_platform.runtime.handler import Handler
from fraud_platform.runtime.scribe import Identity, Scribe
from fraud_platform.runtime.worker import REPEAT_ERROR_S, Progress, Worker
from fraud_platform.settings import Settings
from fraud_platform.topology import Stage, Topic

logger = logging.getLogger(__name__)

RETRY_START_S = 1.0


@dataclass(frozen=True, slots=True)
class Context:
    """What a stage's `build` can use besides its log and scribe."""

    settings: Settings
    stage: Stage
    reader: AvroReader
    writer: AvroWriter
    stop: Callable[[], bool]


class StageModule(Protocol):
    """`fraud_platform.<stage>.stage`: the one function that the runtime asks of a stage."""

    def build(self, context: Context, log: Log, scribe: Scribe) -> Handler:
        """The handler of one slot; raises `ConfigurationError` or `Retryable`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Which process of which stage this is, who started it, and whether it may go on after a loss of input."""

    stage: Stage
    name: str
    run_id: str = "by-hand"
    accept_loss: bool = False


def run_slot(
    settings: Settings,
    slot: Slot,
    *,
    stop: Callable[[], bool],
    until: Callable[[], bool] = lambda: False,
    patience_s: float = math.inf,
    eager: bool = False,
    observe: Callable[[Progress], None] = lambda _: None,
    let_in: bool = False,
) -> Progress | None:
    """Run one slot until `stop` or `until`; None when told to stop before it could start.

    `let_in` says that Kafka has been asked already whether it lets us in. The rest is as in `Worker`, whose errors
    it raises: ConfigurationError, Fenced, Retryable. Whatever else goes wrong comes out as a Defect.
    """
    try:
        if not let_in:
            require_access(settings)
        assembled = _assemble_patiently(settings, slot, stop, patience_s)
        if assembled is None:
            return None
        log, handler = assembled
        worker = Worker(log, handler, stop=stop, patience_s=patience_s, eager=eager, observe=observe)
        return worker.run(until=until)
    except FraudPlatformError:
        raise
    except Exception as error:  # noqa: BLE001 - the text of what nobody foresaw may quote a record
        defect = Defect.of(slot.stage.name, error)
    raise defect  # out here, so that nothing that prints it finds the other behind it


def _assemble_patiently(
    settings: Settings, slot: Slot, stop: Callable[[], bool], patience_s: float
) -> tuple[Log, Handler] | None:
    begun = time.monotonic()
    said_at = -math.inf
    while not stop():
        try:
            return _assemble(settings, slot, stop)
        except Retryable as error:
            if time.monotonic() - begun > patience_s:
                raise
            if time.monotonic() - said_at > REPEAT_ERROR_S:
                said_at = time.monotonic()
                logger.warning("cannot start yet: %s", error)
            time.sleep(RETRY_START_S)
    return None


def _assemble(settings: Settings, slot: Slot, stop: Callable[[], bool]) -> tuple[Log, Handler]:
    registry = SchemaRegistry(settings)
    require_whole(settings, registry)
    reader, writer = AvroReader(registry), AvroWriter(registry)
    identity = Identity(slot.stage, slot.name, slot.run_id, __version__)
    scribe = Scribe(identity, settings.naming, writer.encoder(Topic.LEDGER))
    module = cast("StageModule", importlib.import_module(f"fraud_platform.{slot.stage.name}.stage"))
    resume = resume_points(settings, reader, slot.stage, stop=stop)
    log = KafkaLog(settings, slot.stage, slot.name, resume_points=resume, accept_loss=slot.accept_loss)
    try:
        return log, module.build(Context(settings, slot.stage, reader, writer, stop), log, scribe)
    except BaseException:
        log.close()
        raise
