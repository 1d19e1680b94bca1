"""Fraud by bank and hour as plots."""

import base64
import logging
import re
from datetime import date, timedelta
from typing import Any
from unittest.mock import Mock

import dagster as dg
import pytest

from fraud_platform.catalog import definitions
from fraud_platform.catalog.answer import Answer, QueryEngine
from fraud_platform.catalog.crawl import Found
from fraud_platform.catalog.picture import BANKS, fraud_by_bank, pictures


def row(bank: str | None, hour: int, count: int, *, day: str = "2026-01-31") -> dict[str, Any]:
    return {"sender_bank": bank, "dt": day, "hr": f"{hour:02d}", "transactions": count}


def titles(markdown: str) -> list[str]:
    return re.findall(r"!\[([^\]]*)\]", markdown)


def heights(markdown: str) -> list[int]:
    svg = base64.b64decode(re.search(r"base64,([^)]+)\)", markdown)[1]).decode()
    return [int(point.split(",")[1]) for point in re.search(r'points="([^"]+)"', svg)[1].split()]


def test_a_bank_is_a_line_over_the_last_day_and_most_fraud_comes_first() -> None:
    found = pictures([
        row("Alder Bank", 7, 2), row("Northwind Trust", 7, 5), row("Northwind Trust", 6, 9), row("Alder Bank", 8, 1),
    ])  # fmt: skip
    assert titles(found) == [
        "Northwind Trust, an hour: now 5, highest 9",
        "Alder Bank, an hour: now 2, highest 2",
    ]
    assert len(heights(found)) == 24


def test_hours_without_fraud_are_zeros() -> None:
    line = heights(pictures([row("Alder Bank", 7, 4), row("Alder Bank", 5, 4), row("Alder Bank", 8, 1)]))
    assert line[-1] == line[-3] < line[-2] == line[0]


def test_hours_of_the_day_before_are_in_their_place() -> None:
    found = pictures([row("Alder Bank", 1, 4), row("Alder Bank", 2, 1), row("Alder Bank", 23, 8, day="2026-01-30")])
    assert titles(found) == ["Alder Bank, an hour: now 4, highest 8"]


def test_the_newest_hour_goes_on_and_is_shown_only_while_there_is_no_other() -> None:
    assert titles(pictures([row("Alder Bank", 7, 1)])) == ["Alder Bank, an hour: now 1, highest 1"]
    both = [row("Alder Bank", 6, 9), row("Alder Bank", 7, 1), row("New Bank", 7, 3)]
    assert titles(pictures(both)) == ["Alder Bank, an hour: now 9, highest 9"]


def test_what_is_older_than_a_day_is_not_shown() -> None:
    found = pictures([row("Alder Bank", 1, 4), row("Alder Bank", 0, 800, day="2026-01-30")])
    assert titles(found) == ["Alder Bank, an hour: now 4, highest 4"]


def test_banks_beyond_the_largest_are_one_line() -> None:
    banks = [f"Bank {letter * 3}" for letter in "ABCDEFGH"]
    found = titles(pictures([row(bank, 7, 10 - n) for n, bank in enumerate(banks)]))
    assert len(found) == BANKS + 1
    assert found[-1] == "other, an hour: now 7, highest 7"


@pytest.mark.parametrize("bank", [None, "", "NWT487533001079", "a](http://x)", "<b>", "x" * 41, "ann@example.com"])
def test_what_is_no_bank_s_name_is_never_shown(bank: str | None) -> None:
    assert titles(pictures([row(bank, 7, 3)])) == ["other, an hour: now 3, highest 3"]


@pytest.mark.parametrize("bank", ["Northwind Trust", "Crédit du Léman", "O'Neill & Sons"])
def test_names_of_letters_are_shown(bank: str) -> None:
    assert titles(pictures([row(bank, 7, 3)]))[0].startswith(bank)


def test_no_rows_make_no_picture() -> None:
    assert pictures([]) == ""


class Asked(QueryEngine):
    """Remembers what it is asked and has no rows."""

    def __init__(self) -> None:
        self.sql = ""

    def ask(self, sql: str) -> Answer:
        self.sql = sql
        return Answer((), iter(()))


@pytest.mark.parametrize("local", [True, False])
def test_only_two_days_are_read(local: bool) -> None:
    engine = Asked()
    fraud_by_bank(engine, date(2026, 3, 1), local=local)
    assert "WHERE dt BETWEEN '2026-02-28' AND '2026-03-01'" in engine.sql
    assert "-- WHERE" not in engine.sql


KEY = dg.AssetKey(["glue", "landing_fraudulent_transactions_result"])
FOUND = Found(KEY.path[-1], "s3://b/", (), 1, 1, 1, 0, 0, (), (), newest=("2026-01-31", "07"))


class Crawls:
    """What the result table shows after crawls that each draw one of these, or fail to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.instance = dg.DagsterInstance.ephemeral()
        self.log = logging.getLogger("crawl")
        self._patch = monkeypatch

    def show(self, *pictures: str | Exception, athena: bool = False) -> list[Any]:
        self._patch.setattr(definitions, "fraud_by_bank", Mock(side_effect=pictures))
        self._patch.setattr(definitions, "engine_of", Mock())
        self._patch.setattr(definitions, "uses_athena", lambda _: athena)
        return [self._crawl() for _ in range(2)]

    def _crawl(self) -> Any:
        found = definitions._picture(self, Mock(), FOUND)  # type: ignore[arg-type]
        self.instance.report_runless_asset_event(dg.AssetMaterialization(KEY, metadata=found))
        return found["fraud_by_bank_and_hour"].value if found else None


@pytest.fixture
def crawls(monkeypatch: pytest.MonkeyPatch) -> Crawls:
    return Crawls(monkeypatch)


def test_each_crawl_draws_and_a_drawing_that_fails_leaves_the_last_one(
    crawls: Crawls, caplog: pytest.LogCaptureFixture
) -> None:
    assert crawls.show("first", ValueError("Jane's account")) == ["first", "first"]
    assert "ValueError at" in caplog.text
    assert "Jane" not in caplog.text
    assert crawls.show("second", "third") == ["second", "third"]
    assert crawls.show("", "") == [None, None]


def test_on_athena_the_last_picture_stays_for_an_hour(crawls: Crawls, monkeypatch: pytest.MonkeyPatch) -> None:
    assert crawls.show("first", athena=True) == ["first", "first"]
    monkeypatch.setattr(definitions, "_REDRAWN_AFTER", timedelta(0))
    assert crawls.show("second", "third", athena=True) == ["second", "third"]
