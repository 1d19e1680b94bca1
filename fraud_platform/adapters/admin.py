"""Kafka's administration: topics, group members, offsets and lag. Reads only, but for `ensure_topics`.

Every call ends within its timeout; what a broker that has just started cannot answer yet is asked again.

Groups are asked by the old calls on purpose: librdkafka's newer ones that go to a coordinator
(describe_consumer_groups, list_consumer_group_offsets) abort the whole process when its connection breaks
(librdkafka issue 4605; seen on each second kill of the broker).
"""

import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec

from fraud_platform.adapters.kafka_config import client_config, open_client
from fraud_platform.adapters.kafka_errors import is_forbidden, raise_for
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.settings import Settings
from fraud_platform.topology import STAGES, TOPICS, Stage, Topic, TopicSpec

TIMEOUT_S = 5.0
Partition = tuple[Topic, int]
"""A topic of ours and the number of one of its partitions."""
Answer = TypeVar("Answer")

# The broker's ways to say "there is no such group".
_NO_GROUP = {KafkaError.GROUP_ID_NOT_FOUND, KafkaError.INVALID_GROUP_ID}
_REFUSALS = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.INVALID_REPLICATION_FACTOR,
    KafkaError.INVALID_CONFIG,
    KafkaError.INVALID_PARTITIONS,
    KafkaError.POLICY_VIOLATION,
}
_NOT_YET = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
}
_RETRY_PAUSE_S = 0.1
# A kept connection of a broker that has started anew fails once; one that is away fails on.
_RECONNECT_S = 1.0
_RANDOM_ID = re.compile(r"-(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[A-Za-z0-9_-]{22})$")


# Topics ---------------------------------------------------------------------------------------------


def ensure_topics(settings: Settings, *, timeout_s: float = TIMEOUT_S) -> list[Topic]:
    """Create the topics that are missing and return them; existing ones stay as they are.

    Raises:
        BrokerUnavailable: no answer in time; asking again is harmless.
        ConfigurationError: the broker refuses a topic.
    """
    client = _client(settings)
    existing = _existing(client, timeout_s)
    missing = [spec for spec in TOPICS.values() if settings.naming.topic(spec.topic) not in existing]
    if not missing:
        return []
    futures = client.create_topics([_new_topic(settings, spec) for spec in missing], request_timeout=timeout_s)
    for name, future in futures.items():
        _created(name, future, timeout_s)
    # The controller knows a new topic a moment before the broker serves it; so with a new group index.
    end_offsets(settings, [spec.topic for spec in missing], timeout_s=2 * timeout_s)
    live_members(settings, timeout_s=2 * timeout_s)
    return [spec.topic for spec in missing]


def missing_topics(settings: Settings, *, timeout_s: float = TIMEOUT_S) -> list[Topic]:
    """The topics of ours that the broker does not have.

    Raises:
        BrokerUnavailable: no answer in time.
    """
    existing = _existing(_client(settings), timeout_s)
    return [topic for topic in TOPICS if settings.naming.topic(topic) not in existing]


def _new_topic(settings: Settings, spec: TopicSpec) -> NewTopic:
    replication = settings.replication_factor
    return NewTopic(
        settings.naming.topic(spec.topic),
        num_partitions=spec.partitions or settings.partitions,
        replication_factor=replication,
        config={
            "cleanup.policy": "delete",
            "retention.ms": str(spec.retention_ms),
            "max.message.bytes": str(spec.max_message_bytes),
            # One replica may be away; with fewer copies a committed record could vanish with its broker.
            "min.insync.replicas": str(max(1, replication - 1)),
            **spec.config,
        },
    )


def _created(name: str, future: "Future[None]", timeout_s: float) -> None:
    try:
        future.result(timeout_s + 1)
    except KafkaException as error:
        reason = error.args[0]
        if reason.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return
        if reason.code() in _REFUSALS:
            raise ConfigurationError(f"Kafka refuses to create the topic {name}: {reason.str()}") from None
        raise BrokerUnavailable(f"Kafka did not create the topic {name}: {reason.name()}.") from None
    except TimeoutError:
        raise BrokerUnavailable(f"Kafka did not create the topic {name} within {timeout_s:.0f} s.") from None


def _existing(client: AdminClient, timeout_s: float) -> set[str]:
    metadata = _ask(lambda left: client.list_topics(timeout=left), timeout_s)
    return {name for name, topic in metadata.topics.items() if topic.error is None}


def topic_numbers(
    settings: Settings, topics: Iterable[Topic], name: str, *, timeout_s: float = TIMEOUT_S
) -> dict[Topic, int]:
    """A setting of each topic as the broker has it, as `retention.ms` or `retention.bytes`; -1 = no such limit.

    Raises:
        BrokerUnavailable: no answer in time, or a topic is missing.
    """
    client = _client(settings)
    asked = {ConfigResource(ConfigResource.Type.TOPIC, settings.naming.topic(topic)): topic for topic in topics}

    def question(left: float) -> dict[Topic, int]:
        futures = client.describe_configs(list(asked), request_timeout=left)
        return {asked[each]: int(future.result(left)[name].value) for each, future in futures.items()}

    return _ask(question, timeout_s)


