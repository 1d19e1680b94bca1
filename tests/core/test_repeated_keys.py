import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.core.json_value import MAX_DEPTH
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.transaction import Party, Transaction, parse_transaction
from tests.builders import party, raw, transfer


def written(pairs: list[tuple[str, Any]]) -> str:
    """A JSON object with its keys as given, repeated ones too."""
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in pairs) + "}"


def with_extra(text: str, *, inside: str = "") -> bytes:
    """A good transfer with `text` put in front of the first key of the object that `inside` names."""
    whole = raw().decode()
    opening = f'"{inside}": {{' if inside else "{"
    return whole.replace(opening, f"{opening}{text}, ", 1).encode()


def reason(value: bytes) -> str:
    fault = parse_transaction(value)
    assert isinstance(fault, Rejected), fault
    assert fault.error_type == "duplicate-key"
    return fault.reason


@pytest.mark.parametrize("name", Transaction.__struct_fields__)
def test_each_known_key_at_the_top_may_come_once(name: str) -> None:
    again = json.dumps({name: transfer()[name]})[1:-1]
    assert reason(with_extra(again)) == f"`$.{name}` is there more than once"


@pytest.mark.parametrize("side", ["sender_details", "receiver_details"])
@pytest.mark.parametrize("name", Party.__struct_fields__)
def test_each_known_key_of_a_party_may_come_once(side: str, name: str) -> None:
    again = json.dumps({name: party("canary")[name]})[1:-1]
    assert reason(with_extra(again, inside=side)) == f"`$.{side}.{name}` is there more than once"


@pytest.mark.parametrize(
    "text",
    [
        '"amount":1',
        '"amount" :1',
        '"amount"\t\r\n :1',
        '"\\u0061mount":1',
        '"amount":"1"',
        '"\\u0061\\u006dount" : 12.50',
    ],
)
def test_a_repeated_key_is_found_however_it_is_spelled(text: str) -> None:
    assert reason(with_extra(text)) == "`$.amount` is there more than once"


def test_a_repeated_key_does_not_hide_behind_one_that_is_missing() -> None:
    """As many keys as a whole record has."""
    without = json.dumps({name: value for name, value in transfer().items() if name != "status"})
    assert reason(without.replace("{", '{"sender_bank": null, ', 1).encode()).startswith("`$.sender_bank`")


def test_a_repeated_null_is_found() -> None:
    value = raw(sender_bank=None, status=None).replace(b"{", b'{"status": null, ', 1)
    assert reason(value) == "`$.status` is there more than once"


@pytest.mark.parametrize(
    "text",
    [
        '"note":1,"note":2',
        '"note":{"amount":1,"amount":2}',
        '"note":[{"ssn":1,"ssn":2}]',
        '"x\\"amount":1',
        '"Amount":1',
    ],
)
def test_repeated_keys_that_nobody_reads_are_ignored(text: str) -> None:
    assert parse_transaction(with_extra(text)) == parse_transaction(raw())


@pytest.mark.parametrize(
    "text",
    [
        '"amount":1',
        'x "amount": 1, "amount": 2',
        "\\",
        '"',
        'a\\"amount\\":',
        "{[{[",
        "amount",
        "\\u0022amount\\u0022:1",
    ],
)
def test_a_value_may_look_like_a_key(text: str) -> None:
    value = raw(sender_details=party("u", name=text, address=text))
    found = parse_transaction(value)
    assert isinstance(found, Transaction)
    assert found.sender_details.name == text


@given(st.data())
def test_repeats_are_found_and_nothing_else_is(data: st.DataObject) -> None:
    """Any record without one optional field or with a null, one of whose keys may come again."""
    base: dict[str, Any] = transfer(
        status=data.draw(st.none() | st.text()), amount=data.draw(st.sampled_from([1, "1.5"]))
    )
    base["sender_details"] = party("u", website=data.draw(st.none() | st.text() | st.lists(st.text(), max_size=3)))
    if data.draw(st.booleans()):
        del base["sender_bank"]
    pairs = [(name, json.dumps(value, ensure_ascii=data.draw(st.booleans()))) for name, value in base.items()]
    again = data.draw(st.none() | st.sampled_from(pairs))
    found = parse_transaction(written([*pairs, *([again] if again else [])]).encode())
    assert isinstance(found, Rejected) == (again is not None)


@pytest.mark.parametrize("depth", [MAX_DEPTH - 1, MAX_DEPTH, 900, 10_000, 300_000])
@pytest.mark.parametrize("marks", [("[", "]"), ('{"a":', "}")])
def test_depth_has_one_limit_in_fields_that_are_ignored_too(depth: int, marks: tuple[str, str]) -> None:
    depth = min(depth, 100_000 if marks[0] == '{"a":' else depth)
    text = f'"note": {marks[0] * depth}{"1" if marks[0] != "[" else ""}{marks[1] * depth}'
    found = parse_transaction(with_extra(text))
    if depth < MAX_DEPTH:
        assert isinstance(found, Transaction)
    else:
        assert found == Rejected("invalid-json", f"the value is nested deeper than {MAX_DEPTH} levels")


def test_many_brackets_side_by_side_are_not_deep() -> None:
    text = '"note": ' + json.dumps([[], {}] * 1000) + ', "words": "' + "[{" * 1000 + '"'
    assert isinstance(parse_transaction(with_extra(text)), Transaction)
