"""What a crawl needs from a catalog, whoever keeps it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from fraud_platform.catalog.columns import Column
from fraud_platform.catalog.hours import Hour, HourKey
from fraud_platform.catalog.tables import TableEntry, View


class Catalog(ABC):
    """Tables, their hourly partitions, and views of one database.

    Every method raises `StoreUnavailable` when the catalog does not answer, and `ConfigurationError` when it
    refuses us. What is written twice stays as written once.
    """

    @abstractmethod
    def table(self, name: str) -> TableEntry | None:
        """The table, or None when there is none."""

    @abstractmethod
    def hours(self, name: str) -> Mapping[HourKey, Hour]:
        """The partitions of a table."""

    @abstractmethod
    def put_table(self, name: str, entry: TableEntry, *, about: str) -> None:
        """Create or replace a table, and the database when it is missing."""

    @abstractmethod
    def put_hours(self, name: str, entry: TableEntry, hours: Sequence[Hour]) -> None:
        """Create or replace partitions of a table."""

    @abstractmethod
    def drop_hours(self, name: str, hours: Iterable[HourKey]) -> None:
        """Forget partitions of a table; objects are never touched."""

    @abstractmethod
    def view(self, name: str) -> View | None:
        """The view, or None when there is none."""

    @abstractmethod
    def put_view(self, name: str, sql: str, columns: Sequence[Column], *, about: str) -> None:
        """Create or replace a view."""
