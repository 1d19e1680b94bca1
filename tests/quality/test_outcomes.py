"""Dead letters, and evaluations that nobody has seen before."""

from collections.abc import Collection, Mapping

import pytest

from fraud_platform.core.ledger import Entry, InputRange
from fraud_platform.quality.outcomes import (
    Fate,
    Outcomes,
    dead_letters_are_few,
    evaluations_are_known,
)
from tests.quality.makers import NOW


def entry(stage: str = "ingestion", **outcomes: int) -> Entry:
    read = sum(outcomes.values())
    named = {name.replace("discarded_", "discarded.evaluation:").replace("_", "-"): n for name, n in outcomes.items()}
    return Entry(stage, f"{stage}.0", "r", "v", NOW, (InputRange("t", 0, 0, read, read),), named)


def outcomes(*entries: Entry) -> Outcomes:
    found = Outcomes()
    for each in entries:
        found.add_fate(each)
        found.add_evaluations(each)
    return found


def test_the_ledger_says_what_was_read_and_what_died() -> None:
    found = outcomes(entry(dead_lettered=3, discarded_legal=7), entry(discarded_x=10), entry("lake", stored=5))
    assert found.fates == {"ingestion": Fate(20, 3), "lake": Fate(5, 0)}


def test_the_ledger_names_discarded_evaluations() -> None:
    assert outcomes(entry(discarded_FRAUD=2), entry(discarded_FRAUD=1, stored=4)).evaluations == {"FRAUD": 3}


@pytest.mark.parametrize(
    ("found", "passed", "is_warning"),
    [
        ({}, True, False),
        ({"ingestion": Fate(0, 0)}, True, False),
        ({"ingestion": Fate(1000, 9)}, True, False),
        ({"ingestion": Fate(1000, 10)}, False, False),
        ({"ingestion": Fate(50, 1)}, False, True),
        ({"ingestion": Fate(10_000, 1), "lake": Fate(100, 50)}, False, False),
    ],
    ids=["nothing", "idle", "few", "many", "one of fifty", "in one stage"],
)
def test_dead_letters_are_few(found: Mapping[str, Fate], passed: bool, is_warning: bool) -> None:
    verdict = dead_letters_are_few(found, percent=1.0)
    assert (verdict.passed, verdict.is_warning) == (passed, is_warning)


def test_many_dead_letters_name_the_stage_and_where_to_look() -> None:
    verdict = dead_letters_are_few({"ingestion": Fate(1000, 25), "lake": Fate(9000, 1)}, percent=1.0)
    assert "ingestion 2.5 % (25); 1 % are allowed" in verdict.description
    assert "lake" not in verdict.description
    assert "fraud-platform topic dead-letters --envelope" in verdict.description


@pytest.mark.parametrize(
    ("found", "known", "passed"),
    [
        ({}, [], True),
        ({"legitimate": 5}, [], True),
        ({"legal": 5}, ["legal"], True),
        ({}, ["legal"], True),
        ({"FRAUD": 1}, ["legal"], False),
        ({"FRAUD": 1, "legitimate": 5}, [], False),
    ],
    ids=["nothing yet", "the ordinary", "as ever", "none now", "a new one", "new at the first look"],
)
def test_a_new_evaluation_is_told(found: Mapping[str, int], known: Collection[str], passed: bool) -> None:
    verdict = evaluations_are_known(found, known)
    assert verdict.passed is passed
    assert verdict.is_warning is not passed


def test_a_new_evaluation_is_named_counted_and_remembered() -> None:
    verdict = evaluations_are_known({"FRAUD": 1200, "legitimate": 5}, ["legitimate", "test"])
    assert "discarded: FRAUD (1,200)" in verdict.description
    assert verdict.facts["values_seen"] == "FRAUD,legitimate,test"


def test_what_is_known_stays_known_however_much_is_new() -> None:
    known = [f"old{n:03d}" for n in range(150)]
    verdict = evaluations_are_known({f"new{n:03d}": 1 for n in range(150)}, known)
    values = str(verdict.facts["values_seen"]).split(",")
    assert set(known) < set(values)
    assert len(values) == 200
