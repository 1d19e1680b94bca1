"""Topics and stores through their own clients: nothing here comes from the platform."""

import io
import json
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import boto3
import fastavro
import requests
from botocore.config import Config
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

Position = tuple[int, int]
"""(partition, offset)"""

OPEN_TRANSACTION_S = 20
"""Longer than the transaction of a dead process stays open."""
ANSWER_S = 60.0
"""Storms beside each other can hold a broker or a registry up for long."""


@dataclass(frozen=True)
class Where:
    """Addresses and names of one platform, as they stand in a JSON file."""

    bootstrap: str
    registry: str
    prefix: str
    mongodb: str
    database: str
    s3: str
    s3_access_key: str
    s3_secret_key: str
    bucket: str


@dataclass(frozen=True)
class Row:
    """A committed record."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def position(self) -> Position:
        return (self.partition, self.offset)


class Topics:
    """Reads whole topics, committed records only, and decodes the Confluent wire format."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._schemas: dict[int, Any] = {}
        properties = {
            "bootstrap.servers": where.bootstrap,
            "group.id": "nobody",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 10,  # a longer one holds up every other question on the connection
        }
        self._consumer = Consumer({**properties, "isolation.level": "read_committed"})
        self._all = Consumer({**properties, "isolation.level": "read_uncommitted"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._consumer.close()
        self._all.close()

    def partitions(self, topic: str) -> list[TopicPartition]:
        name = self._where.prefix + topic
        found = self._consumer.list_topics(name, timeout=ANSWER_S).topics[name]
        assert found.error is None, f"{name}: {found.error}"
        return [TopicPartition(name, number) for number in sorted(found.partitions)]

    def ends(self, topic: str) -> dict[int, int]:
        """The last stable offset of each partition."""
        assigned = self.partitions(topic)
        return {each.partition: self._consumer.get_watermark_offsets(each, timeout=ANSWER_S)[1] for each in assigned}

    def written(self, topic: str) -> dict[int, int]:
        """The end of each partition, records of open transactions included."""
        assigned = self.partitions(topic)
        return {each.partition: self._all.get_watermark_offsets(each, timeout=ANSWER_S)[1] for each in assigned}

    def read(self, topic: str, starts: Mapping[int, int] | None = None, *, wait: bool = True) -> list[Row]:
        """Every committed record from the beginning, or from `starts`, to the present end.

        It waits for transactions that are open now: a commit returns before its markers are written, and until
        then no reader of committed data sees it. Without `wait`, what can be read at once.
        """
        return sorted(self._rows(topic, starts or {}, wait=wait), key=lambda row: row.position)

    def _rows(self, topic: str, starts: Mapping[int, int], *, wait: bool) -> Iterator[Row]:
        assigned = self.partitions(topic)
        ends: dict[int, int] = {}
        for each in assigned:
            low, ends[each.partition] = self._all.get_watermark_offsets(each, timeout=ANSWER_S)
            each.offset = max(low, starts.get(each.partition, low))
        self._consumer.assign(assigned)
        open_partitions = {each.partition for each in assigned}
        while open_partitions:
            message = self._consumer.poll(OPEN_TRANSACTION_S + ANSWER_S)
            assert message is not None, f"{topic} sends nothing"
            error = message.error()
            if error is None:
                headers = {name: value.decode() for name, value in message.headers() or []}
                position = (message.partition(), message.offset(), message.timestamp()[1])
                yield Row(*position, message.key(), message.value(), headers)
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                if not wait or message.offset() >= ends[message.partition()]:
                    open_partitions.discard(message.partition())
        self._consumer.unassign()

    def decode(self, value: bytes | None) -> dict[str, Any]:
        assert value is not None
        magic, schema_id = struct.unpack_from(">bI", value)
        assert magic == 0
        if schema_id not in self._schemas:
            reply = requests.get(f"{self._where.registry}/schemas/ids/{schema_id}", timeout=ANSWER_S)
            self._schemas[schema_id] = fastavro.parse_schema(json.loads(reply.json()["schema"]))
        decoded: dict[str, Any] = fastavro.schemaless_reader(io.BytesIO(value[5:]), self._schemas[schema_id], None)
        return decoded


def committed_offsets(where: Where, group: str, topic: str) -> dict[int, int]:
    """The group's offsets per partition, those of an open transaction apart; partitions without one are left out."""
    properties = {"bootstrap.servers": where.bootstrap, "group.id": where.prefix + group}
    # A reader of committed data would wait for the end of a transaction that holds offsets.
    consumer = Consumer({**properties, "enable.auto.commit": False, "isolation.level": "read_uncommitted"})
    try:
        name = where.prefix + topic
        count = len(consumer.list_topics(name, timeout=ANSWER_S).topics[name].partitions)
        found = _ask(lambda: consumer.committed([TopicPartition(name, n) for n in range(count)], ANSWER_S))
    finally:
        consumer.close()
    return {each.partition: each.offset for each in found if each.offset >= 0}


def _ask(question: Callable[[], list[TopicPartition]], patience_s: float = 20) -> list[TopicPartition]:
    """Ask again while the broker is still looking for the group's coordinator."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return question()
        except KafkaException as error:
            starting = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS)
            if error.args[0].code() not in starting or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def s3_client(where: Where) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=where.s3,
        aws_access_key_id=where.s3_access_key,
        aws_secret_access_key=where.s3_secret_key,
        region_name="us-east-1",
        config=Config(proxies={}, s3={"addressing_style": "path"}),
    )


def lake_objects(where: Where, topic: str) -> dict[str, bytes]:
    """Every object of the topic's folder."""
    client = s3_client(where)
    prefix = f"fraudulent-transactions/{where.prefix}{topic}/"
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=where.bucket, Prefix=prefix)
    keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    return {key: client.get_object(Bucket=where.bucket, Key=key)["Body"].read() for key in keys}
