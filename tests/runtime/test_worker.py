"""The loop around log and handler: pauses, patience, fencing, leaving."""

import math
from collections.abc import Callable, Sequence

import pytest

from fraud_platform.core.log import Partition, Position
from fraud_platform.core.outcome import Outcome, Record
from fraud_platform.errors import ConfigurationError, Fenced, InputLost, ValidatorUnavailable
from fraud_platform.runtime.handler import Transformer
from fraud_platform.runtime.worker import Progress, State, Worker
from tests.fakes.clock import FakeClock
from tests.fakes.log import FakeBroker, FakeLog
from tests.runtime import rig


class Outside:
    """A service that the decision needs; down when told so."""

    def __init__(self) -> None:
        self.is_up = True
        self.asked = 0
        self.probed = 0

    def decide(self, records: Sequence[Record]) -> Sequence[Outcome]:
        self.asked += 1
        if not self.is_up:
            raise ValidatorUnavailable("The validator does not answer.")
        return rig.echo(records)

    def ready(self) -> bool:
        self.probed += 1
        return self.is_up


class Run:
    """A worker over the fake broker whose clock moves with each look at `until`."""

    def __init__(
        self, broker: FakeBroker, outside: Outside, *, patience_s: float = math.inf, eager: bool = False
    ) -> None:
        self.clock = FakeClock()
        self.broker = broker
        self.log: FakeLog = rig.open_log(broker)
        self.seen: list[Progress] = []
        handler = Transformer(self.log, rig.scribe(), outside.decide, clock=self.clock, ready=outside.ready)
        self.worker = Worker(
            self.log,
            handler,
            stop=lambda: False,
            patience_s=patience_s,
            eager=eager,
            observe=self.seen.append,
            clock=self.clock,
        )

    def steps(self, count: int, *, each_s: float = 1.0, before: Callable[[int], None] = lambda step: None) -> Progress:
        left = iter(range(count))

        def until() -> bool:
            step = next(left, None)
            if step is not None:
                before(step)
                self.clock.advance(each_s)
            return step is None

        return self.worker.run(until=until)


def test_a_worker_commits_what_it_reads_and_leaves_the_group() -> None:
    broker = rig.broker()
    broker.append("in", 0, b"a")
    run = Run(broker, Outside())
    progress = run.steps(5)
    assert rig.values(broker) == [b"a"]
    assert progress.state is State.STOPPED
    assert run.log.closed


def test_a_service_that_is_down_pauses_the_stage_and_loses_nothing() -> None:
    broker, outside = rig.broker(), Outside()
    broker.append("in", 0, b"a")
    outside.is_up = False

    def recover_later(step: int) -> None:
        outside.is_up = step > 20

    run = Run(broker, outside)
    run.steps(40, before=recover_later)
    assert rig.values(broker) == [b"a"]
    assert broker.records(rig.DEAD) == []
    assert State.PAUSED in {progress.state for progress in run.seen}


def test_a_paused_stage_probes_at_most_every_five_seconds() -> None:
    broker, outside = rig.broker(), Outside()
    broker.append("in", 0, b"a")
    outside.is_up = False
    Run(broker, outside).steps(100, each_s=0.5)
    assert outside.asked == 1
    assert 8 <= outside.probed <= 10


def test_a_pause_says_why() -> None:
    broker, outside = rig.broker(), Outside()
    broker.append("in", 0, b"a")
    outside.is_up = False
    run = Run(broker, outside)
    run.steps(5)
    assert "The validator does not answer." in {progress.paused_because for progress in run.seen}


def test_an_impatient_worker_gives_up_with_the_reason() -> None:
    broker, outside = rig.broker(), Outside()
    broker.append("in", 0, b"a")
    outside.is_up = False
    with pytest.raises(ValidatorUnavailable, match="does not answer"):
        Run(broker, outside, patience_s=8).steps(100)


def test_a_broker_that_goes_and_comes_back_repeats_and_loses_nothing() -> None:
    broker = rig.broker()
    broker.append("in", 0, b"a")

    def flicker(step: int) -> None:
        broker.is_down = 2 <= step < 10
        if step == 12:
            broker.append("in", 0, b"b")

    Run(broker, Outside()).steps(30, before=flicker)
    assert rig.values(broker) == [b"a", b"b"]


