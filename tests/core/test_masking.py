import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.core.masking import mask_text, mask_value

SECRET = "981-01-5407"


@pytest.mark.parametrize(
    "text",
    [
        '{"ssn":"981-01-5407","a":1}',
        '{"ssn" : "981015407"}',
        '{"SSN":981015407}',
        '{"customerSsn":"981015407"}',
        '{"customer_ssn_plain":"981015407"}',
        '{"social_security_number":"981015407"}',
        '{"\\u0073s\\u006E":"981015407"}',
        '{"ssn":["981015407",["981015407"]],"b":2}',
        '{"ssn":{"value":"981015407"}}',
        '{"ssn":"98\\"981015407"}',
        '{"ssn":"981015407',
        '{"ssn":[981015407',
        '{"receiver_details":"{\\"ssn\\":\\"981015407\\"}"}',
        "{'ssn': '981015407'}",
        "ssn=981015407&name=x",
        "ssn: 981 01 5407",
        "a plain 981-01-5407 in a note",
    ],
)
def test_no_spelling_of_an_ssn_survives_in_text(text):
    masked = mask_text(text.encode()).decode()
    assert "981015407" not in masked
    assert "5407" not in masked
    assert "***" in masked


@pytest.mark.parametrize(
    "text",
    [
        '{"business_name":"Potts PLC","amount":12.50}',
        '{"transaction_id":"0000-4000-8005-000000000000"}',
        '{"ssn":null,"name":"x"}',
        "not json at all",
        "",
    ],
)
def test_other_text_stays_as_it_is(text):
    assert mask_text(text.encode()).decode() == text


def test_what_stands_around_an_ssn_stays():
    text = b'{"id":"1","ssn":"981-01-5407","amount":"abc","receiver":{"ssn":5,"id":"2"}}'
    assert mask_text(text) == b'{"id":"1","ssn":"***","amount":"abc","receiver":{"ssn":***,"id":"2"}}'


def test_text_that_is_not_utf8_is_masked_too():
    masked = mask_text(b'{"name":"Jos\xe9","ssn":"981015407"}')
    assert masked == b'{"name":"Jos\xe9","ssn":"***"}'


def test_utf16_does_not_leak_the_usual_form():
    assert SECRET not in mask_text(SECRET.encode("utf-16-le")).decode("latin-1").replace("\0", "")


def test_decoded_values_lose_every_ssn_at_any_depth_and_nothing_else():
    value = {
        "a": [{"Ssn": SECRET, "b": 1}],
        "ssn": None,
        "ssn_hash": 5,
        "note": f"is {SECRET}",
        "ok": [True, 1.5],
    }
    assert mask_value(value) == {
        "a": [{"Ssn": "***", "b": 1}], "ssn": None, "ssn_hash": "***", "note": "is ***", "ok": [True, 1.5],
    }  # fmt: skip


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(before=_JSON, inside=_JSON, after=_JSON)
def test_whatever_an_ssn_field_holds_is_hidden_in_text(before, inside, after):
    text = json.dumps({"x": before, "ssn": ["hide me", inside], "y": after}, ensure_ascii=False)
    assert b"hide me" not in mask_text(text.encode(errors="replace"))


@given(st.binary(max_size=200))
def test_any_bytes_at_all_are_taken(noise):
    mask_text(noise)
    assert b"981015407" not in mask_text(noise.replace(b'"', b"") + b'\n"ssn":"981015407"')


def test_hostile_lengths_are_masked_in_linear_time():
    """A tenth of a second or so each; what grows with the square takes minutes."""
    began = time.monotonic()
    for piece in (b"ssn", b"Ssn", b'"ssn":', b"-_", b'"ssn":[', b"\\", b"social security ", b"ssn  ", b"1"):
        mask_text(piece * (300_000 // len(piece)))
    assert time.monotonic() - began < 20
