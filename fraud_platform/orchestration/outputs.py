"""What a stage leaves behind, as assets: Kafka topics, S3 prefixes, MongoDB collections."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import dagster as dg

from fraud_platform.core.partitioning import topic_prefix
from fraud_platform.orchestration.code import version_of
from fraud_platform.orchestration.columns import avro_columns, schema_of
from fraud_platform.settings import Settings
from fraud_platform.topology import DAY_MS, STAGES, TOPICS, Stage, Topic, writers_of

OWNERS = ["team:fraud"]
FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=6), warn_window=timedelta(minutes=30))
"""A long run tells of its outputs every five minutes while records flow. By event time look the quality checks."""
_CHANGELOGS = {stage.changelog for stage in STAGES.values() if stage.changelog}
_NEED_NOT_FLOW = {
    *(Topic.LEDGER, Topic.DEAD_LETTERS),
    *_CHANGELOGS,
    *(topic for topic, spec in TOPICS.items() if spec.external),
}
"""What comes from outside is never materialized, and no outcome says how much a stage remembers."""
_CODE = {"accounting": "runtime"}
"""The folder of a group's code, where it is called otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One asset and the topic whose records it holds; `uri` needs settings, so it is asked at run time."""

    key: dg.AssetKey
    topic: Topic
    about: str
    kinds: frozenset[str]
    uri: Callable[[Settings], str]


def topic_key(topic: Topic) -> dg.AssetKey:
    """`kafka/<topic>`, by the topic's real name before the prefix."""
    return dg.AssetKey(["kafka", topic.value])


def topic_output(topic: Topic) -> Output:
    """The topic itself."""
    spec = TOPICS[topic]
    return Output(
        key=topic_key(topic),
        topic=topic,
        about=f"{spec.about} Key: {spec.key}.",
        kinds=frozenset({"kafka", _format(topic)}),
        uri=lambda settings: f"kafka://{settings.naming.topic(topic)}",
    )


def _format(topic: Topic) -> str:
    if TOPICS[topic].schema:
        return "avro"
    return "bytes" if topic is Topic.DEAD_LETTERS or topic in _CHANGELOGS else "json"


def object_output(topic: Topic) -> Output:
    """The topic's Avro files in the lake."""
    return Output(
        key=dg.AssetKey(["s3", topic.value]),
        topic=topic,
        about=f"Avro files by hour: every record of {topic.value} with its partition, offset and timestamp.",
        kinds=frozenset({"s3", "avro"}),
        uri=lambda settings: f"s3://{settings.lake_bucket}/{topic_prefix(settings.naming.topic(topic))}",
    )


def collection_output(topic: Topic, collection: str, about: str) -> Output:
    """The collection that holds the newest version of each id on the topic."""
    return Output(
        key=dg.AssetKey(["mongodb", collection]),
        topic=topic,
        about=about,
        kinds=frozenset({"mongodb"}),
        uri=lambda settings: f"mongodb:///{settings.mongodb_database}/{collection}",
    )


def owned_topics(stage: Stage) -> list[Topic]:
    """The topics whose assets belong to the stage: it is the first in flow order that writes them.

    What comes from outside belongs to nobody here, though a stage may send a record of it again.
    """
    written = [*stage.writes, *([stage.changelog] if stage.changelog else [])]
    return [topic for topic in written if not TOPICS[topic].external and writers_of(topic)[0] is stage]


def asset_spec(output: Output, *, group: str, deps: Sequence[dg.AssetKey] = ()) -> dg.AssetSpec:
    """How Dagster shows the output."""
    return dg.AssetSpec(
        key=output.key,
        deps=deps,
        description=output.about,
        group_name=group,
        kinds=set(output.kinds),
        owners=OWNERS,
        code_version=None if TOPICS[output.topic].external else version_of("core", "schemas", _CODE.get(group, group)),
        freshness_policy=None if output.topic in _NEED_NOT_FLOW else FRESH,
        metadata={**_facts(output), **_columns(output)},
    )


def _facts(output: Output) -> dict[str, Any]:
    if output.key.path[0] != "kafka":
        return {}
    spec = TOPICS[output.topic]
    days = "for ever" if spec.retention_ms < 0 else f"{spec.retention_ms // DAY_MS} days"
    return {"record_key": spec.key, "kept": days, "largest_value_bytes": spec.max_message_bytes}


def _columns(output: Output) -> dict[str, Any]:
    """`dagster/column_schema` from the topic's Avro schema; sinks add where each row came from."""
    name = TOPICS[output.topic].schema
    if name is None:
        return {}
    own = _POSITION.get(output.key.path[0], ())
    return {"dagster/column_schema": dg.TableSchema(columns=[*avro_columns(schema_of(name)), *own])}


def _position(*names: str) -> tuple[dg.TableColumn, ...]:
    about = "where the row came from"
    return tuple(
        dg.TableColumn(name=name, type=kind, description=about) for name, kind in _KINDS.items() if name in names
    )


_KINDS = {"kafka_partition": "int", "kafka_offset": "long", "kafka_timestamp": "timestamp-millis"}
_POSITION = {"s3": _position(*_KINDS), "mongodb": _position("kafka_partition", "kafka_offset")}
