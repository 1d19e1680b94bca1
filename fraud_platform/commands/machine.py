"""The doctor's look at the machine: Python, libraries, downloads, disk, ports, the shell's variables."""

import difflib
import platform
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from fraud_platform.commands.finding import Finding, note, ok, problem
from fraud_platform.errors import ConfigurationError
from fraud_platform.local.pins import Bundle
from fraud_platform.local.ports import DEFAULTS
from fraud_platform.settings import Settings

OLDEST, NEWEST = (3, 11), (3, 13)
GIB = 1024**3
DISK_PROBLEM_BYTES, DISK_NOTE_BYTES = 1 * GIB, 5 * GIB
NOT_SETTINGS = frozenset({
    "FRAUD_CACHE_DIR", "FRAUD_ENV_FILE", "FRAUD_STACK", "FRAUD_SERVICE",
    "FRAUD_TEST_ENDPOINTS", "FRAUD_FAILURE_SEED", "FRAUD_FAILURE_SIZE",
})  # fmt: skip
"""Names of ours that are no settings of a deployment."""
ADDRESSES = (
    "KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL", "MONGODB_URI", "FRAUD_VALIDATOR_URL", "AWS_ENDPOINT_URL_S3",
)  # fmt: skip


def python(version: tuple[int, int], *, in_venv: bool) -> Finding:
    """The interpreter's version, and whether the packages are kept apart from the system's."""
    shown = ".".join(map(str, version))
    if not OLDEST <= version <= NEWEST:
        return problem("Python", f"{shown} runs; 3.11 to 3.13 are supported.", "Install one, then `make install`.")
    if not in_venv:
        return note("Python", f"{shown}, outside of a virtual environment.", "`make install` makes one in .venv.")
    return ok("Python", f"{shown} in a virtual environment")


def system(name: str, machine: str, embedded: Collection[str]) -> list[Finding]:
    """Whether the packaged services can run here; `embedded` = services that we start ourselves."""
    if not embedded or (name == "Linux" and machine == "x86_64"):
        return []
    return [
        note(
            "System",
            f"{name} on {machine}: the packaged MongoDB is for Linux on x86_64.",
            "Install a mongod of your own, or set MONGODB_URI.",
        )
    ]


def programs(needed: Mapping[str, Callable[[], object]]) -> list[Finding]:
    """Whether each program can be found and loads its libraries; a finder raises `ConfigurationError` if not."""
    return [_program(name, find) for name, find in needed.items()]


def _program(name: str, find: Callable[[], object]) -> Finding:
    try:
        return ok(name, str(find()))
    except ConfigurationError as error:
        sentence, colon, mend = str(error).partition(": ")
        return problem(name, sentence, mend if colon else "`make install` brings it.")


def downloads(bundles: Sequence[Bundle], is_cached: Callable[[Bundle], bool], cache: Path) -> list[Finding]:
    """Whether the services' archives lie in the cache."""
    missing = [bundle for bundle in bundles if not is_cached(bundle)]
    if not missing:
        return [ok("Downloads", f"{', '.join(bundle.name for bundle in bundles)} in {cache}")] if bundles else []
    size = sum(bundle.size for bundle in missing) / 1e6
    names = ", ".join(bundle.name for bundle in missing)
    return [note("Downloads", f"{names}: not, or not whole, in {cache}.", f"`make up` downloads them, {size:.0f} MB.")]


def disk(free_bytes: int, folder: Path) -> Finding:
    """Room for the data folder."""
    free = f"{free_bytes / GIB:.1f} GiB free for {folder}"
    mend = "Make room, or set FRAUD_DATA_DIR to another disk."
    if free_bytes < DISK_PROBLEM_BYTES:
        return problem("Disk", f"Only {free}; Kafka and MongoDB stop when it is full.", mend)
    return note("Disk", f"{free}.", mend) if free_bytes < DISK_NOTE_BYTES else ok("Disk", free)


def ports(
    needed: Iterable[str],
    kept: Mapping[str, int],
    ours: Collection[str],
    is_free: Callable[[int], bool],
    holder: Callable[[int], str],
) -> list[Finding]:
    """Ports that somebody else has.

    Args:
        needed: names of ports (keys of `ports.DEFAULTS`).
        kept: the ports of an earlier start.
        ours: names whose port our own running service has.
        is_free: whether a port is free.
        holder: who listens on a port.
    """
    chosen = {name: kept.get(name) or DEFAULTS[name] for name in needed if name not in ours}
    taken = {name: port for name, port in chosen.items() if port is not None and not is_free(port)}
    if not taken:
        return [ok("Ports", "none that is needed is taken by another program")]
    return [
        note(
            "Ports",
            f"Port {port} ({name}) is taken by {holder(port)}.",
            "`make up` takes another free one; to have this one, stop that program first.",
        )
        for name, port in taken.items()
    ]


def port_holder(port: int) -> str:
    """Who listens on the port, as far as this user may know."""
    try:
        for each in psutil.net_connections(kind="tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port and each.pid:
                return f"{psutil.Process(each.pid).name()} (process {each.pid})"
    except psutil.Error:
        pass
    return "another program"


# Variables ------------------------------------------------------------------------------------------


def unknown_names(names: Iterable[str]) -> list[Finding]:
    """Variables that look like ours and are none: a misspelt setting would otherwise be silently ignored."""
    known = {*Settings.environment_names(), *NOT_SETTINGS}
    found = []
    for name in sorted(name for name in names if name.startswith("FRAUD_") and name not in known):
        close = difflib.get_close_matches(name, known, n=1)
        guess = f"Did you mean {close[0]}?" if close else ".env.example lists all settings."
        found.append(problem("Settings", f"{name} is set and is no setting of this platform.", guess))
    return found


def stale_shell(environment: Mapping[str, str], present: Mapping[str, str]) -> list[Finding]:
    """Addresses that an earlier `fraud-platform env` left in this shell.

    Args:
        environment: the shell's variables.
        present: where the embedded services of its FRAUD_EMBEDDED folder listen now.
    """
    if "FRAUD_EMBEDDED" not in environment:
        return []
    old = [name for name in ADDRESSES if name in environment and present.get(name) != environment[name]]
    if not old:
        return []
    return [
        note(
            "Shell",
            f"{', '.join(old)} in this shell differ from the embedded services' addresses and win over them.",
            'Run eval "$(fraud-platform env)" in a new shell, unless you chose them yourself.',
        )
    ]


def this_system() -> tuple[str, str]:
    """Name of the operating system and of the processor's kind."""
    return platform.system(), platform.machine()
