"""The doctor's look at what runs: do the services answer, is everything there, do the stages work?"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial

from fraud_platform.commands import contents
from fraud_platform.commands.finding import Finding, Level, note, ok, problem
from fraud_platform.commands.progress import DeadLetters
from fraud_platform.commands.status import ELSEWHERE, NOT_RUNNING, ServiceRow, StageRow
from fraud_platform.errors import BrokerUnavailable, ConfigurationError, FraudPlatformError
from fraud_platform.local.stack import SUPERVISOR
from fraud_platform.local.state import ServiceState, Status
from fraud_platform.settings import Settings

RESTARTS_NOTE = 3
BEHIND_NOTE = 100
"""Fewer waiting records may be markers, or a stage that is just about to read them."""
HEARTBEAT_LIMIT_S = 90.0


# What the status says -------------------------------------------------------------------------------


def is_down(services: Iterable[ServiceRow]) -> bool:
    """Whether nothing of the platform runs here."""
    return all(row.status in (NOT_RUNNING, ELSEWHERE) for row in services)


def services(rows: Sequence[ServiceRow], *, with_dagster: bool) -> list[Finding]:
    """Whether each service is as it should be while the platform runs."""
    return [
        _service(row)
        for row in rows
        if row.status != ELSEWHERE and (with_dagster or not row.name.startswith("dagster-"))
    ]


def _service(row: ServiceRow) -> Finding:
    if row.name == SUPERVISOR and row.pid is not None:
        return ok(row.name, f"runs, process {row.pid}")
    if row.status == NOT_RUNNING:
        return problem(row.name, row.message or "It does not run.", "`make up` starts it.")
    if row.status != "ready":
        why = f" ({row.message})" if row.message else ""
        return problem(row.name, f"It is {row.status}{why}.", f"`fraud-platform logs {row.name}` tells more.")
    if row.restarts >= RESTARTS_NOTE:
        return note(
            row.name, f"It runs, after {row.restarts} restarts.", f"`fraud-platform logs {row.name}` may say why."
        )
    return ok(row.name, f"runs, process {row.pid}")


def preparation(state: ServiceState | None) -> list[Finding]:
    """Whether topics and schemas could be made at the last start; the supervisor tries again and again."""
    if state is None or state.status is not Status.CRASHED:
        return []
    return [problem("Platform", state.message or "Its topics could not be made.", "Mend that; it is tried again.")]


def stages(rows: Sequence[StageRow]) -> list[Finding]:
    """Whether each stage whose keeper is on has its slots, and why others are off."""
    return [_lost(row) if row.lost else _stage(row) for row in rows]


def _lost(row: StageRow) -> Finding:
    what = f"It waits, since its committed offset is no longer in {', '.join(row.lost)}."
    return problem(row.name, what, "docs/operations.md tells how to go on.")


def _stage(row: StageRow) -> Finding:
    start = f"`fraud-platform start {row.name}`"
    if row.keeper_on is None:
        return note(row.name, "Its keeper's state is unknown.")
    if not row.keeper_on and row.why_off:
        return problem(row.name, f"It switched itself off: {row.why_off}", f"Mend that, then {start}.")
    if not row.keeper_on:
        return note(row.name, "It is switched off.", f"{start} switches it on.")
    if row.slots_live is None:
        return note(
            row.name, "Whether its slots live is unknown.", "Ask again in a moment, or mend Kafka if it is away."
        )
    if row.slots_live < row.slots_wanted:
        return problem(
            row.name,
            f"{row.slots_live} of {row.slots_wanted} slots live.",
            "Wait a minute: its keeper starts them; then look at its runs in the Dagster UI.",
        )
    return _at_work(row)


def _at_work(row: StageRow) -> Finding:
    if row.lag and row.lag >= BEHIND_NOTE and not row.rate:
        return note(
            row.name,
            f"{row.lag:,} records wait, and none was read within the last minute.",
            f"Look at its run's log in the Dagster UI; `fraud-platform restart {row.name}` starts it anew.",
        )
    return ok(row.name, "works")


def letters(found: DeadLetters | None) -> list[Finding]:
    """Whether a person should look into the dead letters."""
    if found is None or not found.count:
        return []
    return [
        note(
            "Dead letters",
            f"{found.count:,} records could not be used; they are kept with the reason.",
            "`fraud-platform topic dead-letters --envelope` shows them.",
        )
    ]


def daemon(age_s: float | None) -> Finding:
    """Whether Dagster's daemon lives; `age_s` is the age of its last heartbeat in seconds."""
    if age_s is None:
        return problem("Dagster's daemon", "It has never run here.", "`make up` starts it.")
    if age_s > HEARTBEAT_LIMIT_S:
        return problem(
            "Dagster's daemon",
            f"Its last sign of life is {age_s:.0f} s old, so no keeper works.",
            "`make up` starts it; `fraud-platform logs dagster-daemon` may say why it stopped.",
        )
    return ok("Dagster's daemon", f"lives, last sign {age_s:.0f} s ago")