def test_an_unclear_commit_is_followed_by_a_rewind_not_by_a_repeat() -> None:
    broker = rig.broker()
    broker.append("in", 0, b"a")
    broker.fail_next_commit_after_it_happened = True
    Run(broker, Outside()).steps(20)
    assert rig.values(broker) == [b"a"]


def test_a_fenced_worker_leaves_at_once() -> None:
    broker = rig.broker()
    run = Run(broker, Outside())
    rig.open_log(broker)
    with pytest.raises(Fenced):
        run.steps(5)


def test_a_wrong_configuration_ends_the_run_and_moves_no_offset() -> None:
    broker = rig.broker()
    broker.append("in", 0, b"a")
    outside = Outside()

    def refuse(records: Sequence[Record]) -> Sequence[Outcome]:
        raise ConfigurationError("The validator refuses our key.")

    outside.decide = refuse  # type: ignore[method-assign]
    with pytest.raises(ConfigurationError):
        Run(broker, outside).steps(5)
    assert broker.offsets["g"][Partition("in", 0)].offset == 0


def test_lost_input_pauses_for_good_and_skips_nothing() -> None:
    broker = rig.broker()
    for value in (b"a", b"b"):
        broker.append("in", 0, value)
    run = Run(broker, Outside())
    run.log.poll(0)
    broker.truncate(Partition("in", 0), 1)
    run.steps(30)
    assert rig.values(broker) == []
    assert run.seen[-2].state is State.PAUSED


def test_a_rebalance_between_two_slots_repeats_and_loses_nothing() -> None:
    broker = rig.broker()
    for number in range(10):
        broker.append("in", number % 2, b"%d" % number)
    run = Run(broker, Outside())
    joined: list[FakeLog] = []

    def disturb(step: int) -> None:
        if step == 3:
            joined.append(rig.open_log(broker, "1"))
            joined[0].poll(0)
        if step == 6:
            joined[0].close()
        if step in {4, 8}:
            broker.append("in", 1, b"late%d" % step)

    run.steps(20, before=disturb)
    assert rig.values(broker) == sorted([*(b"%d" % n for n in range(10)), b"late4", b"late8"], key=str)


def test_an_eager_worker_commits_bare_progress_without_waiting_for_a_second() -> None:
    broker = rig.broker()
    Run(broker, Outside(), eager=True).steps(3, each_s=0.0)
    assert {at.offset for at in broker.offsets["g"].values()} == {0}


@pytest.mark.parametrize("steps", range(1, 16))
def test_a_run_that_ends_around_a_recovery_leaves_cleanly(steps: int) -> None:
    """What was read before the log went back is forgotten, not flushed."""
    broker, outside = rig.broker(), Outside()
    broker.append("in", 0, b"a")

    def flicker(step: int) -> None:
        outside.is_up = step > 2

    Run(broker, outside).steps(steps, before=flicker)
    assert rig.values(broker) in ([], [b"a"])


def test_a_pause_that_ends_only_to_begin_again_is_one_pause(caplog: pytest.LogCaptureFixture) -> None:
    broker, outside = rig.broker(), Outside()
    broker.append("in", 0, b"one")
    run = Run(broker, outside, patience_s=60)
    outside.is_up = False
    outside.ready = lambda: True  # type: ignore[method-assign]
    run.worker._handler._ready = outside.ready  # type: ignore[attr-defined]
    with pytest.raises(ValidatorUnavailable):
        run.steps(200)
    assert run.clock() < 120
    assert caplog.text.count("paused: The validator does not answer.") <= 2


def test_a_lost_input_ends_a_worker_of_limited_patience_at_once() -> None:
    broker = rig.broker()
    broker.append("in", 0, b"one")
    broker.offsets["g"][Partition("in", 0)] = Position(7)
    with pytest.raises(InputLost):
        Run(broker, Outside(), patience_s=60).steps(3)
