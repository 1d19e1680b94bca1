"""Do sampled records match their schema, are their fields plausible, are their ids single? Pure."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from fraud_platform.core.evaluation import FRAUDULENT, UNIDENTIFIED
from fraud_platform.core.transaction import is_iso8601
from fraud_platform.quality.drift import ACTIONS
from fraud_platform.quality.verdict import Fact, Verdict
from fraud_platform.topology import STAGES, Topic

REPEATS_SHARE = 0.02
"""Banks retry: so many of the sampled ids may come again."""
_SHOWN = 5
_LEAP = timedelta(minutes=5)
_TOKEN_PREFIX = "tok_"  # noqa: S105 - the mark of a token, none itself

Row = Mapping[str, Any]
Test = Callable[[Row, datetime], bool]
"""Of a row, at a moment."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """One sampled record: where it lies, and its fields, or why it cannot be decoded."""

    partition: int
    offset: int
    row: Row | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """What every row must fulfil; `words` complete "a row whose ..."."""

    words: str
    holds: Test


def _filled(*names: str) -> list[Rule]:
    return [Rule(f"{name} is empty", partial(_is_filled, name)) for name in names]


def _is_filled(name: str, row: Row, _: datetime) -> bool:
    return bool(row.get(name))


def _amount(name: str) -> Rule:
    return Rule(f"{name} is no amount of 0 or more", lambda row, _: _is_amount(row.get(name)))


def _is_amount(value: object) -> bool:
    return isinstance(value, Decimal) and value.is_finite() and value >= 0


def _date(name: str) -> Rule:
    return Rule(f"{name} is not ISO 8601", lambda row, _: is_iso8601(str(row.get(name))))


def _one_of(name: str, *values: str) -> Rule:
    return Rule(f"{name} is none of {', '.join(values)}", lambda row, _: row.get(name) in values)


def _is_token(value: object) -> bool:
    return value is None or str(value).startswith(_TOKEN_PREFIX)


def _transfer(evaluation: str) -> list[Rule]:
    parties = ("sender_details", "receiver_details")
    return [
        *_filled("transaction_id", "sender_bank_account", "receiver_bank_account"),
        _amount("amount"),
        _date("transfer_date"),
        _one_of("evaluation", evaluation),
        Rule("ssn is no token", lambda row, _: all(_is_token((row.get(p) or {}).get("ssn")) for p in parties)),
    ]


def _is_consistent(row: Row, _: datetime) -> bool:
    """An action other than ALLOW has a rule behind it; a foreign validator names none."""
    return row.get("action") == "ALLOW" or bool(row.get("hits")) or row.get("rule_set_version") == "external"


def _is_past(value: object, now: datetime) -> bool:
    return isinstance(value, datetime) and value <= now + _LEAP


RULES: Mapping[Topic, Sequence[Rule]] = {
    Topic.FRAUDULENT: _transfer(FRAUDULENT),
    Topic.UNIDENTIFIED: _transfer(UNIDENTIFIED),
    Topic.RESULT: [
        *_filled("TRANSACTION_ID", "SENDER_BANK_ACCOUNT", "RECEIVER_BANK_ACCOUNT", "SENDER_ID", "RECEIVER_ID"),
        _amount("AMOUNT"),
        _date("TRANSFER_DATE"),
        _one_of("EVALUATION", FRAUDULENT),
        _one_of("SOURCE_PROCESS", "projection", "validation"),
    ],
    Topic.USERS: [
        *_filled("ID"),
        _one_of("SOURCE_PROCESS", "projection", "validation"),
        Rule("SSN is no token", lambda row, _: _is_token(row.get("SSN"))),
    ],
    Topic.MONITORED: [
        *_filled("transactionId", "accountNumber", "bankId", "hits", "monitoringCriteriaType"),
        *map(_amount, ("depositAmount", "withdrawalAmount")),
        _date("transactionTimestamp"),
        _one_of("monitorAction", *ACTIONS),
    ],
    Topic.DECISIONS: [
        *_filled("transaction_id", "rule_set_version"),
        _one_of("stage", *STAGES),
        _one_of("action", *ACTIONS),
        Rule("decided_at lies in the future", lambda row, now: _is_past(row.get("decided_at"), now)),
        Rule("action has no rule behind it", _is_consistent),
    ],
}


def match_schema(topic: str, sample: Sequence[Sampled]) -> Verdict:
    """Whether every sampled record can be read with the topic's own schema."""
    bad = [each for each in sample if each.row is None]
    facts: dict[str, Fact] = {"records_sampled": len(sample), "records_unreadable": len(bad)}
    if not bad:
        seen = f"Each of the {len(sample):,} newest records matches the schema of {topic}."
        return Verdict(passed=True, description=seen if sample else f"{topic} holds no record yet.", facts=facts)
    reasons = ", ".join(f"{fault} ({count:,})" for fault, count in Counter(each.fault for each in bad).most_common(3))
    return Verdict(
        passed=False,
        description=(
            f"{len(bad):,} of the {len(sample):,} newest records of {topic} cannot be read with its schema: {reasons};"
            f" for example {_places(topic, bad)}. Find out who else writes it; the sinks dead-letter such records."
        ),
        facts=facts,
    )


