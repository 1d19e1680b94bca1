from collections.abc import Mapping
from typing import Any

import pytest

from fraud_platform.core import same_again
from fraud_platform.core.same_again import SameAgain
from tests.builders import party


def counted() -> tuple[SameAgain[str], list[str]]:
    made: list[str] = []

    def make(given: Mapping[str, Any]) -> str:
        made.append(given["id"])
        return f"{given['id']} {given['name']}"

    return SameAgain(make, size=len), made


def test_the_same_object_is_made_once() -> None:
    again, made = counted()
    ada = party("u-1")
    assert [again(ada), again(ada)] == ["u-1 Ada Example"] * 2
    assert made == ["u-1"]


def test_another_object_is_made_anew_whatever_its_id() -> None:
    again, _ = counted()
    assert again(party("u-1")) == "u-1 Ada Example"
    assert again(party("u-1", name="Ada Else")) == "u-1 Ada Else"
    assert again(party("u-1")) == "u-1 Ada Example"


def test_what_is_large_is_not_kept() -> None:
    again, made = counted()
    large = party("u-1", name="x" * same_again.LONGEST_KNOWN)
    assert again(large) == again(large)
    assert made == ["u-1", "u-1"]


def test_the_memory_is_bounded_and_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(same_again, "MOST_KNOWN", 2)
    again, made = counted()
    ada, bob, eve = (party(name) for name in ("ada", "bob", "eve"))
    for one in (ada, bob, eve, bob, eve, ada):
        again(one)
    assert made == ["ada", "bob", "eve", "ada"]
