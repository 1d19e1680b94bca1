"""`Materialize`: which stages it drains and what it reports, with the drain itself played by a fake."""

from collections import Counter
from collections.abc import Callable

import dagster as dg
import pytest

from fraud_platform.errors import ValidatorUnavailable
from fraud_platform.orchestration.drains import Drained, drain_outputs, stages_behind
from fraud_platform.orchestration.outputs import Output, asset_spec, object_output, topic_output
from fraud_platform.settings import Settings
from fraud_platform.topology import (
    DOCUMENTS,
    INGESTION,
    LAKE,
    MONITORING,
    PROJECTION,
    VALIDATION,
    Stage,
    Topic,
)

OUTCOMES = {
    "ingestion": {"accepted.fraudulent": 3, "accepted.unidentified": 5, "discarded.evaluation:legitimate": 2},
    "projection": {"accepted.projected": 3},
    "validation": {"accepted.fraudulent": 1, "discarded.legitimate": 4},
    "monitoring": {"accepted.hit": 2, "accepted.clear:may-repeat": 1, "rekeyed": 1},
    "lake": {"stored": 7, "dead-lettered": 1},
    "documents": {},
}


class FakeDrain:
    def __init__(self, error: Exception | None = None) -> None:
        self.drained: list[str] = []
        self.error = error

    def __call__(self, settings: Settings, stage: Stage, stop: Callable[[], bool], run_id: str) -> Drained:
        if self.error:
            raise self.error
        self.drained.append(stage.name)
        outcomes = OUTCOMES[stage.name]
        read = Counter({stage.reads[0]: sum(outcomes.values())})
        return Drained(stage=stage, entries=2, read=read, outcomes=outcomes, by_live_slots=stage is PROJECTION)


def materialize(
    outputs: list[Output], owner: Stage | None, settings: Settings, drain: FakeDrain, *selected: str
) -> dict[str, dict[str, object]]:
    """Materialize `selected` of `outputs` on Dagster's own machinery; metadata per asset."""

    @dg.multi_asset(specs=[asset_spec(each, group="g") for each in outputs], can_subset=True)
    def assets(context: dg.AssetExecutionContext):
        yield from drain_outputs(context, outputs, owner, settings=lambda: settings, drain=drain)

    chosen = dg.AssetSelection.assets(*map(dg.AssetKey.from_user_string, selected)) if selected else None
    result = dg.materialize([assets], selection=chosen)
    return {
        event.asset_key.to_user_string(): {name: value.value for name, value in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
    }


@pytest.mark.parametrize(
    ("outputs", "owner", "stages"),
    [
        ([topic_output(Topic.FRAUDULENT)], INGESTION, [INGESTION]),
        ([topic_output(Topic.USERS)], PROJECTION, [PROJECTION, VALIDATION]),
        ([topic_output(Topic.DECISIONS)], VALIDATION, [VALIDATION, MONITORING]),
        ([topic_output(Topic.MONITORING_STATE)], MONITORING, [MONITORING]),
        ([topic_output(Topic.RESULT), topic_output(Topic.USERS)], PROJECTION, [PROJECTION, VALIDATION]),
        ([object_output(Topic.USERS)], LAKE, [LAKE]),
        ([topic_output(Topic.LEDGER)], None, [INGESTION, PROJECTION, VALIDATION, MONITORING, LAKE, DOCUMENTS]),
    ],
)
def test_every_stage_that_writes_an_asset_is_drained_once(
    outputs: list[Output], owner: Stage | None, stages: list[Stage]
) -> None:
    assert stages_behind(outputs, owner) == stages


def test_rows_are_what_all_writers_wrote(settings: Settings) -> None:
    drain = FakeDrain()
    outputs = [topic_output(Topic.RESULT), topic_output(Topic.USERS)]
    told = materialize(outputs, PROJECTION, settings, drain)
    assert drain.drained == ["projection", "validation"]
    assert told["kafka/fraudulent-transactions-result"]["dagster/row_count"] == 4
    assert told["kafka/users"]["dagster/row_count"] == 8
    assert told["kafka/users"]["records_read"] == 8
    assert told["kafka/users"]["by_live_slots"] == "projection"
    assert told["kafka/users"]["dagster/uri"] == "kafka://users"


def test_only_selected_assets_are_reported(settings: Settings) -> None:
    outputs = [topic_output(Topic.RESULT), topic_output(Topic.USERS)]
    assert list(materialize(outputs, PROJECTION, settings, FakeDrain(), "kafka/users")) == ["kafka/users"]


def test_a_sink_reports_per_topic_what_it_read(settings: Settings) -> None:
    outputs = [object_output(Topic.RESULT), object_output(Topic.USERS)]
    told = materialize(outputs, LAKE, settings, FakeDrain())
    assert told["s3/fraudulent-transactions-result"]["dagster/row_count"] == 8
    assert told["s3/users"]["dagster/row_count"] == 0
    assert told["s3/users"]["dead_letters"] == 1


def test_the_ledger_counts_entries_and_dead_letters_count_records(settings: Settings) -> None:
    outputs = [topic_output(Topic.LEDGER), topic_output(Topic.DEAD_LETTERS)]
    told = materialize(outputs, None, settings, FakeDrain())
    assert told["kafka/ledger"]["dagster/row_count"] == 12
    assert told["kafka/dead-letters"]["dagster/row_count"] == 1


def test_what_a_stage_remembers_is_told_without_rows(settings: Settings) -> None:
    outputs = [topic_output(Topic.MONITORED), topic_output(Topic.MONITORING_STATE)]
    told = materialize(outputs, MONITORING, settings, FakeDrain())
    assert told["kafka/transaction.fraud.result"]["dagster/row_count"] == 2
    assert "dagster/row_count" not in told["kafka/monitoring-state"]
    assert told["kafka/monitoring-state"]["records_read"] == 4


def test_a_service_that_is_away_is_one_sentence(settings: Settings) -> None:
    drain = FakeDrain(ValidatorUnavailable("fraud-validator-api does not answer."))
    with pytest.raises(dg.Failure) as failure:
        materialize([topic_output(Topic.DECISIONS)], VALIDATION, settings, drain)
    assert failure.value.description == "fraud-validator-api does not answer."
    assert not failure.value.allow_retries
