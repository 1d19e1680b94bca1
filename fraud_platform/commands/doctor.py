"""`fraud-platform doctor`: what is wrong, and how to mend it."""

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from fraud_platform.commands import folder_check, health, machine
from fraud_platform.commands.clock_check import clock
from fraud_platform.commands.finding import Finding, Level, note, ok, problem
from fraud_platform.errors import ConfigurationError
from fraud_platform.local import catalogue, downloads, java, mongod, s3
from fraud_platform.local.catalogue import CATALOGUE, DAGSTER
from fraud_platform.local.folder import Folder, read_json
from fraud_platform.local.ports import is_free
from fraud_platform.local.stack import Stack
from fraud_platform.settings import Settings, env_file, read_endpoints

_MARKS = {Level.OK: ("ok", "green"), Level.NOTE: ("note", "yellow"), Level.PROBLEM: ("problem", "red")}


def doctor(console: Console, *, environment: Mapping[str, str]) -> int:
    """Print every finding as it is made; returns 0 when none of them is a problem, else 1."""
    problems = 0
    for finding in examine(environment):
        problems += finding.level is Level.PROBLEM
        _show(finding, console)
    count = "one problem" if problems == 1 else f"{problems} problems"
    console.print(f"\n[red]{count}[/] to mend" if problems else "\n[green]All is well.[/]")
    return 1 if problems else 0


def examine(environment: Mapping[str, str]) -> Iterator[Finding]:
    """All findings: settings first, since the others depend on them."""
    names = {*environment, *env_file()}
    misspelt = machine.unknown_names(names)
    yield from misspelt
    folder = environment.get("FRAUD_EMBEDDED")
    try:
        stale = machine.stale_shell(environment, read_endpoints(Path(folder)) if folder else {})
        settings = Settings.from_environment({**env_file(), **environment})
    except ConfigurationError as error:
        yield problem("Settings", str(error), "Change the variables or .env; .env.example describes each.")
        return
    yield from stale
    if not misspelt:
        yield ok("Settings", "all readable")
    yield from examine_machine(settings)
    yield from examine_platform(settings)


def examine_machine(settings: Settings) -> Iterator[Finding]:
    """Python, programs, downloads, disk and ports, for the services that we start ourselves."""
    elsewhere = catalogue.external(settings, read_endpoints(settings.data_dir))
    embedded = [name for name in CATALOGUE if name not in elsewhere]
    yield machine.python(sys.version_info[:2], in_venv=sys.prefix != sys.base_prefix)
    yield from machine.system(*machine.this_system(), embedded)
    yield from machine.programs(_programs(embedded))
    cache = downloads.cache_dir()
    yield from machine.downloads(
        catalogue.bundles_of(embedded), lambda bundle: downloads.is_cached(bundle, cache), cache
    )
    yield machine.disk(shutil.disk_usage(folder_check.existing(settings.data_dir)).free, settings.data_dir)
    yield folder_check.usable(settings.data_dir, will_write=_keeps_data(settings, embedded))
    yield from _ports(settings, embedded)


def _programs(embedded: Iterable[str]) -> dict[str, Callable[[], object]]:
    wanted = set(embedded)
    found: dict[str, Callable[[], object]] = {}
    if wanted & {"kafka", "registry"}:
        found["Java"] = java.java
    if mongod.NAME in wanted:
        found["mongod"] = mongod.program
    if s3.NAME in wanted:
        found["rclone"] = _rclone
    return found


def _rclone() -> str:
    beside = Path(sys.executable).parent / "rclone"
    found = str(beside) if beside.exists() else shutil.which("rclone")
    if not found:
        raise ConfigurationError("rclone was not found: run `make install`, or set AWS_ENDPOINT_URL_S3.")
    return found


def _keeps_data(settings: Settings, embedded: Iterable[str]) -> bool:
    """Whether anything of ours writes there: embedded stores, or the key for tokens."""
    return bool({*embedded} & {*catalogue.STORES}) or settings.pii_key is None


def _ports(settings: Settings, embedded: Iterable[str]) -> list[Finding]:
    from fraud_platform.commands.status import service_rows

    kept = {str(name): int(port) for name, port in read_json(Folder(settings.data_dir).ports).items()}
    running = [row.name for row in service_rows(settings) if row.pid is not None and row.name in CATALOGUE]
    return machine.ports(
        catalogue.ports_of(embedded), kept, set(catalogue.ports_of(running)), is_free, machine.port_holder
    )


# The platform ---------------------------------------------------------------------------------------


def examine_platform(settings: Settings) -> Iterator[Finding]:
    """Services and stages; of a platform that does not run here, the services that the user has elsewhere."""
    from fraud_platform.commands.rules_in_force import rules_in_force
    from fraud_platform.commands.stages import foreign_processes
    from fraud_platform.commands.status import ELSEWHERE, look, service_rows
    from fraud_platform.live.judges import judges

    services = list(service_rows(settings))
    elsewhere = [row.name for row in services if row.status == ELSEWHERE]
    yield from clock(settings, elsewhere)
    if health.is_down(services):
        yield note("Platform", "Nothing of it runs here now.", "`make up` starts it.")
        yield from health.answers(settings, elsewhere)
        return
    report = look(settings)
    own_daemons = [pid for pid, is_daemon in foreign_processes(settings) if is_daemon]
    ours = any(row.name in DAGSTER and row.pid is not None for row in report.services)
    yield from health.services(report.services, with_dagster=ours or not own_daemons)
    yield from health.preparation(Stack.of(settings.data_dir).state.services.get(catalogue.PLATFORM))
    yield from health.answers(settings)
    yield from _dagster(settings, own_daemons, ours_runs=ours)
    yield from health.stages(report.stages)
    yield from health.letters(report.dead_letters)
    yield from rules_in_force(report, judges(settings), datetime.now(UTC))


def _dagster(settings: Settings, own_daemons: list[int], *, ours_runs: bool) -> Iterator[Finding]:
    from fraud_platform.commands.stages import daemon_age_s

    yield from health.daemons(own_daemons, ours_runs=ours_runs)
    if Folder(settings.data_dir).dagster_home.exists():
        yield health.daemon(daemon_age_s(settings))


def _show(finding: Finding, console: Console) -> None:
    word, style = _MARKS[finding.level]
    line = Text(f"{word:<8}", style=style).append(f"{finding.about}: {finding.says}", style="default")
    console.print(line, soft_wrap=True)
    if finding.mend:
        console.print(Text(f"{'':<8}→ {finding.mend}", style="dim"), soft_wrap=True)
