import time
from collections.abc import Callable

import pytest
from dagster import DagsterInstance
from dagster._core.scheduler.instigation import InstigatorStatus

from fraud_platform.orchestration import switches
from fraud_platform.orchestration.switches import LOOK_S, SETTLING_S, Switch, switch_off


def test_an_untouched_switch_is_as_the_code_says(instance: DagsterInstance) -> None:
    assert Switch(instance, "keep_a_running", on_by_default=True).is_on
    assert not Switch(instance, "keep_a_running", on_by_default=False).is_on
    assert not Switch(instance, "keep_a_running").was_touched


def test_off_and_on_again(instance: DagsterInstance) -> None:
    switch = Switch(instance, "keep_a_running")
    switch.off()
    assert (switch.is_on, switch.was_touched) == (False, True)
    switch.on()
    assert switch.is_on


def test_a_sensor_that_is_off_by_default_can_be_switched_on(instance: DagsterInstance) -> None:
    switch = Switch(instance, "keep_banks_running", on_by_default=False)
    switch.on()
    assert switch.is_on


def test_switches_do_not_touch_each_other(instance: DagsterInstance) -> None:
    Switch(instance, "keep_a_running").off()
    assert Switch(instance, "keep_b_running").is_on


def test_a_switch_that_was_set_on_meanwhile_stays_on(instance: DagsterInstance) -> None:
    switch = Switch(instance, "keep_a_running")
    switch.off()
    before = time.time()
    switch.on()
    assert not switch.off(unless_on_since=before - 1)
    assert switch.is_on
    assert switch.off(unless_on_since=time.time() + 1)


def test_a_switch_without_a_history_has_no_last_words(instance: DagsterInstance) -> None:
    assert Switch(instance, "keep_a_running").last_words == ""


class Meanwhile:
    """A clock in whose given pause somebody else stores a state of the sensor."""

    def __init__(self, store: Callable[[], object], *, at_look: int = 1) -> None:
        self.now, self._store, self._at_look = 1_000.0, store, at_look

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self._at_look -= 1
        if self._at_look == 0:
            self._store()


@pytest.mark.parametrize("at_look", [1, 2, 9])
def test_what_the_daemon_read_before_a_switch_does_not_undo_it(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, at_look: int
) -> None:
    switch = Switch(instance, "keep_a_running")
    switch.off()
    (stale,) = instance.all_instigator_state()
    meanwhile = Meanwhile(lambda: instance.update_instigator_state(stale), at_look=at_look)
    monkeypatch.setattr(switches, "time", meanwhile)
    switch.on()
    assert switch.is_on
    assert meanwhile.now == pytest.approx(1_000 + SETTLING_S, abs=2 * LOOK_S)


def test_a_switch_that_is_set_off_is_looked_after_too(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = Switch(instance, "keep_a_running")
    switch.off()
    switch.on()
    (stale,) = instance.all_instigator_state()
    monkeypatch.setattr(switches, "time", Meanwhile(lambda: instance.update_instigator_state(stale)))
    assert switch.off()
    assert not switch.is_on


def test_a_person_who_switches_on_meanwhile_is_not_overruled(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = Switch(instance, "keep_a_running")
    monkeypatch.setattr(switches, "time", Meanwhile(lambda: switch.write(InstigatorStatus.RUNNING)))
    assert not switch.off(unless_on_since=900.0)
    assert switch.is_on


def test_switches_are_set_together_in_the_time_of_one(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile = Meanwhile(lambda: None)
    monkeypatch.setattr(switches, "time", meanwhile)
    together = [Switch(instance, f"keep_{name}_running") for name in "abc"]
    switch_off(together)
    assert meanwhile.now == pytest.approx(1_000 + SETTLING_S, abs=2 * LOOK_S)
    assert not any(switch.is_on for switch in together)


def test_what_is_set_already_needs_no_time(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    meanwhile = Meanwhile(lambda: None)
    monkeypatch.setattr(switches, "time", meanwhile)
    Switch(instance, "keep_a_running").on()
    assert meanwhile.now == 1_000
