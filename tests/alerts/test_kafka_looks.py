"""The looks that ask Kafka, on a real one; and on none."""

import re
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import dagster as dg
import pytest

from fraud_platform.adapters.ledger_tail import Tail, read_tail
from fraud_platform.alerts import dead_letters, lag, slots, stale
from fraud_platform.alerts.sensor import Scene
from fraud_platform.alerts.tally import Tally
from fraud_platform.core.ledger import Entry, InputRange
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.orchestration.control import keeper
from fraud_platform.settings import Settings
from fraud_platform.topology import BANKS, LAKE, STAGES, Topic
from tests.alerts.receivers import free_port
from tests.quality.topics import move, write, write_entries

BEGIN = datetime.now(UTC).replace(microsecond=0)


def scene(settings: Settings, instance: dg.DagsterInstance, *, later: float = 0.0, memory: str = "") -> Scene:
    return Scene(settings=settings, instance=instance, now=BEGIN.timestamp() + later, memory=memory)


@pytest.fixture
def instance(tmp_path: Path):
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        yield instance


def entry(dead: int, *, stage: str = "lake") -> Entry:
    inputs = (InputRange("t", 0, 0, 100, 100),)
    return Entry(stage, f"{stage}.0", "r", "v", BEGIN, inputs, {"stored": 100 - dead, "dead-lettered": dead})


# A real one -----------------------------------------------------------------------------------------


@pytest.mark.services
def test_dead_letters_are_counted_once_over_many_looks(
    platform_settings: Settings, instance: dg.DagsterInstance
) -> None:
    write_entries(platform_settings, [entry(0), entry(3)])
    first = dead_letters.look(scene(platform_settings, instance))
    assert [each.title for each in first.problems] == ["lake could not use 3 of 200 records of the last hour (1.5 %)"]
    again = dead_letters.look(scene(platform_settings, instance, later=60, memory=first.memory))
    assert [each.title for each in again.problems] == [each.title for each in first.problems]
    write_entries(platform_settings, [entry(2)])
    third = dead_letters.look(scene(platform_settings, instance, later=120, memory=again.memory))
    assert third.problems[0].title.startswith("lake could not use 5 of 300 records")


@pytest.mark.services
def test_what_does_not_fit_into_one_look_comes_with_the_next(platform_settings: Settings) -> None:
    write_entries(platform_settings, [entry(n, stage="documents") for n in range(5)])
    since = int(BEGIN.timestamp() * 1000)
    everything, found = [], []
    assert read_tail(platform_settings, {}, everything.append, since_ms=since).is_whole
    tail = Tail({}, 1)
    while not tail.is_whole:
        tail = read_tail(platform_settings, tail.positions, found.append, since_ms=since, limit=2)
    assert found == everything
    read_tail(platform_settings, tail.positions, found.append, since_ms=since)
    assert found == everything


