"""`fraud-platform compact`: what Dagster does each hour, now and in view."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fraud_platform.curated.compaction import Compacted
from fraud_platform.curated.run import Curation
from fraud_platform.errors import FraudPlatformError
from fraud_platform.settings import Settings

_HEAD = ("table", "hour", "objects", "files", "rows", "kB before", "kB after", "s")


def compact(settings: Settings, *, full: bool, console: Console) -> int:
    """Compact what is due and print an hour a line; exit code 1 when objects could not be held or are gone.

    Raises:
        ConfigurationError: a store is not known or refuses us.
        StoreUnavailable: one does not answer; what was done stays done.
    """
    return show(Curation.of(settings).due(full=full), console)


def show(found: Iterable[Compacted], console: Console) -> int:
    """Print what became of each hour; the exit code. Errors as `compact`, after the hours before them."""
    hours: list[Compacted] = []
    failure: FraudPlatformError | None = None
    try:
        hours.extend(found)
    except FraudPlatformError as error:
        failure = error
    if hours or failure is None:
        _print(hours, console)
    if failure is not None:
        raise failure
    return 1 if any(each.left_out or each.gone for each in hours) else 0


def _print(hours: Sequence[Compacted], console: Console) -> None:
    table = Table(*_HEAD)
    for each in hours:
        sizes = (f"{size / 1000:,.0f}" for size in (each.raw_size, each.size))
        hour = " ".join(each.key)
        table.add_row(
            each.table, hour, f"{each.objects:,}", f"{each.files:,}", f"{each.rows:,}", *sizes, f"{each.seconds:.2f}"
        )
    if hours:
        console.print(table)
    troubles = [(name, why) for each in hours for name, why in each.left_out]
    troubles += [(name, "gone or changed; its curated rows stay") for each in hours for name in each.gone]
    for name, why in troubles:
        console.print(Text(f"{name}: {why}"))
    console.print(f"{len(hours)} hours compacted" if hours else "Nothing is due: every closed hour is compacted.")
