"""What the records of a transaction mean."""

from collections.abc import Mapping
from typing import Any

import pytest

from fraud_platform.topology import STAGES, Topic
from fraud_platform.trace import way
from fraud_platform.trace.seen import Document, Finds, Seen
from fraud_platform.trace.way import Explanation, explained

AT = 1_767_268_800_000
FAR = {name: {(topic, p): 100 for topic in stage.reads for p in range(4)} for name, stage in STAGES.items()}
"""Every stage has read all."""


def seen(where: Topic, number: int = 1, at_ms: int = AT, slot: int = 0, /, **facts: Any) -> Seen:
    return Seen(where, slot, number, at_ms, facts)


def decision(stage: str, action: str, *rules: str, **changes: Any) -> dict[str, Any]:
    hits = [{"rule_id": rule} for rule in rules]
    return {"stage": stage, "action": action, "hits": hits, "rule_set_version": "v1"} | changes


def letter(of: Seen, stage: str, why: str = "schema: `$.amount` is missing") -> Seen:
    return seen(
        Topic.DEAD_LETTERS, 9, AT + 5, stage=stage, topic=of.topic, partition=of.partition, offset=of.offset, why=why
    )


def story(*records: Seen, committed: Mapping[str, Any] = FAR, documents: tuple[Document, ...] = ()) -> Explanation:
    found = explained("t-1", Finds(records, documents, committed))
    assert found is not None
    return found


def outcomes(found: Explanation) -> dict[str, str]:
    return {step.stage: step.outcome for step in found.steps}


def test_what_nobody_has_seen_has_no_story() -> None:
    assert explained("t-1", Finds()) is None
    assert explained("t-1", Finds(documents=())) is None


def test_what_the_bank_calls_fraudulent_was_judged_by_no_rule() -> None:
    found = story(
        seen(Topic.BANK_TRANSACTIONS, evaluation="fraudulent"), seen(Topic.FRAUDULENT),
        seen(Topic.RESULT, source="projection"),
    )  # fmt: skip
    assert outcomes(found) == {
        "ingestion": "accepted.fraudulent", "projection": "accepted.projected", "lake": "stored", "documents": "stored",
    }  # fmt: skip
    assert found.verdict == ("The bank itself calls it fraudulent; no rule was asked.",)
    assert found.steps[0].wrote == ((Topic.FRAUDULENT, 0, 1),)


def test_what_the_rules_say_is_told_with_the_rules() -> None:
    found = story(
        seen(Topic.BANK_TRANSACTIONS, evaluation="unidentified"), seen(Topic.UNIDENTIFIED),
        seen(Topic.DECISIONS, **decision("validation", "BLOCK", "a", "b")), seen(Topic.RESULT, source="validation"),
    )  # fmt: skip
    assert found.verdict == ("BLOCK by the rules in validation: a, b.",)
    validation = next(step for step in found.steps if step.stage == "validation")
    assert (validation.outcome, validation.why) == ("accepted.fraudulent", "BLOCK")
    assert validation.wrote == ((Topic.RESULT, 0, 1), (Topic.DECISIONS, 0, 1))


def test_what_they_allow_is_discarded_with_its_decision() -> None:
    found = story(seen(Topic.UNIDENTIFIED), seen(Topic.DECISIONS, **decision("validation", "ALLOW")))
    assert outcomes(found)["validation"] == "discarded.legitimate"
    assert found.verdict == ("ALLOW by the rules in validation: no rule hit.",)


def test_a_validator_without_reasons_is_told_as_one() -> None:
    row = decision("validation", "REVIEW", "external", rule_set_version="external")
    assert story(seen(Topic.DECISIONS, **row)).verdict == ("REVIEW, said a validator that gives no reasons.",)


def test_what_the_bank_calls_something_else_is_discarded() -> None:
    found = story(seen(Topic.BANK_TRANSACTIONS, evaluation="legitimate"))
    assert outcomes(found) == {"ingestion": "discarded.evaluation:legitimate"}
    assert found.verdict == ("Discarded: the bank calls it legitimate, so nobody had to judge it.",)


def test_a_dead_letter_says_which_stage_and_why() -> None:
    bad = seen(Topic.BANK_TRANSACTIONS)
    found = story(bad, letter(bad, "ingestion"))
    assert outcomes(found) == {"ingestion": "dead-lettered"}
    assert found.verdict == ("It is a dead letter of ingestion: schema: `$.amount` is missing.",)