# Groups ---------------------------------------------------------------------------------------------


def describe_group_members(settings: Settings, stage: Stage, *, timeout_s: float = TIMEOUT_S) -> dict[str, bool]:
    """Which members of the stage's group live: `group.instance.id` -> present.

    Every slot of the settings is listed, and besides whoever else is there (a drain). A group that does not
    exist yet has no member.

    Raises:
        BrokerUnavailable: no answer in time: nothing is known about the members.
    """
    slots = {settings.naming.instance_id(stage, str(slot)): False for slot in range(settings.slots(stage))}
    return slots | dict.fromkeys(live_members(settings, [stage], timeout_s=timeout_s)[stage.name], True)


def live_members(
    settings: Settings, stages: Iterable[Stage] | None = None, *, timeout_s: float = TIMEOUT_S
) -> dict[str, list[str]]:
    """The `group.instance.id` (or member id) of each live member, per stage that consumes.

    Raises:
        BrokerUnavailable: no answer in time.
    """
    asked = {
        settings.naming.group(stage): stage.name
        for stage in (STAGES.values() if stages is None else stages)
        if stage.consumes
    }
    client = _client(settings)

    def question(left: float) -> dict[str, list[str]]:
        deadline = time.monotonic() + left
        return {name: _members(client, group, max(0.1, deadline - time.monotonic())) for group, name in asked.items()}

    return _ask(question, timeout_s) if asked else {}


def _members(client: AdminClient, group: str, left: float) -> list[str]:
    return [instance_of(member_id) for member_id in _member_ids(client, group, left)]


def _member_ids(client: AdminClient, group: str, left: float) -> list[str]:
    found = client.list_groups(group, timeout=left)
    for each in found:
        if each.error is not None and each.error.code() not in _NO_GROUP:
            raise KafkaException(each.error)
    return [member.id for each in found for member in each.members]


def member_ids(settings: Settings, stage: Stage, slot: str, *, timeout_s: float = TIMEOUT_S) -> list[str]:
    """The ids of the group's members under the slot's name: none or one.

    Raises:
        BrokerUnavailable: no answer in time.
    """
    client, name = _client(settings), settings.naming.instance_id(stage, slot)
    found = _ask(lambda left: _member_ids(client, settings.naming.group(stage), left), timeout_s)
    return [member_id for member_id in found if instance_of(member_id) == name]


def instance_of(member_id: str) -> str:
    """The `group.instance.id` in a member id: the broker appends a hyphen and a random id to it."""
    return _RANDOM_ID.sub("", member_id)


# Offsets --------------------------------------------------------------------------------------------


def committed_offsets(settings: Settings, stage: Stage, *, timeout_s: float = TIMEOUT_S) -> dict[Partition, int]:
    """The next offset to read per partition; partitions without a commit are left out.

    Raises:
        BrokerUnavailable: no answer in time.
    """
    wire = {settings.naming.topic(topic): topic for topic in stage.reads}
    consumer = _reader(settings, stage)

    def question(left: float) -> list[TopicPartition]:
        known = consumer.list_topics(timeout=left).topics
        asked = [TopicPartition(name, each) for name in wire for each in _partitions(known, name)]
        found = consumer.committed(asked, timeout=left)
        fault = next((each.error for each in found if each.error is not None), None)
        if fault is not None:
            raise KafkaException(fault)
        return list(found)

    try:
        found = _ask(question, timeout_s)
    finally:
        consumer.close()
    return {(wire[each.topic], each.partition): each.offset for each in found if each.offset >= 0}


def _reader(settings: Settings, stage: Stage) -> Consumer:
    """A consumer that never joins the group: it only asks for its offsets."""
    mine = {
        "group.id": settings.naming.group(stage),
        "enable.auto.commit": False,
        # A reader of committed data would wait here until a dead member's transaction times out.
        "isolation.level": "read_uncommitted",
    }
    return open_client(Consumer, {**client_config(settings), **mine})


def end_offsets(settings: Settings, topics: Iterable[Topic], *, timeout_s: float = TIMEOUT_S) -> dict[Partition, int]:
    """Where a read_committed reader ends now: the last stable offset of each partition.

    Raises:
        BrokerUnavailable: no answer in time, or a topic is missing.
    """
    return _offsets(settings, topics, OffsetSpec.latest(), timeout_s)


def high_watermarks(
    settings: Settings, topics: Iterable[Topic], *, timeout_s: float = TIMEOUT_S
) -> dict[Partition, int]:
    """Where each partition ends now, records of open transactions included.

    Raises:
        BrokerUnavailable: no answer in time, or a topic is missing.
    """
    return _offsets(settings, topics, OffsetSpec.latest(), timeout_s, IsolationLevel.READ_UNCOMMITTED)