def are_plausible(topic: Topic, sample: Sequence[Sampled], *, now: datetime) -> Verdict:
    """Whether no required field is empty, and every value lies in its range."""
    broken: dict[str, list[Sampled]] = {}
    rows = [each for each in sample if each.row is not None]
    for rule in RULES[topic]:
        if found := [each for each in rows if not _holds(rule, each.row or {}, now)]:
            broken[rule.words] = found
    facts: dict[str, Fact] = {"rows_checked": len(rows), "rules_checked": len(RULES[topic])}
    if not broken:
        seen = f"{len(rows):,} rows keep all {len(RULES[topic])} rules." if rows else f"{topic} holds no record yet."
        return Verdict(passed=True, description=seen, facts=facts)
    words, worst = max(broken.items(), key=lambda each: len(each[1]))
    said = "; ".join(f"{name} ({len(found):,})" for name, found in list(broken.items())[:_SHOWN])
    return Verdict(
        passed=False,
        description=(
            f"Some of {len(rows):,} rows of {topic} are not plausible: {said}. Where {words}: {_places(topic, worst)}."
            f" `fraud-platform topic {topic} --envelope` shows them; whoever writes them past the stages must stop."
        ),
        facts=facts | {"rules_broken": len(broken)},
    )


def _holds(rule: Rule, row: Row, now: datetime) -> bool:
    try:
        return rule.holds(row, now)
    except (TypeError, ValueError, AttributeError):
        return False


def are_single(topic: str, sample: Sequence[Sampled], ids: Sequence[str]) -> Verdict:
    """Whether few of the sampled ids come again."""
    found = [tuple(str(each.row.get(name)) for name in ids) for each in sample if each.row is not None]
    repeats = len(found) - len(set(found))
    facts: dict[str, Fact] = {"ids_sampled": len(found), "ids_repeated": repeats}
    if repeats <= REPEATS_SHARE * len(found):
        return Verdict(
            passed=True, description=f"{repeats:,} of {len(found):,} ids come again; views hold each once.", facts=facts
        )
    return Verdict(
        passed=False,
        is_warning=True,
        description=(
            f"{repeats:,} of the {len(found):,} newest ids of {topic} come again ({100 * repeats / len(found):.3g} %)."
            " Views and MongoDB hold the newest of each, so no query counts twice; ask which bank sends its transfers"
            " again, or which file was sent twice."
        ),
        facts=facts,
    )


def _places(topic: str, found: Sequence[Sampled]) -> str:
    """Where they lie; an offset tells nothing about a person."""
    return ", ".join(f"{topic}/{each.partition}@{each.offset:,}" for each in found[:_SHOWN])
