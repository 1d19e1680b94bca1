"""What a drain does while Kafka owes an answer; what it drains is tested with each stage."""

from collections.abc import Callable

import pytest

from fraud_platform.errors import BrokerUnavailable
from fraud_platform.runtime import drain
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr(drain.time, "monotonic", clock)
    return clock


def question(clock: FakeClock, *answers: bool | None, takes: float = 5.0) -> Callable[[], bool]:
    """Answers in order; None is a question that Kafka leaves open for `takes` seconds."""
    left = iter(answers)

    def ask() -> bool:
        answer = next(left)
        if answer is None:
            clock.advance(takes)
            raise BrokerUnavailable("Kafka does not answer as it should: _TIMED_OUT.")
        return answer

    return ask


@pytest.mark.parametrize("answer", [True, False])
def test_a_question_that_kafka_left_open_is_asked_again(clock: FakeClock, answer: bool) -> None:
    assert drain._patiently(question(clock, None, answer)) is answer


def test_a_broker_that_stays_away_ends_the_asking(clock: FakeClock) -> None:
    with pytest.raises(BrokerUnavailable):
        drain._patiently(question(clock, None, None, None))


def test_between_two_questions_the_answer_is_no(clock: FakeClock) -> None:
    done = drain._Every(1.0, question(clock, True))
    assert not done()
    clock.advance(1.0)
    assert done()


def test_a_slot_works_on_while_kafka_owes_an_answer(clock: FakeClock) -> None:
    done = drain._Every(1.0, question(clock, None, True))
    clock.advance(1.0)
    assert not done()
    clock.advance(1.0)
    assert done()


def test_a_slot_ends_when_kafka_owes_the_answer_for_too_long(clock: FakeClock) -> None:
    done = drain._Every(1.0, question(clock, None, None))
    clock.advance(1.0)
    assert not done()
    clock.advance(1.0)
    with pytest.raises(BrokerUnavailable):
        done()


def test_an_answer_in_between_starts_the_patience_anew(clock: FakeClock) -> None:
    done = drain._Every(1.0, question(clock, None, False, None, True))
    answers = []
    for _ in range(4):
        clock.advance(1.0)
        answers.append(done())
    assert answers == [False, False, False, True]
