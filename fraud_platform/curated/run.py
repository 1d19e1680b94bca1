"""A run of the compaction: the hours that are due, table by table."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fraud_platform.adapters.lake_reader import LakeStore
from fraud_platform.catalog.hours import HourKey
from fraud_platform.catalog.newest import newest_hour
from fraud_platform.catalog.store import Catalog
from fraud_platform.catalog.tables import TABLES, LakeTable
from fraud_platform.curated.build import Unbuilt
from fraud_platform.curated.compaction import Compacted, Compactor
from fraud_platform.settings import Settings
from fraud_platform.topology import Naming

PUBLISHED_AT_ONCE = 24
"""Hours between two writes of the pending view: an old text is right too, and only slower."""
HOURS_A_RUN = 500
"""Hours of a table that one scheduled run builds; the rest waits for the next one."""

AHEAD = timedelta(days=1)
"""What lies further in the future was put there by mistake, and would close every hour of today."""


class Curation:
    """Compacts hours of any table."""

    def __init__(
        self, lake: LakeStore, catalog: Catalog, naming: Naming, *, scratch: Path | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._clock = clock
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
        from fraud_platform.adapters.scratch import scratch_in
        from fraud_platform.catalog.access import catalog_of

        lake = S3LakeReader(settings)
        return cls(lake, catalog_of(settings), settings.naming, scratch=scratch_in(settings.data_dir, "compaction"))

    def due(
        self, *, full: bool = False, stop: Callable[[], bool] = lambda: False, tables: Sequence[LakeTable] = TABLES
    ) -> Iterator[Compacted]:
        """Compact what is due, oldest hours first, and say what became of each; ends early when told to stop.

        Raises:
            Unbuilt: hours that cannot be built; all others were.
            StoreUnavailable: the lake or the catalog does not answer; what was done stays done.
            ConfigurationError: one of them refuses us.
        """
        watermark = self.watermark()
        failed = _Failed()
        for table in tables:
            hours = self._compactors[table].due(watermark, full=full)
            yield from self._each(table, hours, failed, at_most=HOURS_A_RUN, stop=stop)
        failed.tell()

    def hours(
        self, table: LakeTable, hours: Sequence[HourKey], *, rebuild: bool = False,
        stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[Compacted]:  # fmt: skip
        """Compact these hours of a table, anew from their raw objects if asked to; errors as `due`."""
        failed = _Failed()
        yield from self._each(table, hours, failed, rebuild=rebuild, stop=stop)
        failed.tell()

    def _each(
        self, table: LakeTable, hours: Sequence[HourKey], failed: "_Failed", *, stop: Callable[[], bool],
        rebuild: bool = False, at_most: int | None = None,
    ) -> Iterator[Compacted]:  # fmt: skip
        """`at_most` counts the hours that are built: registering files that lie there already is quick."""
        compactor, built = self._compactors[table], 0
        for number, key in enumerate(hours, start=1):
            if stop() or built == at_most:
                break
            try:
                done = compactor.compact(key, rebuild=rebuild)
            except Unbuilt as error:
                failed.add(table, key, error)
                continue
            if done:
                built += done.built
                yield done
            if number % PUBLISHED_AT_ONCE == 0:
                compactor.publish()
        compactor.publish()

    def held(self) -> Iterator[Compacted]:
        """The curated hours of all tables as the catalog has them. Errors as `due`."""
        for compactor in self._compactors.values():
            yield from compactor.held()

    def lost(self) -> set[str]:
        """The tables whose files lie in the lake while the catalog has forgotten them. Errors as `due`."""
        return {table.curated for table, compactor in self._compactors.items() if compactor.is_lost()}

    def tidy(self, now: datetime) -> int:
        """Delete curated files that later ones have replaced for a day; how many. Errors as `due`."""
        return sum(compactor.tidy(now) for compactor in self._compactors.values())

    def watermark(self) -> HourKey | None:
        """The newest hour of all tables that is no more than `AHEAD`; None for an empty lake. Errors as `due`."""
        until = self._clock() + AHEAD
        newest = (newest_hour(self._lake, table.prefix(self._naming), until=until) for table in TABLES)
        last = max((each for each in newest if each), default=None)
        if last is None:
            return None
        day, hour = last.split("/")
        return (day.removeprefix("dt="), hour.removeprefix("hr="))


class _Failed:
    """Hours that could not be built, of which the first is told."""

    def __init__(self) -> None:
        self._hours: list[str] = []
        self._why = ""

    def add(self, table: LakeTable, key: HourKey, error: Unbuilt) -> None:
        self._why = self._why or str(error)
        self._hours.append(f"{' '.join(key)} of {table.curated}")

    def tell(self) -> None:
        if self._hours:
            many = f"{len(self._hours)} hours, the first of them" if len(self._hours) > 1 else "The hour"
            raise Unbuilt(f"{many} {self._hours[0]}, cannot be compacted: {self._why}")
