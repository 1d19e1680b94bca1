"""What a record of the rule-sets topic holds, and which records are none."""

import hashlib
import json
from typing import Any

import msgspec
import pytest

from fraud_platform.core.outcome import Rejected
from fraud_platform.rules import files
from fraud_platform.rules.publication import Kind, Publication, read
from fraud_platform.rules.rule_set import RuleSet
from tests.rules.publishing import AT, limit, published


def refused(value: bytes | None) -> str:
    found = read(value)
    assert isinstance(found, Rejected)
    return found.reason


def test_a_publication_reads_back_with_its_rule_set() -> None:
    rules = files.load()
    found = read(published(rules).encode())
    assert isinstance(found, Publication)
    assert (found.number, found.version, found.kind, found.by, found.at, found.note, found.replaces) == (
        1, rules.version, Kind.PUBLISHED, "ada", AT, "why", None,
    )  # fmt: skip
    again = found.rule_set()
    assert isinstance(again, RuleSet)
    assert (again.version, again.canonical()) == (rules.version, rules.canonical())


def test_one_that_follows_another_has_the_next_number_and_names_what_it_replaces() -> None:
    first = published(limit(1))
    second = published(limit(2), first)
    assert (second.number, second.key, second.replaces) == (2, b"2", first.version)


def test_a_rollback_is_a_publication_of_its_own_with_the_earlier_bytes() -> None:
    first = published(limit(1))
    second = published(limit(2), first)
    third = first.again(second, by="grace", at=AT, note="too loud")
    assert (third.number, third.version, third.replaces, third.kind) == (
        3, first.version, second.version, Kind.ROLLED_BACK,
    )  # fmt: skip
    assert bytes(third.content) == bytes(first.content)
    assert read(third.encode()) == third


def test_the_counts_are_those_of_the_rules() -> None:
    assert published(files.load()).counts == (3, 7)


def test_a_version_that_was_published_stays_whatever_spelling_a_later_release_gives_it() -> None:
    rule = b'{"action":"REVIEW","criterion":"HIGH_TRANSACTION_AMOUNT","id":"a","parameters":{"at_least":"7"}}'
    content = b'{"rules":[' + rule + b"]}"  # without the defaults that are spelled out today
    version = hashlib.sha256(content).hexdigest()[:16]
    earlier = msgspec.structs.replace(published(limit(1)), content=msgspec.Raw(content), version=version)
    found = read(earlier.encode())
    assert isinstance(found, Publication)
    rules = found.rule_set()
    assert isinstance(rules, RuleSet)
    assert rules.version == version


def altered(**changes: Any) -> bytes:
    return json.dumps({**json.loads(published(limit(1)).encode()), **changes}).encode()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no value"),
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"a":' * 100_000, "not JSON"),
        (b"{}", "no publication"),
        (b'"text"', "no publication"),
        (altered(version="0" * 16), "not that of its version"),
        (altered(kind="whim"), "no publication"),
        (altered(number="one"), "no publication"),
        (altered(at="2026-01-01T12:00:00"), "no zone"),
        (altered(content={"rules": 5}), "no publication"),
        (altered(content=None), "no publication"),
    ],
)
def test_a_foreign_record_is_refused_with_a_reason(value: bytes | None, reason: str) -> None:
    assert reason in refused(value)


def test_a_set_that_cannot_be_applied_here_says_why_and_where() -> None:
    raw = published(limit(1))
    content = bytes(raw.content).replace(b"HIGH_TRANSACTION_AMOUNT", b"OF_ANOTHER_PACKAGE")
    found = msgspec.structs.replace(raw, content=msgspec.Raw(content)).rule_set()
    assert isinstance(found, Rejected)
    assert "its rule set is refused here, line 1" in found.reason
