"""From views to verdicts: which checks there are, on which asset, and how each group of them is evaluated."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster import DagsterInstance
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status

from fraud_platform.orchestration.inputs import expected_inputs
from fraud_platform.orchestration.outputs import topic_key
from fraud_platform.quality import drift, outcomes, reading, recency, records, views
from fraud_platform.quality.verdict import Verdict
from fraud_platform.settings import Settings
from fraud_platform.topology import STAGES, TOPICS, Topic

READ = tuple(dict.fromkeys(topic for stage in STAGES.values() for topic in stage.reads))
ROWS = tuple(records.RULES)
WITH_IDS = {
    Topic.RESULT: ("TRANSACTION_ID",),
    Topic.MONITORED: ("transactionId",),
    Topic.DECISIONS: TOPICS[Topic.DECISIONS].ids,
}
OVERLAP = timedelta(minutes=5)
_HISTORY = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When, where and for whom a group of checks is evaluated."""

    settings: Settings
    instance: DagsterInstance
    now: datetime


Verdicts = Mapping[dg.AssetCheckKey, Verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Checks that share a view: name of the op, specs, and how to evaluate them."""

    name: str
    about: str
    specs: Sequence[dg.AssetCheckSpec]
    evaluate: Callable[[Moment], Verdicts]


def key(topic: Topic, name: str) -> dg.AssetCheckKey:
    """The check of this name on the topic's asset."""
    return dg.AssetCheckKey(topic_key(topic), name)


def _specs(name: str, topics: Collection[Topic], about: str) -> list[dg.AssetCheckSpec]:
    return [dg.AssetCheckSpec(name, asset=topic_key(topic), description=about) for topic in topics]


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact of the newest evaluation of a check that has it, and when that was."""

    at: datetime
    value: Any


def last_fact(instance: DagsterInstance, check: dg.AssetCheckKey, name: str) -> Fact | None:
    """What the check's evaluations have said last; None = nothing yet."""
    done = {Status.SUCCEEDED, Status.FAILED}
    for record in instance.event_log_storage.get_asset_check_execution_history(check, limit=_HISTORY, status=done):
        if record.evaluation is not None and name in record.evaluation.metadata:
            at = datetime.fromtimestamp(record.create_timestamp, UTC)
            return Fact(at, record.evaluation.metadata[name].value)
    return None


# Reading --------------------------------------------------------------------------------------------


def _reading(moment: Moment) -> Verdicts:
    found = views.readers(moment.settings)
    kept = views.retentions(moment.settings, list(found))
    limit = moment.settings.alert_lag
    verdicts: dict[dg.AssetCheckKey, Verdict] = {}
    for topic, each in found.items():
        verdicts[key(topic, "readers_keep_up")] = reading.keeps_up(topic, each, limit=limit)
        time_left = reading.leaves_time(topic, each, retention_s=kept[topic], now=moment.now)
        verdicts[key(topic, "retention_leaves_time")] = time_left
    return verdicts


READING = Group(
    name="check_reading",
    about="Lag of each reader, and lag against retention.",
    specs=[
        *_specs("readers_keep_up", READ, "No reader has more records before it than FRAUD_ALERT_LAG."),
        *_specs("retention_leaves_time", READ, "No record is about to be deleted before every reader has read it."),
    ],
    evaluate=_reading,
)


# Recency --------------------------------------------------------------------------------------------

RECENT = (Topic.BANK_TRANSACTIONS, Topic.STATEMENTS, *ROWS)


def _recency(moment: Moment) -> Verdicts:
    expected = expected_inputs(moment.settings, moment.instance)
    limit_s = moment.settings.alert_stale_minutes * 60
    verdicts: dict[dg.AssetCheckKey, Verdict] = {}
    for topic, newest in views.newest(moment.settings, RECENT, expected).items():
        mine = key(topic, "events_are_recent")
        found = last_fact(moment.instance, mine, recency.END)
        before = recency.Before(found.at, int(found.value)) if found else None
        verdicts[mine] = recency.is_recent(topic, newest, limit_s=limit_s, now=moment.now, before=before)
    return verdicts


RECENCY = Group(
    name="check_recency",
    about="The newest event of each topic, by event time.",
    specs=_specs(
        "events_are_recent", RECENT, "The newest event is at most FRAUD_ALERT_STALE_MINUTES old, where one is expected."
    ),
    evaluate=_recency,
)


# Records --------------------------------------------------------------------------------------------


def _records(moment: Moment) -> Verdicts:
    found = views.samples(moment.settings, [*ROWS, Topic.LEDGER])
    verdicts = {key(t, "records_match_schema"): records.match_schema(t, sample) for t, sample in found.items()}
    for topic in ROWS:
        plausible = records.are_plausible(topic, found[topic], now=moment.now)
        verdicts[key(topic, "fields_are_plausible")] = plausible
    for topic, ids in WITH_IDS.items():
        verdicts[key(topic, "ids_are_single")] = records.are_single(topic, found[topic], ids)
    return verdicts


RECORDS = Group(
    name="check_records",
    about=f"The {views.SAMPLE} newest records of each Avro topic: schema, ranges, ids.",
    specs=[
        *_specs("records_match_schema", [*ROWS, Topic.LEDGER], "Sampled records can be read with the topic's schema."),
        *_specs("fields_are_plausible", ROWS, "Required fields are filled, amounts, dates and names in their range."),
        *_specs("ids_are_single", WITH_IDS, "Hardly any id comes again among the sampled records."),
    ],
    evaluate=_records,
)


# Outcomes -------------------------------------------------------------------------------------------

KNOWN = key(Topic.BANK_TRANSACTIONS, "evaluations_are_known")


def _outcomes(moment: Moment) -> Verdicts:
    last = last_fact(moment.instance, KNOWN, outcomes.SEEN)
    # From a little before the last look: a value that is counted twice is known the second time.
    since = last.at - OVERLAP if last else None
    found = views.ledger_outcomes(moment.settings, now=moment.now, evaluations_since=since)
    few = outcomes.dead_letters_are_few(found.fates, percent=moment.settings.alert_dead_letter_percent)
    known = outcomes.evaluations_are_known(found.evaluations, _values(last))
    return {key(Topic.DEAD_LETTERS, "dead_letters_are_few"): few, KNOWN: known}


def _values(seen: Fact | None) -> list[str]:
    return [value for value in str(seen.value).split(",") if value] if seen else []


OUTCOMES = Group(
    name="check_outcomes",
    about="What became of the records of the last hour, by the ledger.",
    specs=[
        *_specs(
            "dead_letters_are_few",
            [Topic.DEAD_LETTERS],
            "No stage dead-letters more than FRAUD_ALERT_DEAD_LETTER_PERCENT of what it reads.",
        ),
        *_specs(
            KNOWN.name, [Topic.BANK_TRANSACTIONS], "No bank sends an evaluation that is new, and so discarded quietly."
        ),
    ],
    evaluate=_outcomes,
)


# Decisions ------------------------------------------------------------------------------------------


def _decisions(moment: Moment) -> Verdicts:
    recent, usual = views.mixes(moment.settings, now=moment.now)
    return {key(Topic.DECISIONS, "decision_mix_is_steady"): drift.is_steady(recent, usual)}


DECISIONS = Group(
    name="check_decisions",
    about="The mix of ALLOW, REVIEW and BLOCK.",
    specs=_specs(
        "decision_mix_is_steady", [Topic.DECISIONS], "The last hour's decisions are mixed as those of the day before."
    ),
    evaluate=_decisions,
)

GROUPS = (READING, RECENCY, RECORDS, OUTCOMES, DECISIONS)
