"""What `Materialize` does: drain the stages behind the selected assets and report rows from the ledger."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from fraud_platform.errors import FraudPlatformError
from fraud_platform.orchestration.outputs import Output
from fraud_platform.orchestration.report import written
from fraud_platform.runtime.stop import stop_on_signals
from fraud_platform.settings import Settings, load
from fraud_platform.topology import DEAD_LETTERED, STAGES, Stage, Topic, writers_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What became of the records of one stage since its drain began, as its ledger entries say."""

    stage: Stage
    entries: int
    read: Mapping[Topic, int]
    outcomes: Mapping[str, int]
    by_live_slots: bool

    def rows(self, output: Output) -> int:
        """Records that went into the output; for a sink those read for it, its dead letters among them."""
        if output.topic is Topic.LEDGER:
            return self.entries
        if not self.stage.writes and output.topic in self.stage.reads:
            return self.read.get(output.topic, 0)
        return written(self.stage, self.outcomes)[output.topic]


Drain = Callable[[Settings, Stage, Callable[[], bool], str], Drained]


def drain_stage(settings: Settings, stage: Stage, stop: Callable[[], bool], run_id: str) -> Drained:
    """Drain one stage with the runtime; raises as `fraud_platform.runtime.drain.drain`."""
    from fraud_platform.runtime.drain import drain

    report = drain(settings, stage, stop=stop, run_id=run_id)
    return Drained(
        stage=stage,
        entries=report.entries,
        read=Counter({settings.naming.logical(topic): count for topic, count in report.read_by_topic.items()}),
        outcomes=Counter(report.outcomes),
        by_live_slots=report.by_live_slots,
    )


def stages_behind(outputs: Iterable[Output], owner: Stage | None) -> list[Stage]:
    """The stages to drain, in flow order: a sink drains itself, a topic every stage that writes it."""
    if owner is not None and not owner.writes:
        return [owner]
    wanted = {stage.name for output in outputs for stage in _writers(output.topic)}
    return [stage for stage in STAGES.values() if stage.name in wanted]


def _writers(topic: Topic) -> Sequence[Stage]:
    """Every consuming stage writes the ledger and may write dead letters."""
    return writers_of(topic) or [stage for stage in STAGES.values() if stage.consumes]


def drain_outputs(
    context: dg.AssetExecutionContext,
    outputs: Sequence[Output],
    owner: Stage | None,
    *,
    settings: Callable[[], Settings] = load,
    drain: Drain = drain_stage,
) -> list[dg.MaterializeResult[Any]]:
    """Drain what the selected outputs need, once per stage, and describe each of them.

    Raises:
        dagster.Failure: one sentence; a service is away, or a person must change something.
        dagster.DagsterExecutionInterruptedError: told to stop.
    """
    chosen = [output for output in outputs if output.key in context.selected_asset_keys]
    with stop_on_signals() as stop:
        try:
            current = settings()
            done = [drain(current, stage, stop, context.run.run_id) for stage in stages_behind(chosen, owner)]
        except FraudPlatformError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from None
    if stop():
        raise dg.DagsterExecutionInterruptedError
    for each in chosen:
        context.log.info("%s: %d rows", each.key.to_user_string(), sum(one.rows(each) for one in done))
    return [dg.MaterializeResult(asset_key=each.key, metadata=_facts(each, done, current)) for each in chosen]


def _facts(output: Output, done: Sequence[Drained], settings: Settings) -> dict[str, Any]:
    is_changelog = any(output.topic is each.stage.changelog for each in done)  # no outcome says how many
    return {
        "dagster/uri": output.uri(settings),
        **({} if is_changelog else {"dagster/row_count": sum(each.rows(output) for each in done)}),
        "records_read": sum(sum(each.read.values()) for each in done),
        "dead_letters": sum(each.outcomes.get(DEAD_LETTERED, 0) for each in done),
        "outcomes": dg.MetadataValue.json({each.stage.name: dict(each.outcomes) for each in done}),
        "by_live_slots": ", ".join(each.stage.name for each in done if each.by_live_slots) or "none",
    }
