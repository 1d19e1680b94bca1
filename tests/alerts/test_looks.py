"""What counts as trouble: the pure part of each look, by tables."""

from collections.abc import Sequence

import dagster as dg
import pytest

from fraud_platform.alerts import dead_letters, failed_runs, failing_checks, lag, slots, stale, validator
from fraud_platform.alerts.book import MAX_TEXT, MAX_TITLE
from fraud_platform.alerts.failed_runs import Kind, LastRuns
from fraud_platform.alerts.failing_checks import Failed
from fraud_platform.alerts.lag import Backlog
from fraud_platform.alerts.problem import Problem, Severity
from fraud_platform.alerts.slots import StageSlots
from fraud_platform.alerts.stale import Flow, Still
from fraud_platform.alerts.tally import Count, Tally
from fraud_platform.topology import Topic
from tests.alerts.makers import T0


def keys(problems: Sequence[Problem]) -> list[str]:
    for each in problems:
        assert len(each.title) <= MAX_TITLE
        assert 20 < len(each.text) <= MAX_TEXT
    return [each.key for each in problems]


# Runs -----------------------------------------------------------------------------------------------


def last(**changes) -> LastRuns:
    usual = {
        "name": "crawl", "kind": Kind.JOB, "run_id": "0a1b2c3d-4e5f", "failed_at": T0 - 600, "reason": "",
        "has_recovered": False,
    }  # fmt: skip
    return LastRuns(**usual | changes)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (last(), ["run:crawl"]),
        (last(has_recovered=True), []),
        (last(has_recovered=True, failed_at=T0 - 30), ["run:crawl"]),
        (last(name="lake.0", kind=Kind.SLOT), ["run:lake.0"]),
        (last(name="users 2026-01-01", kind=Kind.AD_HOC), ["run:ad-hoc:users 2026-01-01"]),
    ],
    ids=["nothing made it good", "made good", "made good between two looks", "a slot", "ad hoc"],
)
def test_a_failed_run_is_a_problem_until_another_succeeds(found: LastRuns, expected: list[str]) -> None:
    assert keys(failed_runs.judge([found], now=T0)) == expected


def test_a_failed_run_says_which_and_our_own_reason() -> None:
    (problem,) = failed_runs.judge([last(reason="FRAUD_VALIDATOR_URL answers 404.")], now=T0)
    assert problem.title == ("A run of the job crawl failed at 2026-01-01 11:50:00Z (FRAUD_VALIDATOR_URL answers 404)")
    assert "Run 0a1b2c3d in Dagster" in problem.text


# Slots ----------------------------------------------------------------------------------------------


def stage(**changes) -> StageSlots:
    usual = {
        "stage": "lake",
        "is_on": True,
        "why_off": "",
        "wanted": ["lake.0", "lake.1"],
        "live": {"lake.0", "lake.1"},
    }
    return StageSlots(**usual | changes)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (stage(), []),
        (stage(live={"lake.1"}), ["slot:lake.0"]),
        (stage(live=set()), ["slot:lake.0", "slot:lake.1"]),
        (stage(live={"lake.0", "lake.1", "lake.drain"}), []),
        (stage(is_on=False, live=set()), []),
        (stage(is_on=False, why_off="lake.0 cannot work: no bucket.", live=set()), ["stage:lake"]),
        (stage(live=None), ["kafka"]),
    ],
    ids=["well", "one is down", "both", "a drain beside", "stopped", "switched itself off", "unknown"],
)
def test_a_slot_that_is_wanted_and_empty_is_a_problem(seen: StageSlots, expected: list[str]) -> None:
    assert keys(slots.judge([seen]).problems) == expected


def test_an_empty_slot_is_given_the_time_that_its_keeper_needs() -> None:
    (problem,) = slots.judge([stage(live={"lake.0"})]).problems
    assert problem.hold_s == 60


