"""Sampled records against schema, ranges and ids."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from fraud_platform.core.statement import Statement, parse_statement, to_row
from fraud_platform.quality.records import RULES, are_plausible, are_single, match_schema
from fraud_platform.topology import TOPICS, Topic
from tests.builders import raw_line
from tests.quality.makers import NOW, sampled
from tests.rows import decision, result, user


def transfer(**changes: Any) -> dict[str, Any]:
    party = {"id": "u-1", "ssn": "tok_1a2b_" + "0" * 64}
    return {
        "transaction_id": "t-1",
        "sender_bank_account": "ACC-1",
        "sender_details": party,
        "receiver_bank_account": "ACC-2",
        "receiver_details": {**party, "ssn": None},
        "amount": Decimal("12.5"),
        "evaluation": "fraudulent",
        "transfer_date": "2026-01-01",
    } | changes


def judged(**changes: Any) -> dict[str, Any]:
    return decision(decided_at=NOW, **changes)


def monitored(**changes: Any) -> dict[str, Any]:
    line = parse_statement(raw_line())
    assert isinstance(line, Statement)
    hit = {"rule_id": "r", "criterion": "SMALL_INTERVAL", "action": "REVIEW"}
    reasons = {"hitStatus": ["HIT"], "monitorAction": "REVIEW", "monitoringCriteriaType": ["SMALL_INTERVAL"]}
    return {**to_row(line), **reasons, "hits": [hit]} | changes


GOOD = {
    Topic.FRAUDULENT: transfer(),
    Topic.UNIDENTIFIED: transfer(evaluation="unidentified"),
    Topic.RESULT: result(),
    Topic.USERS: user(),
    Topic.MONITORED: monitored(),
    Topic.DECISIONS: judged(),
}


def test_every_topic_of_rows_has_rules() -> None:
    assert set(RULES) == {topic for topic, spec in TOPICS.items() if spec.schema and topic is not Topic.LEDGER}
    assert GOOD.keys() == RULES.keys()


@pytest.mark.parametrize("topic", RULES)
def test_what_the_stages_write_is_plausible(topic: Topic) -> None:
    assert are_plausible(topic, sampled(GOOD[topic]), now=NOW).passed


@pytest.mark.parametrize(
    ("topic", "row", "said"),
    [
        (Topic.FRAUDULENT, transfer(transaction_id=""), "transaction_id is empty"),
        (Topic.FRAUDULENT, transfer(evaluation="unidentified"), "evaluation is none of fraudulent"),
        (Topic.FRAUDULENT, transfer(amount=Decimal(-1)), "amount is no amount of 0 or more"),
        (Topic.FRAUDULENT, transfer(amount=None), "amount is no amount of 0 or more"),
        (Topic.FRAUDULENT, transfer(transfer_date="yesterday"), "transfer_date is not ISO 8601"),
        (
            Topic.UNIDENTIFIED,
            transfer(evaluation="unidentified", sender_details={"ssn": "900-12-3456"}),
            "ssn is no token",
        ),
        (Topic.RESULT, result(AMOUNT=Decimal("NaN")), "AMOUNT is no amount"),
        (Topic.RESULT, result(SENDER_ID=None), "SENDER_ID is empty"),
        (Topic.RESULT, result(SOURCE_PROCESS="me"), "SOURCE_PROCESS is none of projection, validation"),
        (Topic.RESULT, {}, "TRANSACTION_ID is empty"),
        (Topic.USERS, user(SSN="900-12-3456"), "SSN is no token"),
        (Topic.USERS, user(""), "ID is empty"),
        (Topic.MONITORED, monitored(hits=[]), "hits is empty"),
        (Topic.MONITORED, monitored(depositAmount=Decimal(-1)), "depositAmount is no amount of 0 or more"),
        (Topic.MONITORED, monitored(monitorAction="HOLD"), "monitorAction is none of ALLOW, REVIEW, BLOCK"),
        (Topic.DECISIONS, judged(action="MAYBE", hits=[1]), "action is none of ALLOW, REVIEW, BLOCK"),
        (Topic.DECISIONS, judged(action="BLOCK"), "action has no rule behind it"),
        (Topic.DECISIONS, decision(decided_at=NOW + timedelta(hours=1)), "decided_at lies in the future"),
        (Topic.DECISIONS, decision(decided_at=None), "decided_at lies in the future"),
        (Topic.DECISIONS, judged(stage="nobody"), "stage is none of"),
    ],
)
def test_what_is_not_plausible_is_named_by_field_and_place(topic: Topic, row: dict[str, Any], said: str) -> None:
    verdict = are_plausible(topic, sampled(GOOD[topic], row, row), now=NOW)
    assert not verdict.passed
    assert said in verdict.description
    assert " (2). Where " in verdict.description
    assert f"{topic}/2@1, {topic}/2@2" in verdict.description
    assert f"fraud-platform topic {topic} --envelope" in verdict.description


def test_no_value_of_a_record_is_told() -> None:
    bad = transfer(
        amount="1234567", transfer_date="born 1990-05-17", sender_bank_account="", evaluation="ada@bank.example"
    )
    verdict = are_plausible(Topic.FRAUDULENT, sampled(bad), now=NOW)
    assert verdict.facts["rules_broken"] == 4
    assert not [secret for secret in ("1234567", "1990", "ada@") if secret in verdict.description]


def test_an_external_validators_review_needs_no_rule() -> None:
    row = judged(action="REVIEW", rule_set_version="external")
    assert are_plausible(Topic.DECISIONS, sampled(row), now=NOW).passed


@pytest.mark.parametrize("topic", RULES)
def test_an_empty_topic_passes(topic: Topic) -> None:
    verdicts = are_plausible(topic, [], now=NOW), match_schema(topic, []), are_single(topic, [], ["ID"])
    assert all(verdict.passed for verdict in verdicts)


def test_unreadable_records_are_counted_by_reason_and_place() -> None:
    verdict = match_schema("users", sampled(user(), None, None))
    assert not verdict.passed
    assert "2 of the 3 newest records of users cannot be read" in verdict.description
    assert "schema-mismatch (2); for example users/2@1, users/2@2" in verdict.description
    assert verdict.facts == {"records_sampled": 3, "records_unreadable": 2}


def test_readable_records_match() -> None:
    assert match_schema("users", sampled(user(), user())).passed


def test_unreadable_records_are_no_matter_of_ranges_or_ids() -> None:
    assert are_plausible(Topic.USERS, sampled(None), now=NOW).passed
    assert are_single("users", sampled(None, None), ["ID"]).passed


@pytest.mark.parametrize(("repeats", "passed"), [(0, True), (2, True), (3, False), (99, False)])
def test_a_bank_may_repeat_itself_a_little(repeats: int, passed: bool) -> None:
    rows = [result(f"t-{max(n, repeats)}") for n in range(100)]
    verdict = are_single("x", sampled(*rows), ["TRANSACTION_ID"])
    assert (verdict.passed, verdict.facts["ids_repeated"]) == (passed, repeats)
    assert passed or verdict.is_warning


def test_an_id_may_have_two_parts() -> None:
    rows = [judged(stage="validation"), judged(stage="lake")]
    assert are_single("decisions", sampled(*rows), TOPICS[Topic.DECISIONS].ids).facts["ids_repeated"] == 0
