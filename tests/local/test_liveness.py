"""When a service counts as hung; the clock is ours, and questions are answered at once unless a test says otherwise."""

from collections.abc import Callable
from threading import Event

from fraud_platform.local.liveness import ANSWER_S, EVERY_S, PATIENCE_S, Liveness, in_thread
from fraud_platform.local.probes import TIMEOUT_S


class Patient:
    """A service that answers as told, and a clock that moves in single seconds, as a supervisor's does."""

    def __init__(self, run: Callable[[Callable[[], None]], None] | None = None) -> None:
        self.now = 0.0
        self.answers = True
        self.asked = 0
        self.liveness = Liveness(self.question, clock=lambda: self.now, run=run or (lambda work: work()))

    def question(self) -> bool:
        self.asked += 1
        return self.answers

    def hung_after(self, seconds: float) -> bool:
        end = self.now + seconds
        while self.now < end:
            self.now += 1
            if self.liveness.is_hung():
                return True
        return False


def test_a_service_that_answers_never_counts_as_hung() -> None:
    patient = Patient()
    assert not patient.hung_after(3600)
    assert patient.asked == 3600 / EVERY_S


def test_a_service_that_is_silent_for_the_whole_patience_counts_as_hung() -> None:
    patient = Patient()
    patient.answers = False
    assert not patient.hung_after(PATIENCE_S)
    assert patient.hung_after(2 * EVERY_S)


def test_one_good_answer_forgives_all_silence() -> None:
    patient = Patient()
    for _ in range(5):
        patient.answers = False
        assert not patient.hung_after(PATIENCE_S - EVERY_S)
        patient.answers = True
        assert not patient.hung_after(2 * EVERY_S)


def test_a_supervisor_that_slept_itself_blames_nobody() -> None:
    patient = Patient()
    patient.answers = False
    for _ in range(2):
        patient.now += 10 * PATIENCE_S
        assert not patient.liveness.is_hung()


def test_a_question_that_never_ends_is_silence_and_holds_nobody_up() -> None:
    patient = Patient(run=lambda _: None)
    assert patient.hung_after(PATIENCE_S + 3 * EVERY_S)


def test_a_question_that_fails_is_silence() -> None:
    def fails() -> bool:
        raise OSError("no more sockets")

    patient = Patient()
    patient.liveness = Liveness(fails, clock=lambda: patient.now, run=lambda work: work())
    assert patient.hung_after(PATIENCE_S + 3 * EVERY_S)


def test_a_new_start_counts_afresh() -> None:
    patient = Patient()
    patient.answers = False
    assert patient.hung_after(PATIENCE_S + 3 * EVERY_S)
    patient.liveness.begin()
    assert not patient.hung_after(PATIENCE_S)


def test_questions_are_asked_beside_the_caller() -> None:
    release, asked = Event(), Event()

    def slow() -> None:
        asked.set()
        release.wait(60)

    in_thread(slow)
    assert asked.wait(60)
    release.set()


def test_a_working_service_has_longer_for_its_answer_than_one_that_starts() -> None:
    waits: list[float] = []
    now = [0.0]
    liveness = Liveness(lambda: not waits.append(TIMEOUT_S.get()), clock=lambda: now[0], run=lambda work: work())
    now[0] = EVERY_S
    assert not liveness.is_hung()
    assert waits == [ANSWER_S]
    assert TIMEOUT_S.get() < ANSWER_S
