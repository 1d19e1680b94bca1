"""What the lake is asked, in SQL that Athena and the local engine both understand."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from fraud_platform.books.rows import Row
from fraud_platform.books.stored import SqlRows
from fraud_platform.catalog.answer import Answer, QueryEngine
from fraud_platform.catalog.columns import Column
from fraud_platform.catalog.tables import TableEntry
from fraud_platform.catalog.types import Array, Scalar
from fraud_platform.topology import Topic
from tests.fakes.lake import FakeCatalog

KINDS = {"transaction_id": Scalar("string"), "stage": Scalar("string"), "hits": Array(Scalar("string")),
         "kafka_partition": Scalar("int"), "kafka_offset": Scalar("bigint")}  # fmt: skip


class Engine(QueryEngine):
    """Remembers what it is asked and always answers the same rows."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.asked: list[str] = []
        self._rows = rows

    def ask(self, sql: str) -> Answer:
        self.asked.append(sql)
        return Answer((), iter(self._rows))


def rows(topic: Topic, engine: Engine, *, scalar_only: bool = False, empty: bool = False) -> SqlRows:
    catalog = FakeCatalog()
    columns = tuple(Column(name, name, kind) for name, kind in KINDS.items())
    if not empty:
        catalog.tables[f"landing_{topic.value.replace('-', '_')}"] = TableEntry("s3://b/", columns, {}, "")
    return SqlRows(topic, engine, catalog, scalar_only=scalar_only)


def first(found: Iterator[Row]) -> list[Row]:
    return list(found)


def test_a_row_has_its_id_its_hour_and_plain_fields() -> None:
    stored = {
        "transaction_id": "t-1", "amount": Decimal("1.50"), "at": datetime(2026, 1, 1, tzinfo=UTC), "status": None,
        "kafka_partition": 3, "kafka_offset": 12, "kafka_timestamp": datetime(2026, 1, 1, tzinfo=UTC),
        "dt": "2026-01-01", "hr": "07",
    }  # fmt: skip
    fields = {"transaction_id": "t-1", "amount": "money:1.5", "at": "time:1767225600000"}
    assert first(rows(Topic.RESULT, Engine(stored)).rows()) == [Row("t-1", 3, 12, "dt=2026-01-01/hr=07", fields)]


@pytest.mark.parametrize(
    ("hours", "where"),
    [
        (None, ""),
        ([], " WHERE false"),
        (["dt=2026-01-01/hr=07", "dt=2026-01-01/hr=05"], " WHERE (dt = '2026-01-01' AND hr IN ('05', '07'))"),
        (
            ["dt=2026-01-02/hr=00", "dt=2026-01-01/hr=05"],
            " WHERE (dt = '2026-01-01' AND hr IN ('05')) OR (dt = '2026-01-02' AND hr IN ('00'))",
        ),
    ],
)
def test_hours_are_partitions_so_that_others_are_not_read(hours: list[str] | None, where: str) -> None:
    engine = Engine()
    first(rows(Topic.RESULT, engine).rows(hours))
    (sql,) = engine.asked
    assert sql.partition("landing_fraudulent_transactions_result")[2] == where


def test_the_newest_rows_are_those_of_what_was_landed() -> None:
    engine = Engine()
    first(rows(Topic.USERS, engine).newest())
    assert engine.asked[0].endswith(
        ' row_number() OVER (PARTITION BY "id" ORDER BY kafka_partition DESC, kafka_offset DESC) AS version_number'
        " FROM landing_users) AS versions WHERE version_number = 1"
    )


def test_the_copy_is_what_the_view_is_made_of() -> None:
    engine = Engine()
    found = rows(Topic.USERS, engine)
    first(found.copied(["dt=2026-01-01/hr=07"]))
    first(found.copied_by_ids(["u-1"]))
    names = 'SELECT "transaction_id", "stage", "hits", "kafka_partition", "kafka_offset", "dt", "hr" FROM'
    every = f"{names} ({names} curated_users UNION ALL {names} pending_users) AS every_row WHERE"
    assert engine.asked == [f"{every} (dt = '2026-01-01' AND hr IN ('07'))", f"{every} (\"id\") IN ('u-1')"]


def test_a_table_that_no_compaction_knows_has_no_copy_to_compare() -> None:
    assert not rows(Topic.USERS, Engine()).has_copy


def test_ids_are_quoted_and_made_as_mongodb_s() -> None:
    engine = Engine()
    first(rows(Topic.DECISIONS, engine).by_ids(["validation:o'x", "validation:t-2"]))
    assert engine.asked[0].endswith(
        """ WHERE ("stage" || ':' || "transaction_id") IN ('validation:o''x', 'validation:t-2')"""
    )


def test_very_many_ids_are_asked_in_parts() -> None:
    engine = Engine()
    first(rows(Topic.RESULT, engine).by_ids([f"t-{n}" for n in range(1200)]))
    assert len(engine.asked) == 3


def test_nested_columns_are_left_out_where_they_come_as_text() -> None:
    engine = Engine()
    found = rows(Topic.RESULT, engine, scalar_only=True)
    first(found.rows())
    assert found.without == {"hits"}
    assert '"hits"' not in engine.asked[0]
    assert rows(Topic.RESULT, engine).without == frozenset()


def test_a_table_without_an_object_has_no_rows_and_is_not_asked() -> None:
    engine = Engine()
    found = rows(Topic.RESULT, engine, empty=True)
    assert [*found.rows(), *found.newest(), *found.by_ids(["t"])] == []
    assert engine.asked == []
