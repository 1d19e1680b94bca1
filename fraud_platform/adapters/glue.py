"""The catalog through the Glue API: the embedded service's, or AWS's."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from botocore import exceptions as boto

from fraud_platform.adapters.aws import aws_client, code_of, translated
from fraud_platform.catalog.columns import PARTITION_KEYS, Column
from fraud_platform.catalog.hours import HourKey
from fraud_platform.catalog.store import Catalog, Partition
from fraud_platform.catalog.tables import AVRO, PARQUET, TableEntry, View, view_of, view_text
from fraud_platform.catalog.types import hive
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.settings import Settings

NAME = "Glue"
_PUT_AT_ONCE, _DROPPED_AT_ONCE = 100, 25
"""Partitions per call: Glue's own limits."""
_LITERAL = "avro.schema.literal"
_FORMATS = {
    AVRO: ("org.apache.hadoop.hive.ql.io.avro.AvroContainer", "org.apache.hadoop.hive.serde2.avro.AvroSerDe"),
    PARQUET: (
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquet",
        "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
    ),
}
_EXISTS, _MISSING = "AlreadyExistsException", "EntityNotFoundException"


class GlueCatalog(Catalog):
    """The database that the settings name. Safe to use from several threads.

    Raises:
        ConfigurationError: no Glue is known.
    """

    def __init__(self, settings: Settings) -> None:
        self._client = aws_client(settings, "glue")
        self._database = settings.glue_database

    def table(self, name: str) -> TableEntry | None:
        """See `Catalog.table`."""
        found = self._get(name)
        if found is None:
            return None
        storage = found.get("StorageDescriptor", {})
        columns = [(column["Name"], column["Type"]) for column in storage.get("Columns", [])]
        literal = storage.get("SerdeInfo", {}).get("Parameters", {}).get(_LITERAL, "")
        try:
            return TableEntry.of(storage.get("Location", ""), columns, found.get("Parameters", {}), literal)
        except ValueError as error:
            raise ConfigurationError(
                f"The Glue table {self._database}.{name} is not one that we can read ({error}); drop it, or choose"
                " another database with FRAUD_GLUE_DATABASE."
            ) from None

    def partitions(self, name: str) -> Mapping[HourKey, Mapping[str, str]]:
        """See `Catalog.partitions`."""
        pages = self._client.get_paginator("get_partitions").paginate(
            DatabaseName=self._database, TableName=name, ExcludeColumnSchema=True
        )
        found: dict[HourKey, Mapping[str, str]] = {}
        with translated(NAME):
            for partition in (each for page in pages for each in page["Partitions"]):
                key = tuple(partition["Values"])
                if len(key) != len(PARTITION_KEYS):
                    raise ConfigurationError(
                        f"The Glue table {self._database}.{name} is partitioned by {len(key)} keys, not by dt and hr;"
                        " drop it, or let its crawler's target be the lake's folder."
                    )
                found[key] = partition.get("Parameters", {})
        return found

    def partition(self, name: str, key: HourKey) -> Mapping[str, str] | None:
        """See `Catalog.partition`."""
        with translated(NAME):
            try:
                found = self._client.get_partition(
                    DatabaseName=self._database, TableName=name, PartitionValues=list(key)
                )
            except boto.ClientError as error:
                if code_of(error) == _MISSING:
                    return None
                raise
        parameters: dict[str, str] = found["Partition"].get("Parameters", {})
        return parameters

    def put_table(self, name: str, entry: TableEntry, *, about: str) -> None:
        """See `Catalog.put_table`."""
        self._put(
            {
                "Name": name,
                "Description": about,
                "TableType": "EXTERNAL_TABLE",
                "PartitionKeys": [{"Name": key, "Type": "string"} for key in PARTITION_KEYS],
                "Parameters": entry.parameters(),
                "StorageDescriptor": _storage(entry, entry.location),
            }
        )

    def put_hours(self, name: str, entry: TableEntry, hours: Sequence[Partition]) -> None:
        """See `Catalog.put_hours`."""
        for some in _chunks([_partition(entry, hour) for hour in hours], _PUT_AT_ONCE):
            with translated(NAME):
                done = self._client.batch_create_partition(
                    DatabaseName=self._database, TableName=name, PartitionInputList=some
                )
            there = _failed(done, "PartitionValues", tolerated=_EXISTS)
            if again := [each for each in some if tuple(each["Values"]) in there]:
                self._replace(name, again)

    def _replace(self, name: str, partitions: Sequence[dict[str, Any]]) -> None:
        entries = [{"PartitionValueList": each["Values"], "PartitionInput": each} for each in partitions]
        with translated(NAME):
            done = self._client.batch_update_partition(DatabaseName=self._database, TableName=name, Entries=entries)
        _failed(done, "PartitionValueList", tolerated="")

    def drop_hours(self, name: str, hours: Iterable[HourKey]) -> None:
        """See `Catalog.drop_hours`."""
        for some in _chunks([{"Values": list(key)} for key in sorted(hours)], _DROPPED_AT_ONCE):
            with translated(NAME):
                done = self._client.batch_delete_partition(
                    DatabaseName=self._database, TableName=name, PartitionsToDelete=some
                )
            _failed(done, "PartitionValues", tolerated=_MISSING)

    def view(self, name: str) -> View | None:
        """See `Catalog.view`."""
        found = self._get(name)
        return view_of(found.get("ViewOriginalText", "")) if found else None

    def put_view(self, name: str, sql: str, columns: Sequence[Column], *, about: str) -> None:
        """See `Catalog.put_view`."""
        self._put(
            {
                "Name": name,
                "Description": about,
                "TableType": "VIRTUAL_VIEW",
                "PartitionKeys": [],
                "Parameters": {"presto_view": "true", "comment": "Presto View"},
                "ViewOriginalText": view_text(sql, self._database, columns),
                "ViewExpandedText": "/* Presto View */",
                "StorageDescriptor": {"Columns": _columns(columns), "SerdeInfo": {}, "Location": ""},
            }
        )

    def _get(self, name: str) -> dict[str, Any] | None:
        with translated(NAME):
            try:
                found: dict[str, Any] = self._client.get_table(DatabaseName=self._database, Name=name)["Table"]
            except boto.ClientError as error:
                if code_of(error) == _MISSING:
                    return None
                raise
        return found

    def _put(self, table: dict[str, Any]) -> None:
        with translated(NAME):
            self._make_database()
            try:
                self._client.create_table(DatabaseName=self._database, TableInput=table)
            except boto.ClientError as error:
                if code_of(error) != _EXISTS:
                    raise
                self._client.update_table(DatabaseName=self._database, TableInput=table, SkipArchive=True)

    def _make_database(self) -> None:
        try:
            self._client.get_database(Name=self._database)
        except boto.ClientError as error:
            if code_of(error) != _MISSING:
                raise
            try:
                about = "The fraud platform's lake: tables landing_* and curated_*, views raw_*."
                self._client.create_database(DatabaseInput={"Name": self._database, "Description": about})
            except boto.ClientError as race:
                if code_of(race) != _EXISTS:  # another crawl was quicker
                    raise


