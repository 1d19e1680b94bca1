"""The ends and the beginnings of transactions come late, or never: nothing is torn, and readers move on soon."""

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.failure.arena import Arena, arena
from tests.failure.evidence import FRAUDULENT
from tests.failure.late_broker import END_TRANSACTION, INIT_PRODUCER, LateBroker, late_broker
from tests.failure.longer.conftest import kept_its_word
from tests.failure.plain import Topics, Where
from tests.failure.plan import Stop
from tests.failure.watching import seconds_until

pytestmark = [
    pytest.mark.services, pytest.mark.long, pytest.mark.timeout(3000), pytest.mark.xdist_group("storms-2"),
]  # fmt: skip

TOO_LATE_S = 12.0
"""Longer than a commit is waited for, and than a transaction lasts."""
SOON_S, TRANSACTION_S, LOOKED_FOR_S = 5.0, 10.0, 10.0


@contextmanager
def through_proxy(folder: Path, *, rate: float = 60, **more: Any) -> Iterator[tuple[Arena, LateBroker]]:
    """An arena whose ingestion speaks with the broker through a proxy."""
    proxies = list[LateBroker]()
    with ExitStack() as opened:

        def own(where: Where, _: str) -> Mapping[str, Mapping[str, str]]:
            proxies.append(opened.enter_context(late_broker(where.bootstrap)))
            return {"ingestion": {"KAFKA_BOOTSTRAP_SERVERS": proxies[0].address}}

        with arena(folder, rate=rate, own=own, **more) as site:
            yield site, proxies[0]


@pytest.mark.parametrize(("what", "times"), [("request", 5), ("reply", 10)])
def test_a_commit_that_the_broker_hears_of_or_answers_too_late_tears_nothing(folder, sized, note, what, times) -> None:
    count, pauses = sized(times), []
    with through_proxy(folder, records=sized(10_000)) as (site, proxy):
        for number in range(count):
            site.storm.wait_for_progress(["ingestion"])
            proxy.hold(what, TOO_LATE_S)
            seconds_until(lambda number=number: proxy.held[END_TRANSACTION] > number, lambda: "no transaction ends")
            pauses.append(site.storm.wait_for_progress(["ingestion"])["ingestion"])
    late = f"{proxy.held[END_TRANSACTION]} {what}s"
    note(records=site.verdict.sent, late=late, seconds_until_the_next_commit=max(pauses))
    kept_its_word(site.verdict)


@pytest.mark.parametrize("what", ["request", "reply"])
def test_an_abort_that_the_broker_hears_of_or_answers_too_late_tears_nothing(folder, sized, note, what) -> None:
    """The platform aborts by opening its transactional id again: an abort of its own would be one more unsure end."""
    count, pauses = sized(5), []
    with through_proxy(folder, records=sized(10_000)) as (site, proxy):
        for number in range(count):
            site.storm.wait_for_progress(["ingestion"])
            proxy.hold(what, TOO_LATE_S, INIT_PRODUCER)
            proxy.hold("request", TOO_LATE_S, END_TRANSACTION)  # what is to be aborted, and comes late itself
            seconds_until(lambda number=number: proxy.held[INIT_PRODUCER] > number, lambda: "no producer is opened")
            pauses.append(site.storm.wait_for_progress(["ingestion"])["ingestion"])
    late = f"{proxy.held[INIT_PRODUCER]} {what}s, of {proxy.seen[INIT_PRODUCER]}"
    note(records=site.verdict.sent, late=late, seconds_until_the_next_commit=max(pauses))
    kept_its_word(site.verdict)
    assert proxy.held == {INIT_PRODUCER: count, END_TRANSACTION: count}


def test_readers_move_on_soon_after_a_kill_within_a_transaction(folder, sized, note) -> None:
    stops = {"ingestion": [Stop("after_send_offsets", 8)] * sized(5)}
    kills, since_launch, since_opening = [], [], []
    with through_proxy(folder, records=sized(6_000), stops=stops) as (site, proxy):
        for stop in stops["ingestion"]:
            site.storm.wait_for_progress(["projection"])
            done, _ = site.storm.strike_at({"ingestion": [stop]})
            began, opened = time.monotonic(), proxy.seen[INIT_PRODUCER]
            kills += done
            with Topics(site.where) as topics:
                wait_until_readable(topics, FRAUDULENT)
            moved = time.monotonic()
            seconds_until(lambda opened=opened: proxy.seen[INIT_PRODUCER] > opened, lambda: "no producer is opened")
            since_launch.append(round(moved - began, 1))
            since_opening.append(round(max(0.0, moved - proxy.came_at[INIT_PRODUCER]), 1))
    note(
        records=site.verdict.sent, kills=len(kills), readers_move_s_after_launch=since_launch,
        after_opening_the_transactional_id=since_opening,
    )  # fmt: skip
    kept_its_word(site.verdict, kills)
    assert max(since_opening) <= SOON_S


@pytest.mark.parametrize("is_fixed", [True, False], ids=["fixed", "random"])
def test_a_plain_client_with_a_fixed_id_frees_its_readers_and_one_with_a_random_id_lets_them_wait(
    service_endpoints, note, is_fixed
) -> None:
    bootstrap, topic = service_endpoints["KAFKA_BOOTSTRAP_SERVERS"], f"p{uuid.uuid4().hex[:8]}-plain"
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, 1)])[topic].result(60)
    first = uuid.uuid4().hex
    second = first if is_fixed else uuid.uuid4().hex
    with Topics(Where(bootstrap, *[""] * 8)) as topics, open_transaction(bootstrap, topic, first) as killed:
        killed.kill()
        began = time.monotonic()
        with open_transaction(bootstrap, topic, second):
            opened = time.monotonic()
            wait_until_readable(topics, topic, but_last=1)
            moved = time.monotonic()
    note(readers_move_s_after_launch=round(moved - began, 1), launch_s=round(opened - began, 1))
    assert moved - opened <= (SOON_S if is_fixed else TRANSACTION_S + LOOKED_FOR_S)


@contextmanager
def open_transaction(bootstrap: str, topic: str, transactional_id: str) -> Iterator["subprocess.Popen[str]"]:
    """A process with a record in a transaction that it does not end."""
    command = [sys.executable, "-m", "tests.failure.open_transaction", bootstrap, topic, transactional_id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            yield process
        finally:
            process.kill()


def wait_until_readable(topics: Topics, topic: str, *, but_last: int = 0) -> None:
    """Until a reader of committed data can pass all that is written now, except the `but_last` newest records."""
    written = topics.written(topic)

    def look() -> bool:
        ends = topics.ends(topic)
        return all(ends[number] >= end - but_last for number, end in written.items())

    seconds_until(look, lambda: "readers do not move on")
