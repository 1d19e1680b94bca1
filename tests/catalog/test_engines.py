"""The local engine over a real S3 and a real Glue API: the answers, pruning, and what it refuses."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from fraud_platform.adapters import duckdb_files
from fraud_platform.adapters.duckdb_lake import LocalEngine
from fraud_platform.adapters.lake_reader import S3LakeReader
from fraud_platform.adapters.s3 import ObjectInfo
from fraud_platform.catalog import ready
from fraud_platform.catalog.access import catalog_of, engine_of, uses_athena
from fraud_platform.catalog.answer import QueryEngine
from fraud_platform.catalog.refresh import refresh
from fraud_platform.catalog.tables import TableEntry, view_columns
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests.builders import NOON
from tests.catalog.objects import put, put_changed, results, users
from tests.rows import decision, result, user

HIT = {
    "rule_id": "large-amount", "criterion": "amount", "observed": "5", "limit": "1", "window": None,
    "contributing_count": 1, "late": False, "action": "BLOCK",
}  # fmt: skip
Ask = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def filled(lake_settings: Settings) -> Settings:
    """Three transfers, one of them repeated; a user who changed; a column that came later; a file that fits not."""
    settings, lake, naming = lake_settings, S3LakeReader(lake_settings), lake_settings.naming
    put(lake, naming, Topic.RESULT, results("t-1", "t-2", RECEIVER_ID="u-2"))
    put(lake, naming, Topic.RESULT, [result("t-1", AMOUNT=Decimal("99.000000001"))], at=1, start=10)
    put(lake, naming, Topic.RESULT, [result("t-3", SENDER_BANK="Second Bank")], at=2, partition=1)
    put(lake, naming, Topic.USERS, users("u-1", "u-2", NAME="old"))
    put(lake, naming, Topic.USERS, [user("u-2", NAME="new")], at=1, start=7)
    put_changed(lake, naming, Topic.USERS, user("u-3", NICK="N"), fields={"NICK": ["null", "string"]}, at=1, start=8)
    put_changed(lake, naming, Topic.USERS, user("u-9") | {"NAME": 5}, fields={"NAME": "int"}, at=1, start=9)
    put(lake, naming, Topic.DECISIONS, [decision("t-1", action="BLOCK", hits=[HIT, HIT]), decision("t-2")])
    found = refresh(settings)
    assert [each.rows for each in found] == [4, 4, 2]
    assert [len(each.problems) for each in found] == [0, 1, 0]
    return settings


@pytest.fixture(scope="module")
def engine(filled: Settings) -> QueryEngine:
    return engine_of(filled)


@pytest.fixture
def ask(engine: QueryEngine) -> Ask:
    return lambda sql: list(engine.ask(sql).rows)


pytestmark = pytest.mark.services


def test_the_join_gives_one_row_per_transfer_with_the_newest_users(ask: Ask) -> None:
    rows = {row["transaction_id"]: row for row in ask(ready.text("transactions-with-users", local=True))}
    assert rows.keys() == {"t-1", "t-2", "t-3"}
    assert rows["t-1"]["amount"] == Decimal("99.000000001")
    assert {row["receiver_name"] for row in rows.values()} == {"new"}
    assert {row["sender_name"] for row in rows.values()} == {"old"}
    assert list(rows["t-1"]) == [
        "transaction_id", "sender_bank_account", "receiver_bank_account", "amount", "status", "evaluation",
        "transfer_date", "sender_bank", "source_process", "sender_name", "sender_address", "sender_email",
        "receiver_name", "receiver_address", "receiver_email",
    ]  # fmt: skip


def test_the_landing_table_keeps_every_row(ask: Ask) -> None:
    (row,) = ask(
        "SELECT count(*) AS n, count(DISTINCT transaction_id) AS ids FROM landing_fraudulent_transactions_result"
    )
    assert row == {"n": 4, "ids": 3}


def test_fraud_by_bank_and_hour(ask: Ask) -> None:
    rows = ask(ready.text("fraud-by-bank-and-hour", local=True))
    assert [(row["sender_bank"], row["dt"], row["hr"], row["transactions"]) for row in rows] == [
        ("Second Bank", "2026-01-01", "02", 1),
        ("First Bank", "2026-01-01", "01", 1),
        ("First Bank", "2026-01-01", "00", 1),
    ]


def test_top_receivers_across_banks(ask: Ask) -> None:
    (row,) = ask(ready.text("top-receivers-across-banks", local=True))
    assert (row["receiver_id"], row["receiver_name"], row["banks"], row["transactions"]) == ("u-2", "new", 2, 3)
    assert row["amount"] == Decimal("124.000000001")


def test_decisions_by_rule(ask: Ask) -> None:
    assert ask(ready.text("decisions-by-rule", local=True)) == [
        {"rule_id": "large-amount", "criterion": "amount", "action": "BLOCK", "decisions": 2}
    ]


def test_a_later_column_is_null_in_older_files_and_a_file_that_does_not_fit_is_left_out(ask: Ask) -> None:
    rows = ask("SELECT id, nick FROM raw_users ORDER BY id")
    assert [(row["id"], row["nick"]) for row in rows] == [("u-1", None), ("u-2", None), ("u-3", "N")]


def test_times_are_utc(ask: Ask) -> None:
    (row,) = ask("SELECT DISTINCT kafka_timestamp AS at FROM landing_users")
    assert row["at"] == datetime.fromtimestamp(NOON / 1000, UTC)


def test_columns_of_the_same_name_do_not_hide_each_other(ask: Ask) -> None:
    (row,) = ask("SELECT a.id, b.id FROM raw_users a JOIN raw_users b ON a.id < b.id AND a.id = 'u-1' AND b.id = 'u-2'")
    assert row == {"id": "u-1", "id_2": "u-2"}


def test_an_answer_without_rows_has_its_columns(engine: QueryEngine) -> None:
    answer = engine.ask("SELECT id, name FROM raw_users WHERE false")
    assert (list(answer.columns), list(answer.rows)) == (["id", "name"], [])


def test_hours_that_a_query_rules_out_are_never_read(filled: Settings) -> None:
    """Files outside of the hour may even be gone."""
    engine = LocalEngine(filled, catalog_of(filled), _HalfGone(filled))
    asked = "SELECT count(*) AS n FROM landing_fraudulent_transactions_result"
    assert list(engine.ask(f"{asked} WHERE dt = '2026-01-01' AND hr = '02'").rows) == [{"n": 1}]
    with pytest.raises(StoreUnavailable):
        list(engine.ask(asked).rows)


def test_the_ready_query_reads_only_the_days_that_are_asked_of_it(filled: Settings) -> None:
    engine = LocalEngine(filled, catalog_of(filled), _HalfGone(filled))
    text = ready.text("fraud-by-bank-and-hour", local=True)
    narrowed = text.replace(
        "-- WHERE dt BETWEEN '2026-01-01' AND '2026-01-07'", "WHERE dt = '2026-01-01' AND hr = '02'"
    )
    assert [row["sender_bank"] for row in engine.ask(narrowed).rows] == ["Second Bank"]
    with pytest.raises(StoreUnavailable):
        list(engine.ask(text).rows)


class _HalfGone(S3LakeReader):
    """Lists an object that the catalog has seen under a name that does not exist."""

    def list(self, prefix: str) -> Any:
        for info in super().list(prefix):
            key = info.key.replace("+0+0", "x+0+0") if "/hr=01/" in info.key else info.key
            yield ObjectInfo(key, info.size, info.modified)


def test_objects_after_the_last_crawl_are_read_already(filled: Settings, ask: Ask) -> None:
    key = put(S3LakeReader(filled), filled.naming, Topic.DECISIONS, [decision("t-9")], start=500)
    try:
        assert ask("SELECT count(*) AS n FROM landing_decisions") == [{"n": 3}]
    finally:
        S3LakeReader(filled)._client.delete_object(Bucket=filled.lake_bucket, Key=key)


def test_a_catalog_that_has_forgotten_everything_is_built_again_by_a_query(filled: Settings) -> None:
    fresh = filled.model_copy(update={"glue_database": f"{filled.glue_database}_again"})
    assert list(engine_of(fresh).ask("SELECT count(*) AS n FROM raw_users").rows) == [{"n": 3}]
    assert catalog_of(fresh).view("raw_users") is not None


def test_a_query_makes_no_tables_where_another_crawler_does(filled: Settings) -> None:
    changes = {"glue_database": f"{filled.glue_database}_theirs", "glue_crawler": "theirs"}
    theirs = filled.model_copy(update=changes)
    with pytest.raises(ConfigurationError, match="tables appear"):
        engine_of(theirs).ask("SELECT count(*) AS n FROM raw_users")
    assert catalog_of(theirs).table("landing_users") is None


def test_files_of_a_kind_that_the_table_has_lost_are_read_by_their_own_headers(filled: Settings) -> None:
    catalog = catalog_of(filled)
    entry = catalog.table("landing_users")
    assert entry is not None
    lost = {name: each for name, each in entry.schemas.items() if "nick" not in {column.name for column in each}}
    catalog.put_table("landing_users", TableEntry(entry.location, entry.columns, lost, entry.literal), about="People.")
    try:
        rows = list(engine_of(filled).ask("SELECT id, nick FROM raw_users WHERE id = 'u-3'").rows)
    finally:
        catalog.put_table("landing_users", entry, about="People.")
    assert rows == [{"id": "u-3", "nick": "N"}]


def test_a_view_that_somebody_has_written_into_the_catalog_is_not_run(filled: Settings) -> None:
    catalog = catalog_of(filled)
    view, entry = catalog.view("raw_users"), catalog.table("landing_users")
    assert view is not None
    assert entry is not None
    columns = view_columns(entry.columns)
    catalog.put_view("raw_users", "SELECT * FROM read_text('/etc/passwd')", columns, about="Not ours.")
    try:
        rows = list(engine_of(filled).ask("SELECT id FROM raw_users ORDER BY id").rows)
    finally:
        catalog.put_view("raw_users", view.sql, columns, about="Ours.")
    assert rows == [{"id": "u-1"}, {"id": "u-2"}, {"id": "u-3"}]


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("DROP TABLE raw_users", "only read"),
        ("INSERT INTO raw_users VALUES (1)", "only read"),
        ("COPY raw_users TO '/tmp/x.csv'", "only read"),
        ("SET threads = 1", "only read"),
        ("", "only read"),
        ("SELECT 1; SELECT 2", "One query at a time"),
        ("WITH x AS (SELECT 1) INSERT INTO y SELECT * FROM x", "One query at a time|cannot be run"),
        ("SELECT * FROM read_csv('/etc/passwd')", "Permission"),
        ("SELECT * FROM '/etc/passwd'", "Permission|cannot be run"),
        ("SELECT * FROM read_text('http://127.0.0.1:9/x')", "Permission"),
        ("SELECT * FROM nowhere", "tables appear with their first rows"),
        ("SELECT nothing FROM raw_users", "nothing"),
        ("SELECT FROM WHERE", "Parser"),
    ],
)
def test_what_would_write_or_leave_the_lake_is_one_sentence(ask: Ask, sql: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as error:
        ask(sql)
    assert "\n" not in str(error.value)


def test_what_is_large_goes_to_a_folder_that_only_the_owner_reads(
    filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_files, "MEMORY", "60MB")
    made = list[bool]()
    folder = filled.data_dir / "queries"
    for row in engine_of(filled).ask("SELECT r, md5(r::VARCHAR) AS m FROM range(1000000) t(r) ORDER BY m").rows:
        made = made or [any(folder.iterdir()), row["m"] < "1"]
    assert made == [True, True]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert list(folder.iterdir()) == []


def test_an_error_never_quotes_a_row(ask: Ask) -> None:
    with pytest.raises(ConfigurationError) as error:
        ask("SELECT CAST(name AS INTEGER) FROM raw_users")
    assert "old" not in str(error.value)
    assert "new" not in str(error.value)


def test_tables_and_columns_can_be_listed(ask: Ask) -> None:
    assert {"landing_users", "raw_users", "raw_decisions"} <= {row["name"] for row in ask("SHOW TABLES")}
    assert {"id", "dt", "hr"} <= {row["column_name"] for row in ask("DESCRIBE landing_users")}


@pytest.mark.parametrize(
    ("environment", "athena"),
    [
        ({}, False),
        ({"FRAUD_AWS": "aws", "FRAUD_LAKE_BUCKET": "mine"}, True),
        ({"FRAUD_AWS": "aws", "FRAUD_LAKE_BUCKET": "mine", "AWS_ENDPOINT_URL_GLUE": "http://g"}, False),
        ({"AWS_ENDPOINT_URL_ATHENA": "http://a"}, False),
    ],
)
def test_athena_answers_on_aws_and_the_local_engine_elsewhere(environment: dict[str, str], athena: bool) -> None:
    assert uses_athena(Settings.from_environment(environment, embedded={})) is athena


@pytest.mark.parametrize("asked", [catalog_of, engine_of])
def test_an_s3_elsewhere_never_gets_tables_or_queries_in_aws(asked: Callable[[Settings], object]) -> None:
    given = {"FRAUD_AWS": "aws", "FRAUD_LAKE_BUCKET": "mine", "AWS_ENDPOINT_URL_S3": "http://s"}
    with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL_GLUE"):
        asked(Settings.from_environment(given, embedded={}))
