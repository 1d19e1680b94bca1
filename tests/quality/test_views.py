"""The readers behind the checks, on a real Kafka and a real registry."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import msgspec
import pytest

from fraud_platform.errors import BrokerUnavailable
from fraud_platform.quality import views
from fraud_platform.quality.checks import GROUPS
from fraud_platform.quality.definitions import asset_checks
from fraud_platform.quality.drift import Mix
from fraud_platform.quality.recency import Newest
from fraud_platform.settings import Settings
from fraud_platform.topology import DOCUMENTS, LAKE, PROJECTION, Topic
from tests.quality.test_outcomes import entry
from tests.quality.topics import move, write, write_entries, write_rows
from tests.rows import decision, result, user

pytestmark = pytest.mark.services

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def filled(platform_settings: Settings) -> Settings:
    """Results and users read half by the lake, decisions of two moods, two ledger entries, one of them old."""
    settings = platform_settings
    write_rows(settings, Topic.RESULT, [result("t-1"), result("t-2")], at=NOW - 3 * HOUR)
    write_rows(settings, Topic.RESULT, [result("t-3")], at=NOW - 2 * HOUR)
    write(settings, Topic.RESULT, [b"no Avro", None], at=NOW - HOUR)
    write_rows(settings, Topic.USERS, [user("u-1")], at=NOW - HOUR, in_transaction=True)
    for hours in (21, 12, 4):
        rows = [decision(f"old-{hours}-{n}", decided_at=NOW) for n in range(10)]
        write_rows(settings, Topic.DECISIONS, rows, at=NOW - hours * HOUR, partition=hours % 2)
    blocked = [decision(f"new-{n}", decided_at=NOW, action="BLOCK") for n in range(7)]
    write_rows(settings, Topic.DECISIONS, blocked, at=NOW - HOUR / 2)
    old = msgspec.structs.replace(entry(discarded_old=5), committed_at=NOW - 2 * HOUR)
    write_entries(settings, [old, msgspec.structs.replace(entry(discarded_new=3), committed_at=NOW)])
    move(settings, LAKE, fraudulent_transactions_result=2, users=1)
    return settings


def test_a_reader_stands_where_its_group_has_committed(filled: Settings) -> None:
    lake, documents = views.readers(filled)[Topic.RESULT]
    assert (lake.stage, lake.lag, lake.held, lake.behind_begin) == ("lake", 3, 5, 2)
    assert lake.oldest_unread == NOW - 2 * HOUR
    assert not lake.is_cut_by_size
    assert (documents.stage, documents.lag, documents.oldest_unread) == ("documents", 5, NOW - 3 * HOUR)


def test_a_marker_is_no_record_that_waits(filled: Settings) -> None:
    lake, _ = views.readers(filled)[Topic.USERS]
    assert (lake.lag, lake.oldest_unread) == (1, None)


def test_a_place_beyond_the_topic_is_lost(filled: Settings) -> None:
    move(filled, DOCUMENTS, decisions=10_000)
    documents = views.readers(filled)[Topic.DECISIONS][1]
    assert (documents.lost, documents.oldest_unread is None) == ([0], False)


def test_retention_is_what_the_broker_says(filled: Settings) -> None:
    found = views.retentions(filled, [Topic.RESULT, Topic.BANK_TRANSACTIONS])
    assert found == {Topic.RESULT: None, Topic.BANK_TRANSACTIONS: 30 * 86400.0}


def test_the_newest_event_counts_by_its_own_time(filled: Settings) -> None:
    write(filled, Topic.FRAUDULENT, [b"x", b"y"], at=NOW - 5 * HOUR)
    move(filled, PROJECTION, fraudulent_transactions=1)
    found = views.newest(filled, [Topic.RESULT, Topic.BANK_TRANSACTIONS], [Topic.BANK_TRANSACTIONS])
    assert (found[Topic.RESULT].at, found[Topic.RESULT].waits_since) == (NOW - HOUR, NOW - 5 * HOUR)
    assert (found[Topic.RESULT].end, found[Topic.RESULT].is_input) == (5, False)
    assert found[Topic.BANK_TRANSACTIONS] == Newest(at=None, is_input=True, is_expected=True)


def test_samples_are_rows_or_the_reason_why_not(filled: Settings) -> None:
    found = views.samples(filled, [Topic.RESULT])[Topic.RESULT]
    assert [each.row and each.row["TRANSACTION_ID"] for each in found] == ["t-1", "t-2", "t-3", None]
    assert (found[3].fault, found[3].partition, found[3].offset) == ("invalid-avro", 0, 3)


def test_the_ledger_is_read_for_an_hour_only(filled: Settings) -> None:
    found = views.ledger_outcomes(filled, now=NOW + HOUR / 2)
    assert (found.evaluations, found.fates["ingestion"].read) == ({"new": 3}, 3)
    longer = views.ledger_outcomes(filled, now=NOW + HOUR / 2, evaluations_since=NOW - 3 * HOUR)
    assert (longer.evaluations, longer.fates) == ({"new": 3, "old": 5}, found.fates)


def test_a_ledger_that_cannot_be_read_in_time_gives_no_verdict(
    filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "_LEDGER_LIMIT", 1)
    with pytest.raises(BrokerUnavailable, match=r"could not be read to its end in time: \d+ offsets are left"):
        views.ledger_outcomes(filled, now=NOW, evaluations_since=NOW - 3 * HOUR)


def test_decisions_are_sampled_by_event_time(filled: Settings) -> None:
    recent, usual = views.mixes(filled, now=NOW)
    assert recent == Mix({"BLOCK": 7}, {"v1": 7})
    assert usual == Mix({"ALLOW": 30}, {"v1": 30})


def test_every_check_can_be_evaluated_on_a_real_platform(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fraud_platform.quality.checks.expected_inputs", lambda settings, instance: [])
    move(filled, DOCUMENTS, decisions=10_000)
    checks = [asset_checks(group, settings=lambda: filled, clock=lambda: NOW) for group in GROUPS]
    job = dg.define_asset_job("checks", selection=dg.AssetSelection.checks(*checks))
    defs = dg.Definitions(asset_checks=checks, jobs=[job], executor=dg.in_process_executor)
    with dg.DagsterInstance.ephemeral() as instance:
        done = defs.resolve_job_def("checks").execute_in_process(instance=instance)
    failed = {f"{e.asset_key.path[-1]}:{e.check_name}" for e in done.get_asset_check_evaluations() if not e.passed}
    assert "fraudulent-transactions-result:records_match_schema" in failed
    assert "decisions:retention_leaves_time" in failed
    assert len(done.get_asset_check_evaluations()) == sum(len(group.specs) for group in GROUPS)
