"""A record of the transaction that was found in a topic, and what was found altogether."""

from collections.abc import Mapping
from typing import Any

import msgspec

from fraud_platform.topology import Topic

Place = tuple[Topic, int, int]
"""Topic, partition, offset."""


class Seen(msgspec.Struct, frozen=True):
    """One record. `at_ms` is Kafka's timestamp, epoch ms; `facts` hold what may be told of its content."""

    topic: Topic
    partition: int
    offset: int
    at_ms: int
    facts: Mapping[str, Any] = {}

    @property
    def place(self) -> Place:
        """Where it lies."""
        return self.topic, self.partition, self.offset


class Document(msgspec.Struct, frozen=True):
    """What MongoDB holds of the transaction: which record of which topic, and what may be told of its content."""

    topic: Topic
    partition: int
    offset: int
    facts: Mapping[str, Any] = {}


class Finds(msgspec.Struct, frozen=True):
    """All that was found.

    `documents` None = MongoDB was not asked or did not answer. `committed` is the next offset that a stage reads, by
    stage and input partition.
    """

    seen: tuple[Seen, ...] = ()
    documents: tuple[Document, ...] | None = None
    committed: Mapping[str, Mapping[tuple[Topic, int], int]] = {}

    def on(self, *topics: Topic) -> list[Seen]:
        """The records in these topics, by time and place."""
        found = [each for each in self.seen if each.topic in topics]
        return sorted(found, key=lambda each: (each.at_ms, each.place))
