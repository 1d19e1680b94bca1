import time

import pytest
from dagster import DagsterInstance
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState, TickData, TickStatus

from fraud_platform.orchestration import switches
from fraud_platform.orchestration.switches import Switch


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


class BusyDaemon:
    """A clock in whose first pause the daemon stores the state that it read before the switch was set."""

    def __init__(self, instance: DagsterInstance, stale: InstigatorState) -> None:
        self.now, self._instance, self._stale = 1_000.0, instance, [stale]

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        while self._stale:
            self._instance.update_instigator_state(self._stale.pop())


@pytest.mark.parametrize(
    ("began", "ended", "settled"),
    [(990.0, 999.9, 1_000.9), (999.9, None, 1_000.9), (980.0, 990.0, 1_000.1), (980.0, None, 1_000.1)],
)
def test_a_tick_that_begins_or_ends_does_not_undo_a_switch(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, began: float, ended: float | None, settled: float
) -> None:
    switch = Switch(instance, "keep_a_running")
    switch.off()
    (stale,) = instance.all_instigator_state()
    tick = TickData(
        instigator_origin_id=stale.instigator_origin_id,
        instigator_name=switch.sensor,
        instigator_type=InstigatorType.SENSOR,
        status=TickStatus.SKIPPED if ended else TickStatus.STARTED,
        timestamp=began,
        end_timestamp=ended,
        selector_id=stale.selector_id,
    )
    instance.create_tick(tick)
    daemon = BusyDaemon(instance, stale)
    monkeypatch.setattr(switches, "time", daemon)
    switch.on()
    assert switch.is_on
    assert daemon.now == pytest.approx(settled, abs=0.15)


def test_what_the_daemon_stores_before_its_first_tick_does_not_undo_a_switch(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = Switch(instance, "keep_a_running")
    switch.off()
    switch.on()
    (stale,) = instance.all_instigator_state()
    monkeypatch.setattr(switches, "time", BusyDaemon(instance, stale))
    switch.off()
    assert not switch.is_on
