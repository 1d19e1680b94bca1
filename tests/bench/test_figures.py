"""The benchmarks' own arithmetic; nothing here measures."""

import math

import pytest

from fraud_platform.topology import Topic
from tests.bench.__main__ import BENCHMARKS
from tests.bench.figures import Run, cpu_ratio, percentile, rate_ratio, runs_table, slope, verdict
from tests.bench.latency import INPUT, MONGODB, report, transaction_id
from tests.bench.place import machine, transfers

FAST, SLOW = Run(1000, 1.0, 0.5), Run(1000, 4.0, 1.0)


def test_a_run_knows_its_rate_and_its_cost() -> None:
    assert (SLOW.rate, SLOW.cpu_us) == (250, 1000)


def test_rounds_are_compared_with_their_neighbours() -> None:
    """A slow round slows both; only the pairs are comparable."""
    assert rate_ratio([FAST, SLOW, FAST], [SLOW, SLOW, SLOW]) == 4
    assert cpu_ratio([FAST, FAST], [SLOW, SLOW]) == 2


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 2), (0.51, 3), (0.99, 4), (1.0, 4)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile([4, 2, 1, 3], share) == value


def test_nothing_has_no_percentile() -> None:
    assert math.isnan(percentile([], 0.5))


def test_a_verdict_says_whether_the_target_is_met() -> None:
    assert "target >= 4: met" in verdict("ratio", 4.0, 4)
    assert "MISSED" in verdict("loss", 0.2, 0.1, at_least=False)


def test_growth_is_the_slope_of_a_line() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == 2
    assert slope([(1, 1)]) == 0


def test_the_table_has_a_line_per_contestant() -> None:
    lines = runs_table({"ours": [FAST], "theirs": [SLOW]}).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["ours", "theirs"]


def test_the_last_window_is_judged_and_its_steps_add_up_to_the_whole() -> None:
    seen = {"sent": {"a": 100.0, "cold": 6.0}, INPUT: {"a": 100.01}, "routed": {"a": 100.03}, "judged": {"a": 100.06}}
    lines = report({**seen, MONGODB: {"a": 100.1, "cold": 7.0}}, begun=5.0)
    assert "each 30 s: 1000, nan, nan, 100; of the last:" in lines[0]
    assert lines[1].strip().startswith("1 of 1 transfers")
    found = {line.rsplit(maxsplit=2)[0].strip(): line.split()[-2] for line in lines[3:8]}
    assert [round(float(each)) for each in found.values()] == [10, 20, 30, 40, 100]
    assert "p50: 100 ms (target <= 120 ms: met)" in lines[8]


def test_the_id_of_a_transfer_is_found_wherever_it_is() -> None:
    assert transaction_id(b"k", b'{"transaction_id":"t-1"}', INPUT) == "t-1"
    assert transaction_id(b"k", b"\x00\x00\x00\x00\x01\x06t-1rest", "routed") == "t-1"
    assert transaction_id(b"t-1", None, "judged") == "t-1"


def test_the_same_seed_gives_the_same_people() -> None:
    assert [key for key, _ in transfers(5)] == [key for key, _ in transfers(5)]


def test_the_machine_is_named_in_one_line() -> None:
    assert "cores" in machine()
    assert "\n" not in machine()


def test_each_benchmark_says_what_it_measures() -> None:
    assert all(benchmark.__doc__ for benchmark in BENCHMARKS.values())
    assert {Topic.BANK_TRANSACTIONS} == {INPUT}
