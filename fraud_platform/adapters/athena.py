"""Queries on AWS Athena: start, wait, read the result page by page."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from botocore import exceptions as boto

from fraud_platform.adapters.aws import aws_client, code_of, translated
from fraud_platform.catalog.answer import Answer, QueryEngine, require_reading, unique
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.settings import Settings

NAME = "Athena"
TIME_LIMIT_S = 600.0
_PAGE = 1000
_POLLS_S = (0.1, 0.2, 0.4, 0.8, 1.5)
_CODE = re.compile(r"[A-Z]+(_[A-Z]+)+")
_DENIED = re.compile(r"(access|permission) denied|not authorized|insufficient permissions", re.IGNORECASE)
_ABOUT_THE_TEXT = re.compile(r"([A-Z_]+: )?line \d+:\d+: ")
_REFUSED = "InvalidRequestException"


class Athena(QueryEngine):
    """One workgroup and database. `sleep` and `clock` (seconds, monotonic) are for tests.

    Raises:
        ConfigurationError: no Athena is known.
    """

    def __init__(
        self, settings: Settings, *, sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._client = aws_client(settings, "athena")
        self._settings = settings
        self._sleep = sleep
        self._clock = clock

    def ask(self, sql: str) -> Answer:
        """See `QueryEngine.ask`."""
        require_reading(sql)
        query_id = self._start(sql)
        try:
            self._wait(query_id)
        except BaseException:
            self._give_up(query_id)
            raise
        return self._answer(query_id)

    def _start(self, sql: str) -> str:
        output = self._settings.athena_output
        where: dict[str, Any] = {"ResultConfiguration": {"OutputLocation": output}} if output else {}
        with translated(NAME):
            try:
                started = self._client.start_query_execution(
                    QueryString=sql,
                    QueryExecutionContext={"Database": self._settings.glue_database},
                    WorkGroup=self._settings.athena_workgroup,
                    **where,
                )
            except boto.ClientError as error:
                if code_of(error) != _REFUSED:
                    raise
                raise ConfigurationError(_refusal(str(error.response["Error"].get("Message", "")))) from None
        return str(started["QueryExecutionId"])

    def _wait(self, query_id: str) -> None:
        deadline = self._clock() + TIME_LIMIT_S
        polls = iter(_POLLS_S)
        while True:
            with translated(NAME):
                found = self._client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]
            match found["State"]:
                case "SUCCEEDED":
                    return
                case "FAILED":
                    raise ConfigurationError(_failure(found.get("StateChangeReason", ""), query_id))
                case "CANCELLED":
                    raise ConfigurationError("The query was cancelled in Athena.")
            if self._clock() > deadline:
                raise StoreUnavailable(
                    f"The query took longer than {TIME_LIMIT_S:.0f} seconds; narrow it by dt and hr."
                )
            self._sleep(next(polls, _POLLS_S[-1]))

    def _give_up(self, query_id: str) -> None:
        """Nobody waits for it any more, so nobody should pay for it."""
        try:
            self._client.stop_query_execution(QueryExecutionId=query_id)
        except (boto.ClientError, boto.BotoCoreError):
            return

    def _answer(self, query_id: str) -> Answer:
        first = self._page(query_id, None)
        columns = first["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
        names = [each["Name"] for each in columns]
        if first["ResultSet"]["Rows"] and _texts(first["ResultSet"]["Rows"][0]) == names:
            del first["ResultSet"]["Rows"][0]  # a SELECT repeats its columns' names as its first row, SHOW does not
        kinds = dict(zip(unique(names), (each["Type"] for each in columns), strict=True))
        return Answer(list(kinds), self._rows(query_id, first, kinds))

    def _rows(self, query_id: str, page: dict[str, Any], kinds: dict[str, str]) -> Iterator[dict[str, Any]]:
        rows = page["ResultSet"]["Rows"]
        while True:
            for row in rows:
                values = zip(kinds.items(), _texts(row), strict=False)
                yield {name: None if text is None else _value(text, kind) for (name, kind), text in values}
            token = page.get("NextToken")
            if not token:
                return
            page = self._page(query_id, token)
            rows = page["ResultSet"]["Rows"]

    def _page(self, query_id: str, token: str | None) -> dict[str, Any]:
        more = {"NextToken": token} if token else {}
        with translated(NAME):
            found: dict[str, Any] = self._client.get_query_results(QueryExecutionId=query_id, MaxResults=_PAGE, **more)
        return found


def _texts(row: dict[str, Any]) -> list[str | None]:
    return [cell.get("VarCharValue") for cell in row["Data"]]


def _value(text: str, kind: str) -> Any:
    """Athena answers in text; the column's type says what it means."""
    if kind in {"tinyint", "smallint", "integer", "bigint"}:
        return int(text)
    if kind in {"float", "double", "real"}:
        return float(text)
    if kind.startswith("decimal"):
        return Decimal(text)
    if kind == "boolean":
        return text == "true"
    if kind == "timestamp":
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    return text


def _refusal(words: str) -> str:
    """Athena's own words about the user's own text."""
    return f"Athena refuses the query: {words.rstrip('.')}."


def _failure(words: str, query_id: str) -> str:
    """Athena's words when they point into the text; others may quote rows, or name the person who asks."""
    if _ABOUT_THE_TEXT.match(words):
        return _refusal(words)
    code = _CODE.match(words)
    reason = code[0] if code else "access denied" if _DENIED.search(words) else "no error code"
    return f"The query failed in Athena ({reason}); Athena's history shows why under {query_id}."
