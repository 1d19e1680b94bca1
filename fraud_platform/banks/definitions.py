"""What Dagster shows of the demo banks: a job, its keeper, and the topics that come from outside.

There is nothing to materialize: no click on `Materialize all` may ever write invented payments.
"""

import dagster as dg
from pydantic import Field

from fraud_platform.orchestration.long_run import LongRun, run_until_stopped
from fraud_platform.orchestration.outputs import asset_spec, topic_output
from fraud_platform.orchestration.sensor import keeper_sensor
from fraud_platform.orchestration.stage import long_job
from fraud_platform.topology import BANKS


class BanksConfig(dg.Config):
    """How the banks behave; the defaults are the demo's."""

    rate: float | None = Field(None, gt=0, description="transfers per second; default: FRAUD_DEMO_RATE")
    seed: int = Field(7, description="fixes the customers")
    mix: str | None = Field(
        None, description="weights of `evaluation`, as in fraudulent=0.1,unidentified=0.7,legitimate=0.2"
    )


@dg.op(name="run_banks", description="The demo's banks, until they are told to stop.")
def run_banks_op(context: dg.OpExecutionContext, config: BanksConfig) -> None:
    """Send demo transfers at a steady rate."""
    run_until_stopped(context, lambda run: _send(run, config))


def _send(run: LongRun, config: BanksConfig) -> None:
    from fraud_platform.banks.loop import run_banks
    from fraud_platform.banks.mix import DEFAULT_MIX, parse_mix

    run_banks(
        run.settings,
        rate=config.rate or run.settings.demo_rate,
        seed=config.seed,
        mix=parse_mix(config.mix) if config.mix else DEFAULT_MIX,
        stop=run.watch.should_stop,
        observe=lambda _: run.watch.working(seen_elsewhere=False),
    )


_job = long_job(BANKS, run_banks_op)

defs = dg.Definitions(
    assets=[asset_spec(topic_output(topic), group=BANKS.name) for topic in BANKS.writes],
    jobs=[_job],
    sensors=[keeper_sensor(BANKS, _job)],
)
