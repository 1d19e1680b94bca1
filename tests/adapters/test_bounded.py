"""Calls that may never return do not take their caller with them."""

import threading

import pytest

from fraud_platform.adapters.bounded import BoundedCalls, call_once
from fraud_platform.errors import BrokerUnavailable


def test_a_call_is_done_before_it_returns() -> None:
    done: list[int] = []
    BoundedCalls().call(lambda: done.append(1), 5)
    assert done == [1]


def test_what_a_call_raises_reaches_the_caller() -> None:
    def fail() -> None:
        raise KeyError("as it is")

    with pytest.raises(KeyError, match="as it is"):
        BoundedCalls().call(fail, 5)


def test_a_call_that_hangs_is_left_behind_and_the_next_one_works() -> None:
    calls, forever, done = BoundedCalls(), threading.Event(), []
    with pytest.raises(BrokerUnavailable, match="did not answer"):
        calls.call(lambda: forever.wait() and None, 0.05)
    calls.call(lambda: done.append(1), 5)
    forever.set()
    assert done == [1]


def test_calls_share_one_thread() -> None:
    calls = BoundedCalls()
    names: list[int] = []
    for _ in range(3):
        calls.call(lambda: names.append(threading.get_ident()), 5)
    assert len(set(names)) == 1


def test_a_thread_ends_with_its_last_call_though_that_hung() -> None:
    threads: list[threading.Thread] = []
    forever = threading.Event()

    def hang() -> None:
        threads.append(threading.current_thread())
        forever.wait()

    call_once(lambda: threads.append(threading.current_thread()), 5)
    with pytest.raises(BrokerUnavailable):
        call_once(hang, 0.05)
    forever.set()
    for thread in threads:
        thread.join(60)
    assert [thread.is_alive() for thread in threads] == [False, False]