def _columns(columns: Sequence[Column]) -> list[dict[str, str]]:
    return [{"Name": column.name, "Type": hive(column.type)} for column in columns]


def _storage(entry: TableEntry, location: str) -> dict[str, Any]:
    formats, serde = _FORMATS[entry.format]
    literal = {_LITERAL: entry.literal} if entry.format == AVRO else {}
    return {
        "Columns": _columns(entry.columns),
        "Location": location,
        "InputFormat": f"{formats}InputFormat",
        "OutputFormat": f"{formats}OutputFormat",
        "SerdeInfo": {"SerializationLibrary": serde, "Parameters": literal},
    }


def _partition(entry: TableEntry, hour: Partition) -> dict[str, Any]:
    return {
        "Values": list(hour.key),
        "Parameters": hour.parameters(),
        "StorageDescriptor": _storage(entry, entry.location + hour.folder),
    }


def _failed(done: Mapping[str, Any], name: str, *, tolerated: str) -> set[tuple[str, ...]]:
    """The partitions that failed for the tolerated reason.

    Raises:
        StoreUnavailable: one failed for another.
    """
    errors = done.get("Errors", [])
    others = {each["ErrorDetail"]["ErrorCode"] for each in errors} - {tolerated}
    if others:
        raise StoreUnavailable(f"Glue does not take all partitions ({', '.join(sorted(others))}).")
    return {tuple(each[name]) for each in errors}


def _chunks(items: Sequence[dict[str, Any]], size: int) -> Iterator[Sequence[dict[str, Any]]]:
    yield from (items[at : at + size] for at in range(0, len(items), size))
