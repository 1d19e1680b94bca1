"""`fraud-platform query athena` as a person types it, and that both stores give the same rows."""

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from fraud_platform.adapters.lake_reader import S3LakeReader
from fraud_platform.adapters.mongo import Document, MongoStore
from fraud_platform.commands.query import query
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests.catalog.objects import put
from tests.rows import result, user

pytestmark = pytest.mark.services
PEOPLE = [user("u-1", NAME="=cmd|' /C calc'!A0"), user("u-2", NAME="old"), user("u-2", NAME="new")]
TRANSFERS = [result("t-1", AMOUNT=Decimal("0.1")), result("t-2"), result("t-1", AMOUNT=Decimal("7.25"))]


@pytest.fixture(scope="module")
def filled(lake_settings: Settings) -> Any:
    lake, mongo = S3LakeReader(lake_settings), MongoStore(lake_settings)
    put(lake, lake_settings.naming, Topic.USERS, PEOPLE)
    put(lake, lake_settings.naming, Topic.RESULT, TRANSFERS)
    for collection, field, rows in (("users", "ID", PEOPLE), ("transactions", "TRANSACTION_ID", TRANSFERS)):
        newest = {row[field]: Document(row[field], 0, number, row) for number, row in enumerate(rows)}
        mongo.write(collection, list(newest.values()))
    yield lake_settings
    mongo._client.drop_database(lake_settings.mongodb_database)
    mongo.close()


def run(settings: Settings, text: str, *, engine: str = "athena", **options: Any) -> str:
    console = Console(file=io.StringIO(), width=400)
    chosen = {"as_json": False, "as_csv": False, "limit": None} | options
    assert query(settings, engine, text, console=console, **chosen) == 0
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_both_stores_give_the_same_rows_of_the_join(filled: Settings) -> None:
    def rows(engine: str) -> list[tuple[Any, ...]]:
        found = json.loads(run(filled, "transactions-with-users", engine=engine, as_json=True))
        upper = [{name.upper(): value for name, value in row.items()} for row in found]
        names = ("TRANSACTION_ID", "STATUS", "SENDER_NAME", "RECEIVER_NAME", "SENDER_BANK", "TRANSFER_DATE")
        return sorted((*(row[name] for name in names), Decimal(row["AMOUNT"])) for row in upper)

    assert rows("athena") == rows("mongo")
    assert [row[-1] for row in rows("athena")] == [Decimal("7.25"), Decimal("12.5")]
    assert {row[3] for row in rows("athena")} == {"new"}


def test_json_is_one_array_with_exact_money(filled: Settings) -> None:
    sql = "SELECT transaction_id, amount FROM raw_fraudulent_transactions_result ORDER BY 1"
    assert json.loads(run(filled, sql, as_json=True)) == [
        {"transaction_id": "t-1", "amount": "7.250000000"},
        {"transaction_id": "t-2", "amount": "12.500000000"},
    ]


def test_csv_quotes_cells_that_start_a_formula_and_has_a_head_without_rows(filled: Settings) -> None:
    rows = list(csv.reader(io.StringIO(run(filled, "SELECT id, name FROM raw_users ORDER BY id", as_csv=True))))
    assert rows == [["id", "name"], ["u-1", "'=cmd|' /C calc'!A0"], ["u-2", "new"]]
    assert run(filled, "SELECT id, name FROM raw_users WHERE false", as_csv=True) == "id,name\n"


def test_the_table_says_how_many_rows_there_are(filled: Settings) -> None:
    assert "1 rows; there are more: --limit 0 shows all" in run(filled, "SELECT id FROM raw_users", limit=1)
    printed = run(filled, "fraud-by-bank-and-hour")
    assert "First Bank" in printed
    assert "19.750000000" in printed
