"""`fraud-platform query`: what it prints, and what it refuses in one sentence."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fraud_platform.adapters.mongo import Document, MongoStore
from fraud_platform.catalog.answer import Answer
from fraud_platform.commands import query as query_module
from fraud_platform.commands.query import query
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.settings import Settings
from tests.conftest import fresh_settings
from tests.patience import be_patient
from tests.ports import free_port
from tests.rows import result, user

ALL_USERS = "db.users.find({}, {_id: 0, ID: 1, NAME: 1}).sort({ID: 1})"
Ask = Callable[..., str]


@pytest.fixture
def settings(service_endpoints: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    be_patient(monkeypatch)
    settings = fresh_settings(service_endpoints, tmp_path)
    store = MongoStore(settings)
    people = (user("u-1", NAME="=cmd|' /C calc'!A0"), user("u-2", NAME='Grace, "Amazing"'), user("u-3"))
    store.write("users", [Document(person["ID"], 0, n, person) for n, person in enumerate(people)])
    store.write("transactions", [Document("t-1", 0, 0, result("t-1", AMOUNT=Decimal("0.1")))])
    yield settings
    store._client.drop_database(settings.mongodb_database)
    store.close()


@pytest.fixture
def ask(settings: Settings) -> Ask:
    return lambda text, **options: run(settings, text, **options)


def run(settings: Settings, text: str | None, *, engine: str = "mongo", **options: Any) -> str:
    console = Console(file=io.StringIO(), width=300)
    chosen = {"as_json": False, "as_csv": False, "limit": None} | options
    assert query(settings, engine, text, console=console, **chosen) == 0
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.services
def test_the_ready_join_brings_transactions_and_their_people_together(ask: Ask) -> None:
    (row,) = json.loads(ask("transactions-with-users", as_json=True))
    assert row["TRANSACTION_ID"] == "t-1"
    assert row["AMOUNT"] == "0.1"
    assert row["RECEIVER_NAME"] == 'Grace, "Amazing"'
    assert "SENDER_EMAIL" not in row or row["SENDER_EMAIL"] is None


@pytest.mark.services
def test_ones_own_text_runs_as_it_stands(ask: Ask) -> None:
    rows = json.loads(ask("db.users.aggregate([{$match: {ID: {$ne: 'u-1'}}}, {$count: 'n'}])", as_json=True))
    assert rows == [{"n": 2}]


@pytest.mark.services
def test_json_is_one_array_even_when_nothing_is_found(ask: Ask) -> None:
    assert json.loads(ask("db.nothing.find()", as_json=True)) == []


@pytest.mark.services
def test_money_in_a_filter_is_exact(ask: Ask) -> None:
    text = "db.transactions.find({AMOUNT: NumberDecimal('0.10')}, {_id: 1})"
    assert json.loads(ask(text, as_json=True)) == [{"_id": "t-1"}]


@pytest.mark.services
def test_limit_cuts_the_rows_in_every_form(ask: Ask) -> None:
    assert [row["ID"] for row in json.loads(ask(ALL_USERS, as_json=True, limit=2))] == ["u-1", "u-2"]
    assert len(ask(ALL_USERS, as_csv=True, limit=2).splitlines()) == 3
    assert "2 rows; there are more" in ask(ALL_USERS, limit=2)
    assert "there are more" not in ask(ALL_USERS, limit=3)


class Counted(Iterator[dict[str, Any]]):
    """Endless rows, and how many of them were taken."""

    taken = 0

    def __next__(self) -> dict[str, Any]:
        self.taken += 1
        return {"n": self.taken}


def answers(monkeypatch: pytest.MonkeyPatch, rows: Iterator[dict[str, Any]]) -> None:
    monkeypatch.setitem(query_module._ENGINES, "athena", lambda *_: Answer(("n",), rows))


def test_a_table_ends_after_a_thousand_rows_unless_all_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, offline: Settings
) -> None:
    def shown(count: int, limit: int | None) -> str:
        console = Console(file=io.StringIO(), width=200)
        answers(monkeypatch, islice(Counted(), count))
        query(offline, "athena", "SELECT 1", as_json=False, as_csv=False, limit=limit, console=console)
        return console.file.getvalue().splitlines()[-1]  # type: ignore[attr-defined, no-any-return]

    assert shown(1001, None) == "1,000 rows; there are more: --limit 0 shows all, --csv and --json write all"
    assert shown(1000, None) == "1,000 rows"
    assert shown(1001, 0) == "1,001 rows"


def test_csv_is_written_as_the_rows_come(monkeypatch: pytest.MonkeyPatch, offline: Settings) -> None:
    rows, ahead = Counted(), list[int]()

    class Out(io.StringIO):
        def write(self, text: str) -> int:
            if text[0].isdigit():
                ahead.append(rows.taken - int(text))
            return super().write(text)

    answers(monkeypatch, rows)
    console = Console(file=Out(), width=200)
    query(offline, "athena", "SELECT 1", as_json=False, as_csv=True, limit=50, console=console)
    assert ahead == [0] * 50


@pytest.mark.services
def test_csv_cells_that_start_a_formula_are_quoted(ask: Ask) -> None:
    rows = list(csv.reader(io.StringIO(ask(ALL_USERS, as_csv=True))))
    assert rows == [["ID", "NAME"], ["u-1", "'=cmd|' /C calc'!A0"], ["u-2", 'Grace, "Amazing"'], ["u-3", "Ada"]]


@pytest.mark.services
@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("-1+1", "'-1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("-12.5", "-12.5"),
        ("a=b", "a=b"),
    ],
)
def test_only_what_a_spreadsheet_would_run_is_quoted(ask: Ask, name: str, cell: str) -> None:
    text = f"db.users.aggregate([{{$limit: 1}}, {{$project: {{_id: 0, x: {{$literal: {json.dumps(name)}}}}}}}])"
    printed = ask(text, as_csv=True)
    assert list(csv.reader(io.StringIO(printed, newline=""))) == [["x"], [cell]]


@pytest.mark.services
def test_the_table_shows_markup_and_control_characters_as_they_are(ask: Ask) -> None:
    text = "db.users.aggregate([{$limit: 1}, {$project: {_id: 0, '[b]x': {$literal: '[red]a\\u001b[31m'}}}])"
    printed = ask(text)
    assert "[red]a" in printed
    assert "\x1b" not in printed
    assert "[b]x" in printed


@pytest.mark.services
def test_dates_and_nested_values_are_readable(ask: Ask) -> None:
    text = "db.users.aggregate([{$limit: 1}, {$project: {_id: 0, at: ISODate('2026-01-01T12:00:00Z'), l: ['$ID']}}])"
    assert json.loads(ask(text, as_json=True)) == [{"at": "2026-01-01T12:00:00Z", "l": ["u-1"]}]
    assert ask(text, as_csv=True).splitlines()[1] == '2026-01-01T12:00:00Z,"[""u-1""]"'


@pytest.mark.services
def test_a_query_that_mongodb_refuses_is_one_sentence(ask: Ask) -> None:
    with pytest.raises(ConfigurationError, match=r"MongoDB refuses the query \(code 40324\): .*\$nonsense"):
        ask("db.users.aggregate([{$nonsense: 1}])", as_json=True)


@pytest.mark.services
@pytest.mark.parametrize("text", ["db.getCollection('$x').find()", "db.users.find({'a\\u0000': 1})"])
def test_names_that_mongodb_does_not_allow_are_one_sentence(ask: Ask, text: str) -> None:
    with pytest.raises(ConfigurationError):
        ask(text)


def test_without_a_name_the_ready_queries_are_listed(offline: Settings) -> None:
    assert "transactions-with-users" in run(offline, None)
    assert json.loads(run(offline, None, as_json=True)) == [{"name": "transactions-with-users"}]


def test_each_engine_lists_its_own_ready_queries(offline: Settings) -> None:
    names = [row["name"] for row in json.loads(run(offline, None, engine="athena", as_json=True))]
    assert names == [
        "decisions-by-rule",
        "fraud-by-bank-and-hour",
        "top-receivers-across-banks",
        "transactions-with-users",
    ]


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        ("nonsense", {}, "There is no ready query 'nonsense'; there are: transactions-with-users"),
        ("db.t.drop()", {}, "only aggregate and find are allowed"),
        ("nonsense", {"engine": "athena"}, "no ready query 'nonsense'; there are: decisions-by-rule, "),
        ("DROP TABLE raw_users", {"engine": "athena"}, "AWS_ENDPOINT_URL"),
        (None, {"engine": "oracle"}, "no engine 'oracle'"),
        (ALL_USERS, {"as_json": True, "as_csv": True}, "Choose one"),
        (ALL_USERS, {"limit": -1}, "--limit"),
    ],
)
def test_each_mistake_is_one_sentence(
    offline: Settings, text: str | None, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        run(offline, text, **options)


def test_a_store_that_is_away_prints_nothing(offline: Settings) -> None:
    console = Console(file=io.StringIO())
    with pytest.raises(StoreUnavailable, match="MongoDB does not answer"):
        query(offline, "mongo", ALL_USERS, as_json=True, as_csv=False, limit=None, console=console)
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]


@pytest.fixture
def offline(tmp_path: Path) -> Settings:
    return fresh_settings({}, tmp_path, MONGODB_URI=f"mongodb://127.0.0.1:{free_port()}/")
