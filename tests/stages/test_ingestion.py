"""Ingestion over real Kafka and registry."""

import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from fraud_platform.runtime.drain import drain
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION, MAX_VALUE_BYTES, Topic
from tests.builders import party, raw
from tests.stages.flow import HOUR_AGO, ledger_of, rows, send, values

pytestmark = pytest.mark.services


def test_transfers_are_routed_by_the_banks_verdict_and_each_has_one_outcome(settings: Settings) -> None:
    verdicts = {"f": "fraudulent", "u": "unidentified", "l": "legitimate", "o": "FRAUD (certain)"}
    send(settings, Topic.BANK_TRANSACTIONS, [("ACC-1", raw(name, evaluation=v)) for name, v in verdicts.items()])
    report = drain(settings, INGESTION)
    assert (report.read, report.by_live_slots) == (4, False)
    assert dict(report.outcomes) == {
        "accepted.fraudulent": 1,
        "accepted.unidentified": 1,
        "discarded.evaluation:legitimate": 1,
        "discarded.evaluation:other": 1,
    }
    assert report.written == {"fraudulent-transactions": 1, "unidentified-transactions": 1}
    assert [value["transaction_id"] for value in values(settings, Topic.FRAUDULENT)] == ["f"]
    assert [value["transaction_id"] for value in values(settings, Topic.UNIDENTIFIED)] == ["u"]
    assert rows(settings, Topic.DEAD_LETTERS) == []


def test_a_bad_record_becomes_a_dead_letter_with_its_bytes_and_the_place_it_came_from(settings: Settings) -> None:
    bad = raw("t-canary", amount="-98765.4321", sender_details=party("u-1", ssn="111-22-3333"))
    send(settings, Topic.BANK_TRANSACTIONS, [("ACC-1", raw("good")), ("ACC-1", bad)], at_ms=HOUR_AGO)
    drain(settings, INGESTION)
    (letter,) = rows(settings, Topic.DEAD_LETTERS)
    (_, source) = rows(settings, Topic.BANK_TRANSACTIONS)
    assert (letter.key, letter.value) == (b"ACC-1", bad)
    assert HOUR_AGO < (letter.timestamp_ms or 0) <= time.time_ns() // 1_000_000
    assert dict(letter.headers) == {
        "stage": "ingestion",
        "topic": settings.naming.topic(Topic.BANK_TRANSACTIONS),
        "partition": str(source.partition),
        "offset": str(source.offset),
        "timestamp": str(HOUR_AGO),
        "error_type": "invalid-amount",
        "reason": "`$.amount` is negative",
    }


def test_rubbish_is_dead_lettered_alone(settings: Settings) -> None:
    rubbish = {
        None: "tombstone",
        b"": "invalid-json",
        b"\xff": "invalid-utf8",
        b'{"a":' * 60_000: "invalid-json",
        b" " * MAX_VALUE_BYTES + raw(): "too-large",
    }
    between = [(None, value) for bad in rubbish for value in (bad, raw("good"))]
    send(settings, Topic.BANK_TRANSACTIONS, [("k", raw("good")), *between, ("key", b"{")])
    assert dict(drain(settings, INGESTION).outcomes) == {"dead-lettered": 6, "accepted.fraudulent": 6}
    letters = rows(settings, Topic.DEAD_LETTERS)
    assert {letter.value: letter.headers["error_type"] for letter in letters} == rubbish | {b"{": "invalid-json"}
    assert {letter.value: letter.key for letter in letters} == dict.fromkeys(rubbish) | {b"{": b"key"}


def test_only_tokens_of_a_social_security_number_leave(settings: Settings) -> None:
    details = {
        "sender_details": party("u-1", ssn="111-22-3333"),
        "receiver_details": party("u-2", ssn="444-55-6666"),
    }
    transfers = [raw("f", **details), raw("n", evaluation="other", **details)]
    send(settings, Topic.BANK_TRANSACTIONS, [("k", transfer) for transfer in transfers])
    drain(settings, INGESTION)
    (value,) = values(settings, Topic.FRAUDULENT)
    expected = hmac.new(b"a key for tests", b"111-22-3333", hashlib.sha256).hexdigest()
    prefix, key_id, digest = value["sender_details"]["ssn"].split("_")
    assert (prefix, len(key_id), digest) == ("tok", 8, expected)
    assert value["receiver_details"]["ssn"] != value["sender_details"]["ssn"]
    for topic in (Topic.FRAUDULENT, Topic.UNIDENTIFIED, Topic.LEDGER, Topic.DEAD_LETTERS):
        assert not any(ssn in repr(row) for row in rows(settings, topic) for ssn in ("111-22-3333", "444-55-6666"))


