"""A record that a sink has dead-lettered stays excused when its dead letter is gone."""

import pytest

from fraud_platform.books import refused
from fraud_platform.books.refused import remembered
from tests.books.fakes import FakeStore


def test_what_was_refused_once_stays_known() -> None:
    store = FakeStore()
    assert remembered(store, "a", {(0, 3), (1, 4)}) == {(0, 3), (1, 4)}
    assert remembered(store, "a", {(2, 5)}) == {(0, 3), (1, 4), (2, 5)}
    assert remembered(store, "a", set()) == {(0, 3), (1, 4), (2, 5)}
    assert remembered(store, "another topic", set()) == set()


def test_of_very_many_the_oldest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused, "MOST", 2)
    store = FakeStore()
    assert len(remembered(store, "a", {(0, 8), (0, 9), (1, 7)})) == 3
    assert remembered(store, "a", set()) == {(1, 7), (0, 8)}