def test_a_dead_letter_whose_record_is_gone_is_told_too() -> None:
    gone = seen(Topic.BANK_TRANSACTIONS)
    assert story(letter(gone, "ingestion")).verdict == (
        "It is a dead letter of ingestion: schema: `$.amount` is missing.",
    )


def test_a_sink_that_cannot_store_a_row_is_told_apart_from_the_other() -> None:
    row = seen(Topic.RESULT, source="projection")
    assert outcomes(story(row, letter(row, "lake"))) == {"lake": "dead-lettered", "documents": "stored"}


def test_what_no_stage_has_read_waits() -> None:
    found = story(seen(Topic.BANK_TRANSACTIONS, 100, evaluation="fraudulent"))
    assert outcomes(found) == {"ingestion": "waiting"}
    assert found.verdict == ("It waits for ingestion.",)
    assert outcomes(story(seen(Topic.BANK_TRANSACTIONS), committed={})) == {"ingestion": "waiting"}


def test_an_output_that_is_not_found_is_not_guessed() -> None:
    found = story(seen(Topic.BANK_TRANSACTIONS, evaluation="unidentified"))
    assert outcomes(found) == {"ingestion": "unknown"}
    assert found.verdict == ("ingestion has read it; what it wrote was not found near its time.",)


def test_a_row_that_a_later_one_replaced_is_superseded_in_mongodb_alone() -> None:
    row, later = seen(Topic.RESULT, 1, source="projection"), Document(Topic.RESULT, 0, 5, {"source": "projection"})
    assert outcomes(story(row, documents=(later,))) == {"lake": "stored", "documents": "superseded"}


def test_decisions_of_two_stages_do_not_replace_each_other() -> None:
    mine = seen(Topic.DECISIONS, 1, **decision("validation", "ALLOW"))
    other = Document(Topic.DECISIONS, 0, 5, decision("monitoring", "BLOCK", "r"))
    found = story(mine, documents=(other,))
    assert outcomes(found)["documents"] == "stored"
    assert [each["stage"] for each in found.decisions] == ["validation", "monitoring"]


def test_each_copy_of_a_repeated_id_has_a_way_of_its_own() -> None:
    found = story(
        seen(Topic.BANK_TRANSACTIONS, 1, AT, evaluation="fraudulent"), seen(Topic.FRAUDULENT, 1, AT),
        seen(Topic.BANK_TRANSACTIONS, 2, AT + 9, evaluation="unidentified"), seen(Topic.UNIDENTIFIED, 1, AT + 9),
    )  # fmt: skip
    ingested = [step for step in found.steps if step.stage == "ingestion"]
    assert [(step.outcome, step.wrote[0][0]) for step in ingested] == [
        ("accepted.fraudulent", Topic.FRAUDULENT), ("accepted.unidentified", Topic.UNIDENTIFIED),
    ]  # fmt: skip


def monitored(read: Seen, *others: Seen) -> tuple[str, str, list[Seen]]:
    """What monitoring made of a line, whether or not it is among the stages."""
    return way._monitored(read, Finds((read, *others)))


def line(offset: int = 1, at_ms: int = AT, partition: int = 0, *, is_home: bool = True) -> Seen:
    return seen(Topic.STATEMENTS, offset, at_ms, partition, is_home=is_home)


HIT = seen(Topic.DECISIONS, **decision("monitoring", "REVIEW", "r"))


def test_a_statement_line_that_a_rule_hits_has_a_row_and_a_decision() -> None:
    row = seen(Topic.MONITORED, action="REVIEW")
    assert monitored(line(), HIT, row) == ("accepted.hit", "REVIEW", [row, HIT])


def test_one_that_no_rule_hits_has_a_decision_alone() -> None:
    clear = seen(Topic.DECISIONS, **decision("monitoring", "ALLOW"))
    assert monitored(line(), clear) == ("accepted.clear", "ALLOW", [clear])


def test_one_on_a_foreign_partition_was_sent_again_where_it_belongs() -> None:
    home = line(4, partition=2)
    assert monitored(line(is_home=False), home, HIT)[::2] == ("rekeyed", [home])


@pytest.mark.parametrize("at_ms", [AT, AT + 60_000])
def test_a_copy_is_a_duplicate_of_the_one_that_was_judged(at_ms: int) -> None:
    assert monitored(line(2, at_ms), line(1), HIT)[0] == "discarded.duplicate"


def test_without_any_decision_nothing_is_said_of_it() -> None:
    assert monitored(line())[0] == "unknown"
