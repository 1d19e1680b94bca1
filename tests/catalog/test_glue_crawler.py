"""A crawler of AWS in place of ours, over the real Glue API, and how its ends are told."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from fraud_platform.adapters import glue_crawler
from fraud_platform.adapters.glue import GlueCatalog
from fraud_platform.adapters.glue_crawler import run_crawler
from fraud_platform.adapters.lake_reader import S3LakeReader
from fraud_platform.catalog.hours import Hour
from fraud_platform.catalog.refresh import refresh
from fraud_platform.catalog.tables import BY_NAME
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests.catalog.conftest import own_settings
from tests.catalog.objects import put, users
from tests.catalog.test_glue import ENTRY

pytestmark = pytest.mark.services


@pytest.fixture
def settings(lake_endpoints: dict[str, str], tmp_path: Path) -> Settings:
    found = own_settings(lake_endpoints, tmp_path)
    return found.model_copy(update={"glue_crawler": found.lake_bucket})


def make_crawler(settings: Settings) -> Any:
    client = GlueCatalog(settings)._client
    client.create_crawler(
        Name=settings.glue_crawler,
        Role="role",
        DatabaseName=settings.glue_database,
        Targets={"S3Targets": [{"Path": f"s3://{settings.lake_bucket}/"}]},
    )
    return client


def test_the_crawler_is_started_and_waited_for(settings: Settings) -> None:
    client = make_crawler(settings)
    polls = []

    def sleep(seconds: float) -> None:
        polls.append(seconds)
        client.list_crawls(CrawlerName=settings.glue_crawler)  # with this the local service ends the run

    assert run_crawler(settings, settings.lake_bucket, sleep=sleep)
    assert len(polls) == 1
    assert client.get_crawler(Name=settings.lake_bucket)["Crawler"]["LastCrawl"]["StartTime"]


@pytest.fixture
def at_once(settings: Settings) -> Iterator[None]:
    """Runs of crawlers that end when they start."""
    address = f"{settings.glue_endpoint}/moto-api/state-manager"
    change = {"model_name": "glue::crawl", "transition": {"progression": "immediate"}}
    requests.post(f"{address}/set-transition", json=change, timeout=10).raise_for_status()
    yield
    requests.post(f"{address}/unset-transition", json={"model_name": "glue::crawl"}, timeout=10).raise_for_status()


@pytest.mark.usefixtures("at_once")
def test_what_it_left_is_described(settings: Settings) -> None:
    make_crawler(settings)
    catalog = GlueCatalog(settings)
    table = BY_NAME["landing_users"]
    catalog.put_table(table.name, ENTRY, about="As a crawler of AWS makes it.")
    catalog.put_hours(table.name, ENTRY, [Hour(("2026-01-01", "00"))])
    parameters = {"classification": "avro", "objectCount": "2", "recordCount": "7", "sizeKey": "900"}
    catalog._client.update_partition(
        DatabaseName=settings.glue_database,
        TableName=table.name,
        PartitionValueList=["2026-01-01", "00"],
        PartitionInput={"Values": ["2026-01-01", "00"], "Parameters": parameters},
    )
    (found,) = refresh(settings)
    assert (found.table, found.hours, found.columns) == ("landing_users", 1, ENTRY.columns)
    assert (found.objects, found.rows) == (2, 7)
    assert catalog.view("raw_users") is None  # without Kafka's positions nobody can tell the newest row


@pytest.mark.usefixtures("at_once")
def test_a_crawler_that_makes_other_tables_is_one_sentence(settings: Settings) -> None:
    make_crawler(settings)
    lake = S3LakeReader(settings)
    lake.prepare()
    assert refresh(settings) == []  # there is nothing yet to make a table of
    put(lake, settings.naming, Topic.USERS, users("u-1"))
    with pytest.raises(ConfigurationError, match=r"made no table landing_users in .* the table prefix landing_"):
        refresh(settings)


def test_a_crawler_that_is_not_there_is_one_sentence(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match=r"Glue has no crawler .* FRAUD_GLUE_CRAWLER"):
        refresh(settings)


class Client:
    """A Glue whose crawler goes through the states as told."""

    def __init__(self, *crawlers: dict[str, Any]) -> None:
        self.crawlers = list(crawlers)

    def start_crawler(self, **_: Any) -> None:
        pass

    def get_crawler(self, **_: Any) -> dict[str, Any]:
        return {"Crawler": self.crawlers.pop(0) if len(self.crawlers) > 1 else self.crawlers[0]}


def crawler(state: str, day: int = 1, **last: str) -> dict[str, Any]:
    return {"State": state, "LastCrawl": {"StartTime": datetime(2026, 1, day), "Status": "SUCCEEDED", **last}}  # noqa: DTZ001


def run(settings: Settings, monkeypatch: pytest.MonkeyPatch, *states: dict[str, Any]) -> bool:
    client = Client(*states)
    monkeypatch.setattr(glue_crawler, "aws_client", lambda *_: client)
    ticks = iter(range(0, 1_000_000, 100))
    return run_crawler(settings, "c", sleep=lambda _: None, clock=lambda: float(next(ticks)))


def test_the_end_of_the_last_run_is_not_taken_for_the_end_of_this_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = crawler("READY"), crawler("READY", 2)
    states = (old, old, crawler("RUNNING"), crawler("STOPPING"), new)
    assert run(settings, monkeypatch, *states)


def test_a_run_that_fails_is_one_sentence(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = crawler("READY", 2, Status="FAILED", ErrorMessage="No access.")
    with pytest.raises(ConfigurationError, match=r"ended as FAILED: No access\.$"):
        run(settings, monkeypatch, crawler("READY"), failed)


def test_a_run_without_an_end_is_given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreUnavailable, match="still runs after 30 minutes"):
        run(settings, monkeypatch, crawler("READY"), crawler("RUNNING"))