def test_the_value_is_the_banks_own_with_ids_as_text_and_money_exact(settings: Settings) -> None:
    transfer = json.loads(raw("t-1", sender_details=party("u-1", website="https://one.example", id=7, ssn=None)))
    text = json.dumps(transfer | {"transaction_id": 42}).replace("12.5", "12345678901234567890123456789.123456789")
    send(settings, Topic.BANK_TRANSACTIONS, [("k", text.encode())])
    drain(settings, INGESTION)
    (value,) = values(settings, Topic.FRAUDULENT)
    assert value["amount"] == Decimal("12345678901234567890123456789.123456789")
    token = value["receiver_details"]["ssn"]
    assert value == transfer | {
        "transaction_id": "42",
        "amount": value["amount"],
        "sender_details": transfer["sender_details"] | {"id": "7", "website": ["https://one.example"]},
        "receiver_details": transfer["receiver_details"] | {"ssn": token},
    }


def test_outputs_are_keyed_by_the_sending_account_whatever_the_banks_key(settings: Settings) -> None:
    send(settings, Topic.BANK_TRANSACTIONS, [(None, raw("a", sender_bank_account=123)), ("x", raw("b"))])
    drain(settings, INGESTION)
    assert {row.key for row in rows(settings, Topic.FRAUDULENT)} == {b"123", b"ACC-1"}


def test_outputs_carry_the_time_of_their_source_but_never_the_future(settings: Settings) -> None:
    soon = time.time_ns() // 1_000_000 + 1_800_000  # the broker itself refuses what is more than an hour ahead
    send(settings, Topic.BANK_TRANSACTIONS, [("k", raw("past"))], at_ms=HOUR_AGO)
    send(settings, Topic.BANK_TRANSACTIONS, [("k", raw("future"))], at_ms=soon)
    drain(settings, INGESTION)
    past, future = rows(settings, Topic.FRAUDULENT)
    assert past.timestamp_ms == HOUR_AGO
    assert soon - 1_900_000 < future.timestamp_ms <= time.time_ns() // 1_000_000


def test_the_transfers_of_one_account_keep_their_order(settings: Settings) -> None:
    transfers = [(f"A{n % 7}", raw(str(n), sender_bank_account=f"A{n % 7}")) for n in range(700)]
    send(settings, Topic.BANK_TRANSACTIONS, transfers)
    drain(settings, INGESTION)
    found: dict[str, list[int]] = {}
    for value in values(settings, Topic.FRAUDULENT):
        found.setdefault(value["sender_bank_account"], []).append(int(value["transaction_id"]))
    assert found == {f"A{n}": list(range(n, 700, 7)) for n in range(7)}


def test_the_ledger_balances_and_names_the_ranges(settings: Settings) -> None:
    send(settings, Topic.BANK_TRANSACTIONS, [("k", raw("1")), ("k", raw("2", evaluation="legitimate")), ("k", b"{")])
    drain(settings, INGESTION)
    entries = ledger_of(settings, INGESTION)
    assert {entry["slot"] for entry in entries} == {"drain"}
    assert sum(i["count"] for entry in entries for i in entry["inputs"]) == 3
    assert all(sum(i["count"] for i in entry["inputs"]) == sum(entry["outcomes"].values()) for entry in entries)
    ends: dict[int, int] = {}
    for i in (i for entry in entries for i in entry["inputs"]):
        assert i["topic"] == settings.naming.topic(Topic.BANK_TRANSACTIONS)
        assert i["from"] == ends.get(i["partition"], 0)
        ends[i["partition"]] = i["to"]
    assert sum(ends.values()) == 3


def test_a_second_drain_changes_nothing(settings: Settings) -> None:
    send(settings, Topic.BANK_TRANSACTIONS, [("k", raw("1")), ("k", b"{")])
    assert drain(settings, INGESTION).read == 2
    before = {topic: rows(settings, topic) for topic in Topic}
    again = drain(settings, INGESTION)
    assert (again.read, dict(again.outcomes), dict(again.written)) == (0, {}, {})
    assert {topic: rows(settings, topic) for topic in Topic} == before


def test_a_record_too_old_for_the_topics_it_goes_to_becomes_a_dead_letter(settings: Settings) -> None:
    """Its output would carry its time and be gone within minutes."""
    months_ago = time.time_ns() // 1_000_000 - 90 * 24 * 3600 * 1000
    # The new one first: the broker deletes what is too old as soon as nothing newer lies with it.
    send(settings, Topic.BANK_TRANSACTIONS, [("k", raw("new"))], at_ms=HOUR_AGO)
    send(settings, Topic.BANK_TRANSACTIONS, [("k", raw("old"))], at_ms=months_ago)
    report = drain(settings, INGESTION)
    assert dict(report.outcomes) == {"accepted.fraudulent": 1, "dead-lettered": 1}


def test_two_drains_at_once_both_end_and_repeat_nothing(settings: Settings) -> None:
    send(settings, Topic.BANK_TRANSACTIONS, [("k", raw(f"{n}")) for n in range(200)], at_ms=HOUR_AGO)
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: drain(settings, INGESTION), range(2)))
    assert max(report.read for report in reports) == 200
    assert len(rows(settings, Topic.FRAUDULENT)) == 200
