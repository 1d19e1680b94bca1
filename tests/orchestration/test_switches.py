import time

from dagster import DagsterInstance

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
