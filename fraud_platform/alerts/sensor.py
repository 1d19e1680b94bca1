"""The shell of every alert sensor: look, write down, deliver, remember. It asks for no run and can hold nothing up."""

import logging
import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import dagster as dg
import msgspec
from dagster import DagsterInstance

from fraud_platform.alerts.book import Book, Message, advance
from fraud_platform.alerts.channels import channels_of
from fraud_platform.alerts.outbox import Channel, Queue, deliver
from fraud_platform.alerts.problem import Problem, Severity, Sight
from fraud_platform.errors import BrokerUnavailable, ConfigurationError, Defect, FraudPlatformError, Retryable
from fraud_platform.settings import Settings, load

INTERVAL_S = 60
PREFIX = "alert_"
TAG = "fraud/alert"
LOOK_S, TICK_S = 25.0, 40.0
"""A look may take so long, and a tick until the last channel is asked; Dagster gives a tick up after a minute."""
BLIND_S = 300.0
"""A sensor that cannot look for so long is a problem itself."""
_SHOWN = 10

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a look can use. `now` in Unix seconds; `told` are the keys of problems that a person knows of.

    `checks` and `jobs` are those of the repository; `jobs` None = it is not known. `until` is the end of the look on
    the monotonic clock.
    """

    settings: Settings
    instance: DagsterInstance
    now: float
    memory: str = ""
    told: Collection[str] = ()
    checks: Sequence[dg.AssetCheckKey] = ()
    jobs: Collection[str] | None = None
    until: float = math.inf

    def timeout(self, most: float) -> float:
        """Seconds that the next question may take, at most `most`.

        Raises:
            BrokerUnavailable: the time of the look is over.
        """
        left = self.until - time.monotonic()
        if left <= 0:
            raise BrokerUnavailable(f"Kafka took more than {LOOK_S:.0f} s to answer everything.")
        return min(most, left)


Look = Callable[[Scene], Sight]


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a sensor's cursor holds.

    `blind` = why it cannot look, since `blind_since` (Unix seconds); empty when it can.
    """

    book: Book = Book()
    queues: dict[str, Queue] = {}
    memory: str = ""
    blind: str = ""
    blind_since: float = 0.0

    @classmethod
    def of(cls, cursor: str | None) -> "State":
        """The state in a cursor; one that is damaged is forgotten."""
        try:
            return msgspec.json.decode(cursor or "{}", type=cls)
        except msgspec.DecodeError:
            return cls()

    @property
    def cursor(self) -> str:
        """The state as a cursor."""
        return msgspec.json.encode(self).decode()


def alert_sensor(
    name: str,
    about: str,
    look: Look,
    *,
    interval_s: int = INTERVAL_S,
    settings: Callable[[], Settings] = load,
    channels: Callable[[Settings], Sequence[Channel]] = channels_of,
    clock: Callable[[], float] = time.time,
) -> dg.SensorDefinition:
    """The sensor `alert_<name>`; switched off, nobody is told of this kind of trouble."""

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        try:
            current = settings()
        except ConfigurationError as error:
            logger.error("ALERT %s%s cannot look: %s", PREFIX, name, error)  # noqa: TRY400 - one sentence is all there is
            return dg.SkipReason(str(error))
        began = time.monotonic()
        state = State.of(context.cursor)
        scene = Scene(
            settings=current,
            instance=context.instance,
            now=clock(),
            memory=state.memory,
            told=frozenset(state.book.told),
            checks=_checks(context),
            jobs=_jobs(context),
            until=began + LOOK_S,
        )
        after, messages = _advance(name, state, _look(look, scene), scene)
        until = began + TICK_S
        queues = deliver(
            state.queues, messages, channels(current), clock=clock, has_time=lambda: time.monotonic() < until
        )
        after = msgspec.structs.replace(after, queues=queues)
        return dg.SensorResult(skip_reason=in_words(after), cursor=after.cursor)

    return dg.SensorDefinition(
        name=f"{PREFIX}{name}",
        evaluation_fn=evaluate,
        minimum_interval_seconds=interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Tells a person {about} By webhook, by e-mail and in the log; docs/alerts.md.",
        tags={TAG: name},
    )


def _checks(context: dg.SensorEvaluationContext) -> Sequence[dg.AssetCheckKey]:
    definition = context.repository_def
    return sorted(definition.asset_graph.asset_check_keys) if definition else ()


def _jobs(context: dg.SensorEvaluationContext) -> Collection[str] | None:
    definition = context.repository_def
    return frozenset(definition.job_names) if definition else None


def _look(look: Look, scene: Scene) -> Sight:
    """What was found, or why nothing could be; the memory stays then."""
    try:
        return look(scene)
    except FraudPlatformError as error:
        return Sight(blind=str(error), memory=scene.memory, will_pass=isinstance(error, Retryable))
    except Exception as error:  # noqa: BLE001 - its text may quote a record
        defect = str(Defect.of("looking for trouble", error))
        logger.warning("An alert sensor could not look: %s", defect)
        return Sight(blind=defect, memory=scene.memory)


def _advance(name: str, state: State, sight: Sight, scene: Scene) -> tuple[State, list[Message]]:
    """The state after the look, but for the queues, and what is to be told."""
    blind_since = (state.blind_since or scene.now) if sight.blind else 0.0
    if sight.blind:
        sight = msgspec.structs.replace(sight, problems=_blind(name, sight, scene.now - blind_since))
    repeat_s = scene.settings.alert_repeat_minutes * 60
    book, messages = advance(state.book, sight, now=scene.now, repeat_s=repeat_s)
    return State(book=book, memory=sight.memory, blind=sight.blind, blind_since=blind_since), messages


def _blind(name: str, sight: Sight, seconds: float) -> list[Problem]:
    """The problem that nobody would be told of this kind of trouble."""
    if seconds < BLIND_S:
        return []
    return [
        Problem(
            key=f"blind:{name}",
            title=f"{PREFIX}{name} cannot look: {sight.blind.rstrip('.')}",
            text="Until it can, nobody is told of what it looks for. `fraud-platform doctor` looks at the services.",
            severity=Severity.WARNING if sight.will_pass else Severity.ERROR,
        )
    ]


def in_words(state: State) -> str:
    """What the tick found, for Dagster's page of the sensor."""
    told = [entry.title for entry in state.book.told.values()]
    said = [*told[:_SHOWN], *([f"and {len(told) - _SHOWN} more"] if len(told) > _SHOWN else [])]
    waiting = len(state.book.entries) - len(told)
    if waiting:
        said.append(f"{waiting} watched, not told yet")
    said += [
        f"{len(queue.waiting)} messages wait for the {name}: {queue.why}"
        for name, queue in state.queues.items()
        if queue.waiting
    ]
    return "; ".join([*([f"could not look: {state.blind}"] if state.blind else []), *said]) or "all is well"
