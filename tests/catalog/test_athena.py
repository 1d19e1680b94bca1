"""Queries over Athena's real HTTP API, answered by a server of ours that holds prepared results."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from fraud_platform.adapters.athena import Athena
from fraud_platform.catalog import ready
from fraud_platform.catalog.access import engine_of
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.settings import Settings
from tests.catalog.conftest import own_settings

KINDS = {
    "id": "varchar", "n": "bigint", "amount": "decimal(38,9)", "late": "boolean", "at": "timestamp", "share": "double",
}  # fmt: skip
HEAD = list(KINDS)
ROW = ["t-1", "7", "12.500000000", "true", "2026-01-01 12:00:00.000", "0.5"]


@pytest.fixture
def settings(lake_endpoints: dict[str, str], tmp_path: Path) -> Settings:
    """Athena's endpoint is the very server that speaks Glue."""
    return own_settings(
        lake_endpoints,
        tmp_path,
        FRAUD_AWS="aws",
        AWS_ENDPOINT_URL_ATHENA=lake_endpoints["AWS_ENDPOINT_URL_GLUE"],
        AWS_REGION="eu-west-1",
        MY_AWS_ACCESS_KEY_ID="AKIAEXAMPLE",
        MY_AWS_SECRET_ACCESS_KEY="secret",
        FRAUD_ATHENA_OUTPUT="s3://results/here/",
    )


def prepare(settings: Settings, *rows: list[str | None], kinds: dict[str, str] | None = None) -> None:
    """The rows of the next query's result, its head among them as Athena sends it."""
    info = [
        {"CatalogName": "hive", "SchemaName": "", "TableName": "", "Name": name, "Label": name, "Type": kind,
         "Precision": 0, "Scale": 0, "Nullable": "UNKNOWN", "CaseSensitive": True}
        for name, kind in (kinds or KINDS).items()
    ]  # fmt: skip
    cells = [{"Data": [{"VarCharValue": cell} if cell is not None else {} for cell in row]} for row in rows]
    body = {"region": settings.aws_region, "results": [{"rows": cells, "column_info": info}]}
    address = f"{settings.athena_endpoint}/moto-api/static/athena/query-results"
    requests.post(address, json=body, timeout=10).raise_for_status()


pytestmark = pytest.mark.services


def test_values_come_as_what_they_mean(settings: Settings) -> None:
    prepare(settings, HEAD, ROW, [None] * 6)
    answer = Athena(settings).ask("SELECT * FROM raw_users")
    assert list(answer.columns) == HEAD
    assert list(answer.rows) == [
        {
            "id": "t-1",
            "n": 7,
            "amount": Decimal("12.500000000"),
            "late": True,
            "at": datetime(2026, 1, 1, 12, tzinfo=UTC),
            "share": 0.5,
        },
        dict.fromkeys(HEAD),
    ]


def test_the_join_is_sent_word_for_word_to_the_database_and_workgroup_of_the_settings(settings: Settings) -> None:
    client = Athena(settings)._client
    before = set(client.list_query_executions()["QueryExecutionIds"])
    prepare(settings, ["id"], ["t-1"], kinds={"id": "varchar"})
    sql = ready.text("transactions-with-users", local=False)
    assert list(engine_of(settings).ask(sql).rows) == [{"id": "t-1"}]
    (query_id,) = set(client.list_query_executions()["QueryExecutionIds"]) - before
    sent = client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
    assert sent["Query"] == sql
    assert sent["QueryExecutionContext"]["Database"] == settings.glue_database
    assert sent["WorkGroup"] == "primary"
    assert sent["ResultConfiguration"]["OutputLocation"].startswith("s3://results/here/")


def test_a_result_without_a_head_keeps_its_first_row(settings: Settings) -> None:
    prepare(settings, ["raw_users"], kinds={"tab_name": "string"})
    assert list(Athena(settings).ask("SHOW TABLES").rows) == [{"tab_name": "raw_users"}]


def test_what_would_write_is_never_sent(settings: Settings) -> None:
    engine = Athena(settings)
    before = engine._client.list_query_executions()["QueryExecutionIds"]
    for sql in ("DROP TABLE raw_users", "INSERT INTO a SELECT 1", "/* SELECT */ CREATE TABLE t AS SELECT 1", "UNLOAD"):
        with pytest.raises(ConfigurationError, match="only read"):
            engine.ask(sql)
    assert engine._client.list_query_executions()["QueryExecutionIds"] == before


