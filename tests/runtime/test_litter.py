"""What is put aside is not searched for cycles, and everything is as before afterwards."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from fraud_platform.runtime import litter as module
from fraud_platform.runtime.litter import YOUNG, Litter


class Knot:
    """Refers to itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def litter() -> Iterator[Litter]:
    made = Litter()
    yield made
    made.close()


def test_what_a_transaction_leaves_is_not_searched_again(litter: Litter) -> None:
    litter.sweep()
    assert gc.get_count()[2] == 0
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold()[0] == YOUNG


def test_what_is_put_aside_goes_with_its_last_reference(litter: Litter) -> None:
    kept = Knot()
    kept.me = None  # type: ignore[assignment]
    gone = weakref.ref(kept)
    litter.sweep()
    del kept
    assert gone() is None


def test_now_and_then_everything_is_searched(litter: Litter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FULL_EVERY", 3)
    gone = weakref.ref(Knot())
    litter.sweep()
    litter.sweep()
    assert gone() is not None
    litter.sweep()
    assert gone() is None


def test_afterwards_all_is_as_before() -> None:
    before, litter = gc.get_threshold(), Litter()
    litter.sweep()
    litter.close()
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
