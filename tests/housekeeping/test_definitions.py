"""The clean-up as Dagster shows it."""

import dagster as dg
from dagster import DagsterInstance

from fraud_platform.housekeeping.definitions import clean_history, defs
from tests.housekeeping.conftest import run_chore, run_ids


def test_it_runs_daily_and_is_described() -> None:
    (schedule,) = defs.schedules
    assert (schedule.cron_schedule, schedule.default_status) == ("50 2 * * *", dg.DefaultScheduleStatus.RUNNING)
    assert schedule.description
    assert clean_history.description


def test_what_is_younger_than_the_days_asked_for_stays(instance: DagsterInstance) -> None:
    runs = {run_chore(instance), run_chore(instance)}
    result = clean_history.execute_in_process(instance=instance)
    assert result.success
    assert runs < run_ids(instance)


def test_days_below_one_are_refused(instance: DagsterInstance) -> None:
    config = {"ops": {"delete_old_runs": {"config": {"days": 0}}}}
    runs = {run_chore(instance), run_chore(instance)}
    refused = clean_history.execute_in_process(instance=instance, run_config=config, raise_on_error=False)
    (event,) = [each for each in refused.all_events if each.is_step_failure]
    assert "greater than or equal to 1" in str(event.step_failure_data.error)
    assert runs < run_ids(instance)