class Client:
    """An Athena whose queries end as told; what moto cannot show."""

    def __init__(self, *states: dict[str, Any], pages: list[dict[str, Any]] | None = None) -> None:
        self.states = list(states)
        self.pages = pages or []
        self.stopped: list[str] = []
        self.tokens: list[str | None] = []

    def start_query_execution(self, **_: Any) -> dict[str, str]:
        return {"QueryExecutionId": "q-1"}

    def get_query_execution(self, **_: Any) -> dict[str, Any]:
        status = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"QueryExecution": {"Status": status}}

    def get_query_results(self, *, NextToken: str | None = None, **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        self.tokens.append(NextToken)
        return self.pages[int(NextToken or 0)]

    def stop_query_execution(self, *, QueryExecutionId: str) -> None:  # noqa: N803 - AWS's name
        self.stopped.append(QueryExecutionId)


def engine(settings: Settings, client: Client) -> Athena:
    ticks = iter(range(0, 10_000, 100))
    found = Athena(settings, sleep=lambda _: None, clock=lambda: float(next(ticks)))
    found._client = client
    return found


def page(*names: str, token: str | None = None) -> dict[str, Any]:
    rows = [{"Data": [{"VarCharValue": name}]} for name in names]
    info = {"ColumnInfo": [{"Name": "id", "Type": "varchar"}]}
    more = {"NextToken": token} if token else {}
    return {"ResultSet": {"Rows": rows, "ResultSetMetadata": info}, **more}


def test_a_slow_query_is_waited_for_and_its_pages_are_read_as_they_are_asked_for(settings: Settings) -> None:
    client = Client(
        {"State": "QUEUED"}, {"State": "RUNNING"}, {"State": "SUCCEEDED"},
        pages=[page("id", "a", token="1"), page("b", "c", token="2"), page("d")],
    )  # fmt: skip
    rows = engine(settings, client).ask("SELECT id FROM t").rows
    assert next(rows) == {"id": "a"}
    assert client.tokens == [None]
    assert [row["id"] for row in rows] == ["b", "c", "d"]
    assert client.tokens == [None, "1", "2"]


def test_a_query_that_fails_is_told_in_athenas_words(settings: Settings) -> None:
    failed = {"State": "FAILED", "StateChangeReason": "COLUMN_NOT_FOUND: line 1:8: Column 'x' cannot be resolved"}
    with pytest.raises(ConfigurationError, match=r"Athena refuses the query: COLUMN_NOT_FOUND.*resolved\.$"):
        engine(settings, Client(failed)).ask("SELECT x FROM t")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("INVALID_CAST_ARGUMENT: Cannot cast 'Maria Lopez' to INT", r"\(INVALID_CAST_ARGUMENT\)"),
        ("HIVE_BAD_DATA: Error parsing field value Maria Lopez for field 3", r"\(HIVE_BAD_DATA\)"),
        ("User: arn:aws:iam::1:user/Maria.Lopez is not authorized", r"\(access denied\)"),
        ("Query of Maria Lopez exhausted resources", r"\(no error code\)"),
    ],
)
def test_words_that_may_name_a_person_stay_with_athena(settings: Settings, words: str, told: str) -> None:
    client = Client({"State": "FAILED", "StateChangeReason": words})
    with pytest.raises(ConfigurationError, match=rf"failed in Athena {told}.* under q-1\.$") as error:
        engine(settings, client).ask("SELECT x FROM t")
    assert "Maria" not in str(error.value)


def test_a_query_that_never_ends_is_stopped(settings: Settings) -> None:
    client = Client({"State": "RUNNING"})
    with pytest.raises(StoreUnavailable, match="longer than 600 seconds"):
        engine(settings, client).ask("SELECT 1")
    assert client.stopped == ["q-1"]


def test_an_athena_that_does_not_answer_is_unavailable(settings: Settings) -> None:
    away = settings.model_copy(update={"athena_endpoint": "http://127.0.0.1:9"})
    with pytest.raises(StoreUnavailable, match="Athena does not answer"):
        Athena(away).ask("SELECT 1")
