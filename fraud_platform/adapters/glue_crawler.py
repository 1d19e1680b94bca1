"""Starts an AWS Glue crawler of the user's and waits until it has finished."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore import exceptions as boto

from fraud_platform.adapters.aws import aws_client, code_of, translated
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.settings import Settings

NAME = "Glue"
TIME_LIMIT_S = 1800.0
POLL_S = 5.0


def run_crawler(
    settings: Settings, name: str, *, stop: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.monotonic,
) -> bool:  # fmt: skip
    """Start the crawler, or join a run of it that is under way; whether it finished before `stop`.

    Raises:
        ConfigurationError: there is no such crawler, or its run failed.
        StoreUnavailable: Glue does not answer, or the run takes longer than half an hour.
    """
    client = aws_client(settings, "glue")
    before = _last_start(_crawler(client, name))
    joined = not _start(client, name)
    deadline = clock() + TIME_LIMIT_S
    while not stop():
        found = _crawler(client, name)
        is_over = found["State"] == "READY" and (joined or _last_start(found) != before or "LastCrawl" not in found)
        if is_over:
            _require_success(name, found.get("LastCrawl", {}))
            return True
        if clock() > deadline:
            raise StoreUnavailable(f"The Glue crawler {name} still runs after {TIME_LIMIT_S / 60:.0f} minutes.")
        sleep(POLL_S)
    return False


def _start(client: Any, name: str) -> bool:
    """Whether we started it; another run of it may be under way."""
    with translated(NAME):
        try:
            client.start_crawler(Name=name)
        except boto.ClientError as error:
            if code_of(error) != "CrawlerRunningException":
                raise
            return False
    return True


def _crawler(client: Any, name: str) -> dict[str, Any]:
    with translated(NAME):
        try:
            found: dict[str, Any] = client.get_crawler(Name=name)["Crawler"]
        except boto.ClientError as error:
            if code_of(error) != "EntityNotFoundException":
                raise
            raise ConfigurationError(
                f"Glue has no crawler {name!r}; create it over the lake's folder, or unset FRAUD_GLUE_CRAWLER."
            ) from None
    return found


def _last_start(crawler: dict[str, Any]) -> datetime | None:
    started: datetime | None = crawler.get("LastCrawl", {}).get("StartTime")
    return started


def _require_success(name: str, last: dict[str, Any]) -> None:
    if last.get("Status") in {"FAILED", "CANCELLED", "STOPPED"}:
        words = str(last.get("ErrorMessage", "no reason given")).rstrip(".")
        raise ConfigurationError(f"The Glue crawler {name} ended as {last['Status']}: {words}.")