def daemons(own: Sequence[int], *, ours_runs: bool) -> list[Finding]:
    """Whether more than one daemon works on the history; `own` = daemon processes of the user's own."""
    if len(own) + ours_runs <= 1:
        return []
    shown = ", ".join(map(str, own))
    return [
        problem(
            "Dagster's daemon",
            f"Several work on one history, so that everything runs twice; yours: process {shown}.",
            "Stop yours, or run `fraud-platform up --no-dagster`.",
        )
    ]


# What the services say ------------------------------------------------------------------------------


def answers(settings: Settings, only: Collection[str] | None = None) -> list[Finding]:
    """Ask each outside system small questions that change nothing; what is in the stores, of those that answer.

    Args:
        settings: where they are.
        only: the services to ask, by their names in the catalogue; None = all.
    """
    wanted = {"kafka", "registry", "mongod", "s3", "validator"} if only is None else set(only)
    found = [asked(about, partial(check, settings)) for about, (needs, check) in _QUESTIONS.items() if needs <= wanted]
    silent = {finding.about for finding in found if finding.level is Level.PROBLEM}
    return found + [
        asked(about, partial(check, settings))
        for about, (needs, check) in _CONTENTS.items()
        if not silent & needs and {_SERVICE_OF[need] for need in needs} <= wanted
    ]


def asked(about: str, check: Callable[[], Finding]) -> Finding:
    """The answer to a check, an error as a problem; our sentences name the way out after a semicolon."""
    try:
        return check()
    except FraudPlatformError as error:
        says, semicolon, mend = str(error).rstrip(".").partition("; ")
        if semicolon and isinstance(error, ConfigurationError):
            return problem(about, f"{says}.", f"{mend[:1].upper()}{mend[1:]}.")
        return problem(about, str(error), "`make up` starts or mends embedded services; others: check their address.")
    except Exception as error:  # noqa: BLE001 - one question that fails must not hide the other findings
        return problem(about, f"It could not be looked at ({type(error).__name__}).", "Look at the services' logs.")


def _topics(settings: Settings) -> Finding:
    from fraud_platform.adapters.admin import missing_topics
    from fraud_platform.adapters.kafka_access import require_access
    from fraud_platform.commands import reach

    # A client would wait its whole timeout for a port that nobody listens on.
    if not reach.listens(settings.require("KAFKA_BOOTSTRAP_SERVERS")):
        raise BrokerUnavailable("Kafka does not answer.")
    require_access(settings, patience_s=0.0)
    return _missing("Topics", missing_topics(settings), "all there")


def _schemas(settings: Settings) -> Finding:
    from fraud_platform.adapters.subjects import topics_without_schema

    return _missing("Schemas", topics_without_schema(settings), "all registered")


def _missing(about: str, names: Sequence[str], well: str) -> Finding:
    if not names:
        return ok(about, well)
    return problem(about, f"Missing: {', '.join(names)}.", "`make up` creates them.")


def _mongodb(settings: Settings) -> Finding:
    from fraud_platform.adapters.mongo_query import rows
    from fraud_platform.documents.shell import parse

    for _ in rows(settings, parse("db.transactions.find({}).limit(1)")):
        pass
    return ok("MongoDB", f"answers; database {settings.mongodb_database}")


def _s3(settings: Settings) -> Finding:
    from fraud_platform.adapters.s3 import S3ObjectStore

    # One object at most: whether the bucket can be listed is the question, not what it holds.
    next(S3ObjectStore(settings).list("doctor/"), None)
    return ok("S3", f"answers; bucket {settings.lake_bucket}")


def _validator(settings: Settings) -> Finding:
    from fraud_platform.adapters.validator import ValidatorClient

    client = ValidatorClient.from_settings(settings)
    try:
        if client.probe():
            return ok("fraud-validator-api", "answers")
    finally:
        client.close()
    return problem(
        "fraud-validator-api",
        "It does not answer; validation pauses, nothing is lost.",
        "`make up` starts the embedded one; FRAUD_VALIDATOR_URL names another.",
    )


_QUESTIONS: Mapping[str, tuple[frozenset[str], Callable[[Settings], Finding]]] = {
    "Topics": (frozenset({"kafka"}), _topics),
    "Schemas": (frozenset({"registry"}), _schemas),
    "MongoDB": (frozenset({"mongod"}), _mongodb),
    "S3": (frozenset({"s3"}), _s3),
    "fraud-validator-api": (frozenset({"validator"}), _validator),
}
_CONTENTS: Mapping[str, tuple[frozenset[str], Callable[[Settings], Finding]]] = {
    "MongoDB's content": (frozenset({"MongoDB"}), contents.mongodb),
    "S3's content": (frozenset({"S3"}), contents.s3),
    "Kafka's topics": (frozenset({"Topics", "MongoDB", "S3"}), contents.broker),
}
_SERVICE_OF = {"Topics": "kafka", "MongoDB": "mongod", "S3": "s3"}
