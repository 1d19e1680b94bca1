"""What Dagster shows of the alerts: a sensor per kind of trouble, each a switch of its own."""

import dagster as dg

from fraud_platform.alerts import (
    dead_letters,
    failed_runs,
    failing_checks,
    lag,
    slots,
    stale,
    surge,
    validator,
)
from fraud_platform.alerts.sensor import alert_sensor

SENSORS = [
    alert_sensor("failed_runs", "when a run failed and none after it has made that good.", failed_runs.look),
    alert_sensor(
        "slots_down", "when a slot stays empty, a stage has switched itself off, or Kafka is away.", slots.look
    ),
    alert_sensor("lag", "when a stage falls behind (FRAUD_ALERT_LAG), or its place in a topic is gone.", lag.look),
    alert_sensor("dead_letters", "of records that no stage could use.", dead_letters.look),
    alert_sensor("failing_checks", "of asset checks that fail.", failing_checks.look),
    alert_sensor("stale_data", "when input stays out, or a stage makes no progress.", stale.look),
    alert_sensor("fraud_surge", "when the share of fraud leaps (FRAUD_ALERT_SURGE_FACTOR).", surge.look),
    alert_sensor(
        "validator_down", "when fraud-validator-api does not answer.", validator.look, interval_s=validator.INTERVAL_S
    ),
]

defs = dg.Definitions(sensors=SENSORS)
"""Their order is the one in which `fraud-platform alerts` lists them."""