@pytest.mark.services
def test_a_cut_tail_gives_no_verdict_and_the_rest_comes_with_the_next_look(
    platform_settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_entries(platform_settings, [entry(50, stage="validation") for _ in range(3)])
    monkeypatch.setattr("fraud_platform.adapters.ledger_tail.read_tail", partial(read_tail, limit=1))
    first = dead_letters.look(scene(platform_settings, instance))
    assert first.problems == []
    assert re.fullmatch(r"the ledger is [\d,]+ offsets ahead of what could be read so far", first.blind)
    monkeypatch.undo()
    second = dead_letters.look(scene(platform_settings, instance, later=60, memory=first.memory))
    assert "dead-letters:validation" in {each.key for each in second.problems}


@pytest.mark.services
def test_what_was_written_too_long_ago_is_passed_over(platform_settings: Settings) -> None:
    """However far behind a look is, it has no more before it than the time that it is about."""
    write_entries(platform_settings, [entry(1)])
    behind = dict.fromkeys(range(platform_settings.partitions), 0)
    found = []
    tail = read_tail(platform_settings, behind, found.append, since_ms=int((BEGIN.timestamp() + 60) * 1000))
    assert (found, tail.is_whole) == ([], True)


@pytest.mark.services
def test_a_ledger_that_was_made_anew_is_read_from_the_same_moment(platform_settings: Settings) -> None:
    write_entries(platform_settings, [entry(1)])
    since = int(BEGIN.timestamp() * 1000)
    beyond = dict.fromkeys(range(platform_settings.partitions), 10**9)
    found = []
    read_tail(platform_settings, beyond, found.append, since_ms=since)
    assert found


@pytest.mark.services
def test_a_stage_that_is_far_behind_is_found(platform_settings: Settings, instance: dg.DagsterInstance) -> None:
    write(platform_settings, Topic.USERS, [b"x"] * 50, at=BEGIN)
    own = platform_settings.model_copy(update={"alert_lag": 40})
    late = {each.key: each.title for each in lag.look(scene(own, instance)).problems}
    assert late["lag:lake"] == "lake is 50 records behind its input"
    move(platform_settings, LAKE, users=20)
    assert "lag:lake" not in {each.key for each in lag.look(scene(own, instance)).problems}
    move(platform_settings, LAKE, users=5000)
    assert "lost:lake" in {each.key for each in lag.look(scene(own, instance)).problems}


@pytest.mark.services
def test_what_stands_still_is_found_after_the_time_of_the_settings(
    platform_settings: Settings, instance: dg.DagsterInstance
) -> None:
    write(platform_settings, Topic.BANK_TRANSACTIONS, [b"{}"], at=BEGIN)
    move(platform_settings, STAGES["ingestion"], bank_transactions=0)
    first = stale.look(scene(platform_settings, instance))
    assert first.problems == []
    later = stale.look(scene(platform_settings, instance, later=1801, memory=first.memory))
    assert {"stale:bank-transactions", "stale:ingestion"} <= {each.key for each in later.problems}
    write(platform_settings, Topic.BANK_TRANSACTIONS, [b"{}"], at=BEGIN)
    move(platform_settings, STAGES["ingestion"], bank_transactions=1)
    moved = stale.look(scene(platform_settings, instance, later=1802, memory=later.memory))
    assert not {"stale:bank-transactions", "stale:ingestion"} & {each.key for each in moved.problems}


# None -----------------------------------------------------------------------------------------------


@pytest.fixture
def away(tmp_path: Path) -> Settings:
    broker = f"127.0.0.1:{free_port()}"
    return Settings.from_environment({"FRAUD_DATA_DIR": str(tmp_path), "KAFKA_BOOTSTRAP_SERVERS": broker}, embedded={})


def test_without_kafka_one_problem_says_so_soon(away: Settings, instance: dg.DagsterInstance) -> None:
    began = time.monotonic()
    sight = slots.look(scene(away, instance))
    assert [each.key for each in sight.problems] == ["kafka"]
    assert all(sight.is_unsure(f"slot:{stage.name}.0") for stage in STAGES.values() if stage.consumes)
    assert time.monotonic() - began < 30


def test_where_kafka_refuses_us_the_switches_are_still_looked_at(
    away: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConfigurationError("Kafka refuses the password.")

    monkeypatch.setattr("fraud_platform.adapters.admin.live_members", refuse)
    keeper(instance, BANKS).on()
    assert {each.key for each in slots.look(scene(away, instance)).problems} == {"kafka", "slot:banks.0"}


@pytest.mark.parametrize("look", [lag.look, stale.look], ids=["lag", "stale"])
def test_without_kafka_the_others_cannot_look(away: Settings, instance: dg.DagsterInstance, look) -> None:
    with pytest.raises(BrokerUnavailable):
        look(scene(away, instance))


def test_a_tally_without_entries_has_no_problem() -> None:
    assert dead_letters.judge(Tally(), percent=1.0, now=0.0) == []
