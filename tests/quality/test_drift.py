"""The mix of decisions, compared with the day before."""

import pytest

from fraud_platform.quality.drift import Mix, is_steady, psi


def mix(allow: int, review: int, block: int, *, version: str = "v1") -> Mix:
    return Mix({"ALLOW": allow, "REVIEW": review, "BLOCK": block}, {version: 1})


def test_the_same_mix_has_an_index_of_nearly_nothing() -> None:
    assert psi({"a": 50, "b": 50}, {"a": 500, "b": 500}) == pytest.approx(0, abs=1e-6)


def test_the_index_is_the_textbooks() -> None:
    """(0.6 - 0.5) ln(0.6 / 0.5) + (0.4 - 0.5) ln(0.4 / 0.5) = 0.0405."""
    assert psi({"a": 60_000, "b": 40_000}, {"a": 50_000, "b": 50_000}) == pytest.approx(0.0405, abs=1e-4)


def test_the_index_knows_no_direction() -> None:
    one, other = {"a": 900, "b": 100}, {"a": 500, "b": 500}
    assert psi(one, other) == pytest.approx(psi(other, one))


def test_an_action_that_is_new_is_no_division_by_nothing() -> None:
    assert 0.25 < psi({"ALLOW": 700, "BLOCK": 300}, {"ALLOW": 1000}) < 10


@pytest.mark.parametrize(
    ("recent", "usual", "passed"),
    [
        (mix(0, 0, 0), mix(0, 0, 0), True),
        (mix(0, 0, 199), mix(1000, 0, 0), True),
        (mix(0, 0, 500), mix(199, 0, 0), True),
        (mix(920, 50, 30), mix(9200, 500, 300), True),
        (mix(900, 60, 40), mix(9200, 500, 300), True),
        (mix(600, 100, 300), mix(9200, 500, 300), False),
        (mix(1000, 0, 0), mix(5000, 3000, 2000), False),
    ],
    ids=["nothing", "few now", "few before", "the same", "nearly", "many more blocks", "none any more"],
)
def test_a_large_change_of_the_mix_is_a_warning(recent: Mix, usual: Mix, passed: bool) -> None:
    verdict = is_steady(recent, usual)
    assert verdict.passed is passed
    assert verdict.is_warning is not passed


def test_a_drift_names_both_mixes() -> None:
    verdict = is_steady(mix(600, 100, 300), mix(9200, 500, 300))
    assert "ALLOW 92 % → 60 %, REVIEW 5 % → 10 %, BLOCK 3 % → 30 %" in verdict.description
    assert "The rule set is the same" in verdict.description
    assert verdict.facts["share_block"] == 0.3


def test_a_drift_after_a_change_of_rules_names_the_new_version() -> None:
    verdict = is_steady(mix(600, 100, 300, version="v2"), mix(9200, 500, 300))
    assert "The rule set changed to v2: see whether that was meant so." in verdict.description