def test_while_kafka_is_away_nothing_is_said_of_its_members() -> None:
    sight = slots.judge([stage(live=None), stage(stage="banks", wanted=["banks.0"], live=[])])
    assert keys(sight.problems) == ["kafka", "slot:banks.0"]
    assert sight.is_unsure("slot:lake.0")
    assert not sight.is_unsure("slot:banks.0")


def test_a_kafka_that_refuses_us_is_told_with_its_sentence() -> None:
    seen = [stage(live=None), stage(stage="banks", is_on=False, why_off="banks.0 cannot work.", live=[])]
    refused, off = slots.judge(seen, "Kafka refuses the user.").problems
    assert (refused.key, refused.title) == ("kafka", "Kafka refuses us")
    assert refused.text.startswith("Kafka refuses the user. The stages wait")
    assert off.key == "stage:banks"


@pytest.mark.parametrize(
    ("why", "severity"),
    [
        ("lake.0 cannot work: no bucket.", Severity.ERROR),
        ("lake.0 was cancelled by an operator; switch this sensor on to start it again.", Severity.WARNING),
    ],
)
def test_what_an_operator_did_is_a_warning_only(why: str, severity: Severity) -> None:
    (problem,) = slots.judge([stage(is_on=False, why_off=why)]).problems
    assert problem.severity is severity


# Lag ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backlog", "expected"),
    [
        (Backlog(0), []),
        (Backlog(1), []),
        (Backlog(1000), []),
        (Backlog(1001), ["lag:validation"]),
        (Backlog(0, ["unidentified-transactions/2"]), ["lost:validation"]),
        (Backlog(5000, ["unidentified-transactions/2"]), ["lag:validation", "lost:validation"]),
    ],
)
def test_a_stage_may_be_so_far_behind_and_no_further(backlog: Backlog, expected: list[str]) -> None:
    assert keys(lag.judge({"ingestion": Backlog(7), "validation": backlog}, limit=1000)) == expected


def test_a_lag_names_its_size_and_the_way_out() -> None:
    (problem,) = lag.judge({"validation": Backlog(1_234_567)}, limit=1000)
    assert problem.title == "validation is 1,234,567 records behind its input"
    assert "FRAUD_REPLICAS=validation=N" in problem.text


# Dead letters ---------------------------------------------------------------------------------------


def tally(**counts: Count) -> Tally:
    return Tally(pieces={int(T0) - 600: counts})


@pytest.mark.parametrize(
    ("count", "severity"),
    [
        (Count(read=1000), None),
        (Count(read=1000, dead=1), Severity.WARNING),
        (Count(read=10, dead=9), Severity.WARNING),
        (Count(read=2000, dead=10), Severity.WARNING),
        (Count(read=1000, dead=10), Severity.ERROR),
        (Count(read=0, dead=50), Severity.ERROR),
    ],
)
def test_any_dead_letter_is_a_warning_and_many_an_error(count: Count, severity: Severity | None) -> None:
    problems = dead_letters.judge(tally(lake=Count(5), ingestion=count), percent=1.0, now=T0)
    assert keys(problems) == ([] if severity is None else ["dead-letters:ingestion"])
    assert [each.severity for each in problems] == ([] if severity is None else [severity])


def test_dead_letters_are_over_after_an_hour_without() -> None:
    assert dead_letters.judge(tally(ingestion=Count(10, 10)), percent=1.0, now=T0 + 3600) == []


def test_dead_letters_say_how_many_and_where() -> None:
    (problem,) = dead_letters.judge(tally(ingestion=Count(4000, 30)), percent=1.0, now=T0)
    assert problem.title == "ingestion could not use 30 of 4,000 records of the last hour (0.75 %)"
    assert "fraud-platform topic dead-letters --envelope" in problem.text


# Checks ---------------------------------------------------------------------------------------------


def test_a_failing_check_says_what_the_check_says() -> None:
    failed = [
        Failed(asset="kafka/users", check="records_match_schema", is_warning=False, description="Do this."),
        Failed(asset="kafka/users", check="ids_are_unique", is_warning=True, description=""),
    ]
    error, warning = failing_checks.judge(failed)
    assert (error.key, error.severity) == ("check:kafka/users:records_match_schema", Severity.ERROR)
    assert (error.title, error.text) == ("The check records_match_schema of kafka/users fails", "Do this.")
    assert (warning.severity, warning.text) == (Severity.WARNING, "Its page in Dagster says more.")


