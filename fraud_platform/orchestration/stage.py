"""From a stage of the topology to its Dagster definitions: job, keeper, assets."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from fraud_platform.orchestration import tags
from fraud_platform.orchestration.drains import drain_outputs
from fraud_platform.orchestration.long_run import LongRun, run_stage, run_until_stopped
from fraud_platform.orchestration.outputs import (
    Output,
    asset_spec,
    owned_topics,
    topic_key,
    topic_output,
)
from fraud_platform.orchestration.sensor import keeper_sensor
from fraud_platform.topology import TOPICS, Stage, Topic, writers_of

JOB_TAGS = {
    # The keeper alone starts a slot again; two relaunchers would fence each other's runs.
    "dagster/max_retries": "0",
    # No time limit, whatever the instance says for other runs.
    "dagster/max_runtime": "0",
}


def stage_definitions(stage: Stage, *, sinks: Sequence[Output] = ()) -> dg.Definitions:
    """Job, keeper and assets of a consuming stage; `sinks` = the assets of a stage without output topics."""
    written = [topic for topic in stage.writes if not TOPICS[topic].external]
    outputs = [*sinks, *map(topic_output, written), topic_output(Topic.DEAD_LETTERS)]

    @dg.op(name=f"run_{stage.name}", description=f"One slot of {stage.name}, until it is told to stop.")
    def run(context: dg.OpExecutionContext) -> None:
        def work(long_run: LongRun) -> None:
            run_stage(long_run, stage, outputs)

        run_until_stopped(context, work)

    job = long_job(stage, run)
    owned = [*sinks, *map(topic_output, owned_topics(stage))]
    assets = drained_assets(f"drain_{stage.name}", owned, group=stage.name, owner=stage)
    return dg.Definitions(assets=[assets], jobs=[job], sensors=[keeper_sensor(stage, job)])


def long_job(stage: Stage, op: dg.OpDefinition) -> dg.JobDefinition:
    """The job that fills one slot; started by hand it fills the first one."""

    @dg.job(
        name=tags.job_name(stage),
        description=f"{stage.about} Runs for ever; the sensor {tags.keeper_name(stage)} keeps it alive.",
        executor_def=dg.in_process_executor,
        tags={**JOB_TAGS, tags.STAGE: stage.name, tags.SLOT: tags.slot_tag(stage, 0)},
    )
    def job() -> None:
        op()

    return job


def drained_assets(name: str, outputs: Sequence[Output], *, group: str, owner: Stage | None) -> dg.AssetsDefinition:
    """Assets whose `Materialize` brings the stages behind them up to the present end of their inputs."""
    specs = [asset_spec(output, group=group, deps=upstream(output, owner)) for output in outputs]

    @dg.multi_asset(name=name, specs=specs, can_subset=True)
    def drain(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        # A generator is safe here: all work is done before the first result, under our own signal handler.
        yield from drain_outputs(context, outputs, owner)

    return drain


def upstream(output: Output, owner: Stage | None) -> list[dg.AssetKey]:
    """Lineage: a sink's asset follows its topic, a topic everything that its writers read.

    The ledger and the dead letters belong to every stage: their edges would touch each box and tell nothing.
    """
    if owner is None:
        return []
    if not owner.writes:
        return [topic_key(output.topic)]
    reads = [topic for stage in writers_of(output.topic) for topic in stage.reads]
    return [topic_key(topic) for topic in dict.fromkeys(reads)]
