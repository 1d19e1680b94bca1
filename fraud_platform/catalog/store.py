"""What a crawl needs from a catalog, whoever keeps it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from fraud_platform.catalog.columns import Column
from fraud_platform.catalog.hours import Hour, HourKey
from fraud_platform.catalog.tables import TableEntry, View


class Partition(Protocol):
    """An hour of a table, as a catalog keeps it."""

    @property
    def key(self) -> HourKey:
        """Its day and hour."""

    @property
    def folder(self) -> str:
        """Where its files lie below the table's location, with a slash at the end."""

    def parameters(self) -> dict[str, str]:
        """What the catalog is to remember of it."""


class Catalog(ABC):
    """Tables, their hourly partitions, and views of one database.

    Every method raises `StoreUnavailable` when the catalog does not answer, and `ConfigurationError` when it
    refuses us. What is written twice stays as written once.
    """

    @abstractmethod
    def table(self, name: str) -> TableEntry | None:
        """The table, or None when there is none."""

    @abstractmethod
    def partitions(self, name: str) -> Mapping[HourKey, Mapping[str, str]]:
        """The partitions of a table, each with its parameters."""

    @abstractmethod
    def partition(self, name: str, key: HourKey) -> Mapping[str, str] | None:
        """The parameters of one partition, or None when there is no such partition or table."""

    def hours(self, name: str) -> Mapping[HourKey, Hour]:
        """The partitions of a landing table."""
        return {key: Hour.of(key, parameters) for key, parameters in self.partitions(name).items()}

    @abstractmethod
    def put_table(self, name: str, entry: TableEntry, *, about: str) -> None:
        """Create or replace a table, and the database when it is missing."""

    @abstractmethod
    def put_hours(self, name: str, entry: TableEntry, hours: Sequence[Partition]) -> None:
        """Create or replace partitions of a table, each whole: location and parameters change together."""

    @abstractmethod
    def drop_hours(self, name: str, hours: Iterable[HourKey]) -> None:
        """Forget partitions of a table; objects are never touched."""

    @abstractmethod
    def view(self, name: str) -> View | None:
        """The view, or None when there is none."""

    @abstractmethod
    def put_view(self, name: str, sql: str, columns: Sequence[Column], *, about: str) -> None:
        """Create or replace a view."""
