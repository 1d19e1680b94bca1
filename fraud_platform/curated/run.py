"""A run of the compaction: the hours that are due, table by table."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from fraud_platform.adapters.lake_reader import LakeStore
from fraud_platform.catalog.hours import HourKey
from fraud_platform.catalog.newest import newest_hour
from fraud_platform.catalog.store import Catalog
from fraud_platform.catalog.tables import TABLES, LakeTable
from fraud_platform.curated.compaction import Compacted, Compactor
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings
from fraud_platform.topology import Naming

PUBLISHED_AT_ONCE = 24
"""Hours between two writes of the pending view: an old text is right too, and only slower."""
HOURS_A_RUN = 500
"""Hours of a table in one scheduled run; the rest waits for the next one."""

LEFT_AFTER_S = 24 * 3600
"""No compaction of an hour takes so long."""


class Curation:
    """Compacts hours of any table."""

    def __init__(self, lake: LakeStore, catalog: Catalog, naming: Naming, *, scratch: Path | None = None) -> None:
        self._lake = lake
        self._naming = naming
        self._compactors = {table: Compactor(lake, catalog, table, naming, scratch=scratch) for table in TABLES}

    @classmethod
    def of(cls, settings: Settings) -> "Curation":
        """Over the bucket and the catalog of the settings; files are built in the data folder.

        Raises:
            ConfigurationError: one of them is not known, or the folder cannot be written to.
        """
        from fraud_platform.adapters.lake_reader import S3LakeReader
        from fraud_platform.catalog.access import catalog_of

        lake = S3LakeReader(settings)
        return cls(lake, catalog_of(settings), settings.naming, scratch=scratch_in(settings.data_dir))

    def due(
        self, *, full: bool = False, stop: Callable[[], bool] = lambda: False, tables: Sequence[LakeTable] = TABLES
    ) -> Iterator[Compacted]:
        """Compact what is due, oldest hours first, and say what became of each; ends early when told to stop.

        Raises:
            StoreUnavailable: the lake or the catalog does not answer; what was done stays done.
            ConfigurationError: one of them refuses us.
        """
        watermark = self.watermark()
        for table in tables:
            hours = self._compactors[table].due(watermark, full=full)
            yield from self.hours(table, hours[:HOURS_A_RUN], stop=stop)

    def hours(
        self, table: LakeTable, hours: Sequence[HourKey], *, rebuild: bool = False,
        stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[Compacted]:  # fmt: skip
        """Compact these hours of a table, anew from their raw objects if asked to; errors as `due`."""
        compactor = self._compactors[table]
        for number, key in enumerate(hours, start=1):
            if stop():
                break
            if done := compactor.compact(key, rebuild=rebuild):
                yield done
            if number % PUBLISHED_AT_ONCE == 0:
                compactor.publish()
        compactor.publish()

    def tidy(self, now: datetime) -> int:
        """Delete curated files that later ones have replaced for a day; how many. Errors as `due`."""
        return sum(compactor.tidy(now) for compactor in self._compactors.values())

    def watermark(self) -> HourKey | None:
        """The newest hour of all tables; None for an empty lake. Errors as `due`."""
        newest = (newest_hour(self._lake, table.prefix(self._naming)) for table in TABLES)
        last = max((each for each in newest if each), default=None)
        if last is None:
            return None
        day, hour = last.split("/")
        return (day.removeprefix("dt="), hour.removeprefix("hr="))


def scratch_in(data_dir: Path) -> Path:
    """A folder for files in the making, which hold people's data; empties it of what a killed run has left.

    Raises:
        ConfigurationError: it cannot be written to.
    """
    folder = data_dir / "compaction"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in folder.iterdir():
            if left.stat().st_mtime < time.time() - LEFT_AFTER_S:
                shutil.rmtree(left, ignore_errors=True)
    except OSError as error:
        raise ConfigurationError(
            f"Curated files cannot be built in {folder} ({error.strerror}); set FRAUD_DATA_DIR to a folder of yours."
        ) from None
    return folder