def open_transactions(settings: Settings, *, timeout_s: float = TIMEOUT_S) -> list[Topic]:
    """The topics with records of a transaction that is neither committed nor aborted.

    Raises:
        BrokerUnavailable: no answer in time, or a topic is missing.
    """
    stable = end_offsets(settings, Topic, timeout_s=timeout_s)
    written = high_watermarks(settings, Topic, timeout_s=timeout_s)
    unstable = {partition[0] for partition, end in written.items() if stable[partition] < end}
    return [topic for topic in Topic if topic in unstable]


def begin_offsets(settings: Settings, topics: Iterable[Topic], *, timeout_s: float = TIMEOUT_S) -> dict[Partition, int]:
    """The first offset that each partition still has.

    Raises:
        BrokerUnavailable: no answer in time, or a topic is missing.
    """
    return _offsets(settings, topics, OffsetSpec.earliest(), timeout_s)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a group stands: offsets left per partition, 0 when none.

    `lost` are the partitions whose committed offset is no longer in the topic: retention, a topic made anew, or
    a hand that set it.
    """

    lag: Mapping[Partition, int]
    lost: tuple[Partition, ...]


def standing(settings: Settings, stage: Stage, *, timeout_s: float = TIMEOUT_S) -> Standing:
    """Compare the group's commits with its topics; without a commit, the lag counts from the beginning.

    Raises:
        BrokerUnavailable: no answer in time, or a topic is missing.
    """
    # Commits first: a later end can only be higher than one that was committed before.
    committed = committed_offsets(settings, stage, timeout_s=timeout_s)
    ends = end_offsets(settings, stage.reads, timeout_s=timeout_s)
    begins = begin_offsets(settings, stage.reads, timeout_s=timeout_s)
    return Standing(
        lag=_lag(committed, begins, ends),
        lost=tuple(p for p, at in committed.items() if p in ends and not begins.get(p, 0) <= at <= ends[p]),
    )


def lag(settings: Settings, stage: Stage, *, timeout_s: float = TIMEOUT_S) -> dict[Partition, int]:
    """Offsets between the group's commits and the last stable offsets; as in `standing`, whose errors it raises."""
    committed = committed_offsets(settings, stage, timeout_s=timeout_s)
    ends = end_offsets(settings, stage.reads, timeout_s=timeout_s)
    is_whole = ends.keys() <= committed.keys()
    return _lag(committed, {} if is_whole else begin_offsets(settings, stage.reads, timeout_s=timeout_s), ends)


def _lag(
    committed: Mapping[Partition, int], begins: Mapping[Partition, int], ends: Mapping[Partition, int]
) -> dict[Partition, int]:
    return {p: max(0, end - committed.get(p, begins.get(p, 0))) for p, end in ends.items()}


def _offsets(
    settings: Settings,
    topics: Iterable[Topic],
    where: OffsetSpec,
    timeout_s: float,
    level: IsolationLevel = IsolationLevel.READ_COMMITTED,
) -> dict[Partition, int]:
    client = _client(settings)
    wire = {settings.naming.topic(topic): topic for topic in topics}

    def question(left: float) -> dict[Partition, int]:
        known = client.list_topics(timeout=left).topics
        asked = {TopicPartition(name, each): where for name in wire for each in _partitions(known, name)}
        futures = client.list_offsets(asked, isolation_level=level, request_timeout=left)
        return {(wire[each.topic], each.partition): int(future.result(left).offset) for each, future in futures.items()}

    return _ask(question, timeout_s) if wire else {}


def _partitions(known: Mapping[str, Any], name: str) -> Iterable[int]:
    if name not in known or known[name].error is not None:
        raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    return sorted(known[name].partitions)


# The client -----------------------------------------------------------------------------------------

_clients: dict[tuple[object, ...], AdminClient] = {}
_clients_lock = threading.Lock()


def _client(settings: Settings) -> AdminClient:
    """One client per process and address: sensors ask often, and a connection costs more than a call."""
    config = client_config(settings)
    key = (os.getpid(), *sorted((name, value) for name, value in config.items() if name != "logger"))
    with _clients_lock:
        if key not in _clients:
            _clients[key] = open_client(AdminClient, config)
        return _clients[key]


def _ask(question: Callable[[float], Answer], timeout_s: float) -> Answer:
    """Ask until there is an answer; `question` is told the seconds that are left."""
    began = time.monotonic()
    deadline = began + timeout_s
    while True:
        left = max(0.1, deadline - time.monotonic())
        try:
            return question(left)
        except KafkaException as error:
            reason: KafkaError = error.args[0]
            if is_forbidden(reason):
                raise_for(reason, "answer")
            patience = deadline if reason.code() in _NOT_YET else began
            if reason.code() == KafkaError._TRANSPORT:  # noqa: SLF001 - the client's own name for it
                patience = min(deadline, began + _RECONNECT_S)
            if time.monotonic() + _RETRY_PAUSE_S > patience:
                raise BrokerUnavailable(f"Kafka does not answer as it should: {reason.name()}.") from None
        except TimeoutError:
            raise BrokerUnavailable(f"Kafka did not answer within {timeout_s:.0f} s.") from None
        time.sleep(_RETRY_PAUSE_S)