@pytest.mark.parametrize(
    ("topic", "name", "expected"),
    [
        ("users", "readers_keep_up", True),
        ("dead-letters", "dead_letters_are_few", True),
        ("bank-transactions", "events_are_recent", True),
        ("users", "events_are_recent", False),
        ("users", "retention_leaves_time", False),
    ],
)
def test_what_a_sensor_of_its_own_tells_is_not_told_twice(topic: str, name: str, *, expected: bool) -> None:
    assert failing_checks.has_sensor(dg.AssetCheckKey(dg.AssetKey(["kafka", topic]), name)) is expected


# Stale data -----------------------------------------------------------------------------------------


def stale_after(minutes: float, *flows: Flow) -> list[str]:
    """The problems after the flows were seen evenly over so many minutes."""
    stills: dict[str, Still] = {}
    for n, flow in enumerate(flows):
        now = T0 + n * 60 * minutes / (len(flows) - 1)
        stills = stale.remember(stills, flow, now=now)
    return keys(stale.judge(flows[-1], stills, limit_s=1800, now=now))


def flow(end: int = 10, position: int = 10, behind: int = 0) -> Flow:
    return Flow({Topic.BANK_TRANSACTIONS: end}, {"ingestion": {"bank-transactions/0": (position, behind)}})


@pytest.mark.parametrize(
    ("minutes", "flows", "expected"),
    [
        (29, [flow(), flow()], []),
        (30, [flow(), flow()], ["stale:bank-transactions"]),
        (30, [flow(end=0, position=0), flow(end=0, position=0)], []),
        (30, [flow(end=10), flow(end=11, position=11)], []),
        (30, [flow(end=20, behind=10), flow(end=30, behind=20)], ["stale:ingestion"]),
        (30, [flow(end=20, behind=10), flow(end=30, position=20, behind=10)], []),
        (60, [flow(end=20, position=5, behind=15), flow(end=25, position=10, behind=15), flow(end=25, behind=15)],
         ["stale:bank-transactions", "stale:ingestion"]),
    ],
    ids=["not yet", "quiet", "never had any", "fresh", "stuck", "slow", "quiet and stuck since the middle"],
)  # fmt: skip
def test_what_does_not_move_for_so_long_is_stale(minutes: float, flows: list[Flow], expected: list[str]) -> None:
    assert stale_after(minutes, *flows) == expected


def test_a_partition_that_is_stuck_is_not_hidden_by_those_that_move() -> None:
    def partitions(moving: int, behind: int) -> Flow:
        return Flow({}, {"lake": {"users/0": (7, 5), "users/1": (moving, behind)}})

    flows = [partitions(10, 0), partitions(500, 90), partitions(900, 20)]
    assert stale_after(40, *flows) == ["stale:lake"]
    stills = stale.remember({}, flows[0], now=T0 - 3600)
    (problem,) = stale.judge(flows[2], stale.remember(stills, flows[2], now=T0), limit_s=1800, now=T0)
    assert problem.title == "lake has made no progress for 1 h, with 5 records before it in users/0"


def test_the_first_record_after_a_quiet_time_is_not_late() -> None:
    assert stale_after(60, flow(position=10), flow(position=10), flow(end=11, position=10, behind=1)) == []


def test_a_stage_that_was_switched_off_in_between_begins_anew() -> None:
    off = Flow({Topic.BANK_TRANSACTIONS: 11}, {})
    assert stale_after(60, flow(behind=5), off, flow(end=12, behind=5)) == []


# Validator ------------------------------------------------------------------------------------------


def test_a_validator_that_does_not_answer_is_a_problem_after_a_minute() -> None:
    (problem,) = validator.judge(answers=False)
    assert (keys([problem]), problem.hold_s) == (["validator"], 60)
    assert validator.judge(answers=True) == []
