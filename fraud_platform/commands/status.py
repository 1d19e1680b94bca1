"""`fraud-platform status`: services, stages and dead letters, each with what is known of it now."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from fraud_platform.commands import reach
from fraud_platform.commands.progress import DeadLetters, Progress
from fraud_platform.errors import FraudPlatformError
from fraud_platform.local import catalogue, process
from fraud_platform.local.catalogue import CATALOGUE
from fraud_platform.local.folder import Folder
from fraud_platform.local.stack import SUPERVISOR, Stack
from fraud_platform.local.state import ServiceState, StackState, Status
from fraud_platform.settings import Settings, read_endpoints
from fraud_platform.topology import STAGES, Stage

ANSWER_WITHIN_S = 1.8
NOT_RUNNING = "not running"
ELSEWHERE = "yours"
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRow:
    """One service. `status` is `ready`, another `state.Status`, `not running`, or `yours` for one of the user's."""

    name: str
    status: str
    url: str
    pid: int | None = None
    restarts: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """One stage; None = not known now. `rate` is in records/s over the last minute, `lag` in offsets.

    `lost` names the input partitions whose committed offset is no longer in the topic: there the stage waits.
    `judges_by` is the rule-set version of each slot that judges, `makes_ready` the one whose windows it fills.
    """

    name: str
    keeper_on: bool | None = None
    why_off: str = ""
    slots_live: int | None = None
    slots_wanted: int
    lag: int | None = None
    lost: tuple[str, ...] = ()
    rate: float | None = None
    last_ledger: datetime | None = None
    judges_by: Mapping[str, str] = field(default_factory=dict)
    makes_ready: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that `status` shows; `problems` are sentences about what could not be found out.

    `rules` is the active rule set, an `active_rules.ActiveRules`.
    """

    services: list[ServiceRow]
    stages: list[StageRow]
    dead_letters: DeadLetters | None
    rules: Any = None
    problems: list[str] = field(default_factory=list)


def to_json(report: Report) -> dict[str, Any]:
    """The report as JSON types; times are ISO 8601 in UTC."""
    plain = asdict(report)
    for stage in plain["stages"]:
        last = stage["last_ledger"]
        stage["last_ledger"] = None if last is None else last.isoformat(timespec="milliseconds")
    plain["rules"] = None if report.rules is None else report.rules.to_json()
    return plain


# Looking --------------------------------------------------------------------------------------------


def look(settings: Settings) -> Report:
    """Ask everything at once; what does not answer becomes a sentence."""
    problems: list[str] = []
    services = list(service_rows(settings))
    with ThreadPoolExecutor(max_workers=10) as pool:
        ask = _Asker(pool, problems)
        dagster = ask("Dagster's history", lambda: _dagster(settings))
        kafka = _kafka(settings, ask, problems)
        keepers = dagster() or {}
        members = kafka.members() or {}
        progress = kafka.progress() or {}
        rows = [
            _standing(
                _stage_row(settings, stage, keepers.get(name), members.get(name), progress.get(name)),
                kafka.standings[name](),
            )
            for name, stage in STAGES.items()
        ]
        letters, rules = kafka.dead_letters(), kafka.rules()
    return Report(services=services, stages=rows, dead_letters=letters, rules=rules, problems=problems)


class _Asker:
    """Runs questions side by side; an answer that is an error becomes one sentence and None."""

    def __init__(self, pool: ThreadPoolExecutor, problems: list[str]) -> None:
        self._pool = pool
        self._problems = problems

    def __call__(self, what: str, question: Callable[[], Found]) -> Callable[[], Found | None]:
        future = self._pool.submit(question)
        return lambda: self._answer(what, future)

    def _answer(self, what: str, future: "Future[Found]") -> Found | None:
        try:
            return future.result()
        except FraudPlatformError as error:
            sentence = f"{what}: {error}"
        except Exception as error:  # noqa: BLE001 - one part that fails must not hide the others
            sentence = f"{what} cannot be read ({type(error).__name__})."
        if sentence not in self._problems:
            self._problems.append(sentence)
        return None


@dataclass(frozen=True, slots=True)
class _Kafka:
    members: Callable[[], Mapping[str, list[str]] | None]
    progress: Callable[[], Mapping[str, Progress] | None]
    dead_letters: Callable[[], DeadLetters | None]
    rules: Callable[[], Any]
    standings: Mapping[str, Callable[[], Any]]


def _kafka(settings: Settings, ask: _Asker, problems: list[str]) -> _Kafka:
    servers = settings.kafka_bootstrap_servers
    if servers is None or not reach.listens(servers):
        problems.append(
            f"Kafka{f' ({servers})' if servers else ''} does not answer: live slots, lag, rates and dead letters"
            " are unknown; `make up` starts or mends it."
        )
        return _Kafka(_unknown, _unknown, _unknown, _unknown, dict.fromkeys(STAGES, _unknown))
    from fraud_platform.adapters import admin
    from fraud_platform.adapters.kafka_access import require_access
    from fraud_platform.commands.active_rules import active_rules
    from fraud_platform.commands.progress import dead_letters, progress

    try:
        require_access(settings, patience_s=0.0)
    except FraudPlatformError as error:
        problems.append(str(error))
        return _Kafka(_unknown, _unknown, _unknown, _unknown, dict.fromkeys(STAGES, _unknown))
    now = datetime.now(UTC)
    return _Kafka(
        members=ask("Live slots", lambda: admin.live_members(settings, timeout_s=ANSWER_WITHIN_S)),
        progress=ask("Rates", lambda: progress(settings, now, timeout_s=ANSWER_WITHIN_S)),
        dead_letters=ask("Dead letters", lambda: dead_letters(settings, timeout_s=ANSWER_WITHIN_S)),
        rules=ask("Rules", lambda: active_rules(settings, timeout_s=ANSWER_WITHIN_S)),
        standings={name: _ask_standing(settings, each, ask) for name, each in STAGES.items()},
    )


def _unknown() -> None:
    """Nothing is known, and that has been said."""


def _ask_standing(settings: Settings, stage: Stage, ask: _Asker) -> Callable[[], Any]:
    from fraud_platform.adapters import admin

    if not stage.consumes:
        return _unknown
    return ask("Lag", lambda: admin.standing(settings, stage, timeout_s=ANSWER_WITHIN_S))


def _standing(row: StageRow, found: Any) -> StageRow:
    if found is None:
        return row
    lost = tuple(f"{topic}/{number}" for topic, number in found.lost)
    return replace(row, lag=sum(found.lag.values()), lost=lost)


def _dagster(settings: Settings) -> dict[str, Any]:
    """The keepers and runs per stage; empty before the first start."""
    if not Folder(settings.data_dir).dagster_home.exists():
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fraud_platform.orchestration import control

        return {state.name: state for state in control.stage_states(settings)}


def _stage_row(
    settings: Settings, stage: Stage, keeper: Any, members: list[str] | None, progress: Progress | None
) -> StageRow:
    # A consumer is alive when Kafka says so; the banks are in no group, only their run tells.
    live = None if members is None else len(members)
    if not stage.consumes and keeper is not None:
        live = keeper.working
    return StageRow(
        name=stage.name,
        keeper_on=None if keeper is None else keeper.keeper_on,
        why_off="" if keeper is None else keeper.why_off,
        slots_live=live,
        slots_wanted=settings.slots(stage),
        rate=None if progress is None else progress.rate,
        last_ledger=None if progress is None else progress.last_entry,
        judges_by={} if keeper is None else keeper.judges_by,
        makes_ready={} if keeper is None else keeper.makes_ready,
    )


# Services -------------------------------------------------------------------------------------------


def service_rows(settings: Settings) -> Iterator[ServiceRow]:
    """Every service in the catalogue's order; those of the user's own with their address only."""
    now = Stack.of(settings.data_dir).state
    elsewhere = catalogue.external(settings, read_endpoints(settings.data_dir))
    for name in CATALOGUE:
        if name in elsewhere:
            yield ServiceRow(name=name, status=ELSEWHERE, url=_own_address(settings, name))
        else:
            yield _service_row(name, now.services.get(name))
    yield _supervisor_row(now)


def _service_row(name: str, seen: ServiceState | None) -> ServiceRow:
    if seen is None:
        return ServiceRow(name=name, status=NOT_RUNNING, url="-")
    runs = seen.pid is not None and seen.created is not None and process.find(seen.pid, seen.created) is not None
    # What the supervisor wrote last may be older than a crash of both.
    gone = not runs and seen.status in (Status.READY, Status.STARTING, Status.STOPPING, Status.STOPPED)
    return ServiceRow(
        name=name,
        status=NOT_RUNNING if gone else str(seen.status),
        url=seen.address,
        pid=seen.pid if runs else None,
        restarts=seen.restarts,
        message=seen.message,
    )


def _supervisor_row(now: StackState) -> ServiceRow:
    pid, created = now.supervisor_pid, now.supervisor_created
    runs = pid is not None and created is not None and process.find(pid, created) is not None
    crashed = not runs and any(row.pid is not None for row in now.services.values())
    message = "died; `make up` starts it again" if crashed else ""
    return ServiceRow(
        name=SUPERVISOR,
        status=str(now.phase) if runs else NOT_RUNNING,
        url="-",
        pid=pid if runs else None,
        message=message,
    )


def _own_address(settings: Settings, name: str) -> str:
    address = {
        "kafka": settings.kafka_bootstrap_servers,
        "registry": settings.schema_registry_url,
        "s3": settings.s3_endpoint or "AWS",
        "glue": settings.glue_endpoint or "AWS",
        "validator": settings.validator_url,
    }.get(name)
    return reach.public(address) if address and "//" in address else address or "as set by you"
