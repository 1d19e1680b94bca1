import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.core.json_value import MAX_DEPTH
from fraud_platform.core.label import Label, label_of, parse_label, to_json
from fraud_platform.core.outcome import Rejected

WHOLE = {"transaction_id": "t-1", "is_fraud": True, "source": "chargeback", "labelled_at": "2026-01-12T09:00:00Z"}


def raw(**changes: object) -> bytes:
    return json.dumps(WHOLE | changes).encode()


def test_a_label_is_written_as_it_is_read() -> None:
    label = parse_label(raw())
    assert label == Label("t-1", True, "chargeback", "2026-01-12T09:00:00Z")
    assert json.loads(to_json(label)) == WHOLE


@pytest.mark.parametrize(
    ("said", "means"),
    [
        (True, True),
        ("TRUE", True),
        (1, True),
        (" yes ", True),
        ("y", True),
        (False, False),
        ("0", False),
        ("No", False),
    ],
)
def test_fraud_may_be_said_in_several_words(said: object, means: bool) -> None:
    label = parse_label(raw(is_fraud=said))
    assert isinstance(label, Label)
    assert label.is_fraud is means


def test_who_says_so_and_when_may_be_missing() -> None:
    assert parse_label(b'{"transaction_id": 7, "is_fraud": false}') == Label("7", False)
    assert label_of({"transaction_id": "t", "is_fraud": "no", "source": "", "labelled_at": ""}) == Label("t", False)


@pytest.mark.parametrize(
    ("value", "error_type", "said"),
    [
        (None, "tombstone", "no value"),
        (b"", "invalid-json", "empty"),
        (b"{", "invalid-json", ""),
        (b"[]", "schema", "array"),
        (raw(transaction_id=" "), "schema", "`$.transaction_id` is empty"),
        (raw(transaction_id=None), "schema", "transaction_id"),
        (raw(is_fraud="perhaps"), "schema", "`$.is_fraud` is neither true nor false"),
        (raw(is_fraud=2), "schema", "`$.is_fraud` is neither true nor false"),
        (raw(is_fraud=None), "schema", "is_fraud"),
        (raw(is_fraud=1.0), "schema", "is_fraud"),
        (raw(labelled_at="yesterday"), "invalid-date", "`$.labelled_at` is not ISO 8601"),
        (raw()[:-1] + b', "is_fraud": false}', "duplicate-key", "`$.is_fraud`"),
        (raw()[:-1] + b', "ignored": ' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", "invalid-json", "deeper"),
    ],
)
def test_what_is_no_label_is_refused(value: bytes | None, error_type: str, said: str) -> None:
    fault = parse_label(value)
    assert isinstance(fault, Rejected)
    assert fault.error_type == error_type
    assert said in fault.reason


def test_a_row_is_refused_in_the_words_of_its_file() -> None:
    fault = label_of({"transaction_id": "t", "is_fraud": "perhaps"})
    assert fault == Rejected("schema", "`is_fraud` is neither true nor false")


@given(st.binary(max_size=100))
def test_any_bytes_get_an_answer(value: bytes) -> None:
    assert isinstance(parse_label(value), Rejected)
