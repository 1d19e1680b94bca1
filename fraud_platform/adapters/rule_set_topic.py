"""The rule-sets topic: its history, and how one publication follows another."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NoReturn, TypeVar

from confluent_kafka import KafkaError, Message, Producer

from fraud_platform.adapters.admin import high_watermarks
from fraud_platform.adapters.kafka_config import open_client
from fraud_platform.adapters.kafka_errors import RAISED, error_of, is_fenced, is_final, is_forbidden, raise_for
from fraud_platform.adapters.ledger import OPEN_TRANSACTION_S
from fraud_platform.adapters.reader import Stored, TopicReader
from fraud_platform.adapters.transactions import producer_config
from fraud_platform.core.outcome import Rejected
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.rules import files
from fraud_platform.rules.history import History
from fraud_platform.rules.publication import Kind, Publication
from fraud_platform.rules.rule_set import RuleSet
from fraud_platform.settings import Settings
from fraud_platform.topology import TOPICS, Topic

TIMEOUT_S = 15.0
"""For each step of a publication; the broker's first transaction ever takes some seconds."""
_LARGEST = TOPICS[Topic.RULE_SETS].max_message_bytes - 64 * 1024
"""Bytes of a record, with room for what Kafka puts around it."""
PLATFORM = "fraud-platform"
"""Who publishes the first rule set."""
_SEED_ATTEMPTS, _SEED_PAUSE_S = 10, 1.0


Made = TypeVar("Made", Publication, Publication | None)


class Overtaken(ConfigurationError):
    """Somebody else published in between; a person must look at what they did."""


def read_records(settings: Settings) -> list[Stored]:
    """Every committed record, those included whose commit is on its way now; raises as `read_history`."""
    with TopicReader(settings, Topic.RULE_SETS, timeout_s=OPEN_TRANSACTION_S) as reader:
        starts = {partition: low for partition, (low, _) in reader.bounds().items()}
        ends = {number: end for (_, number), end in high_watermarks(settings, [Topic.RULE_SETS]).items()}
        return list(reader.read(starts, ends))


def read_history(settings: Settings) -> History:
    """Every publication.

    Raises:
        BrokerUnavailable: no answer, or a transaction stays open.
        ConfigurationError: there is no such topic.
    """
    return History.of(record.value for record in read_records(settings))


def rule_set_of(publication: Publication) -> RuleSet:
    """Its rule set.

    Raises:
        ConfigurationError: this process cannot apply it, as when a criterion of somebody's own is not installed.
    """
    found = publication.rule_set()
    if isinstance(found, Rejected):
        raise ConfigurationError(f"The rule set {publication.version} cannot be used here: {found.reason}.")
    return found


def version(settings: Settings, name: str) -> RuleSet:
    """A rule set that was published once, by its version or the first letters of it.

    Raises:
        ConfigurationError: there is none, or it cannot be applied here.
        BrokerUnavailable: no answer.
    """
    return rule_set_of(read_history(settings).find(name))


def append(settings: Settings, make: Callable[[History], Made]) -> Made:
    """Write what `make` says follows the history; None = nothing. Nobody else writes between its look and the end.

    All publishers share one transactional id. Whoever opens it fences the one before, so of two at once the earlier
    one's record is either in the history that the later one sees, or never becomes visible.

    Raises:
        Overtaken: somebody else opened it meanwhile; nothing was written.
        ConfigurationError: what `make` raises; the set is too large; we may not write.
        BrokerUnavailable: no answer; whether the record is there, the history tells.
    """
    try:
        producer: Producer = open_client(Producer, producer_config(settings, settings.naming.rules_publisher))
        producer.init_transactions(TIMEOUT_S)
        publication = make(read_history(settings))
        if publication is not None:
            _write(producer, settings.naming.topic(Topic.RULE_SETS), publication)
    except RAISED as error:
        _fail(error_of(error))
    return publication


def _write(producer: Producer, topic: str, publication: Publication) -> None:
    value = publication.encode()
    if len(value) > _LARGEST:
        raise ConfigurationError(f"The rule set is too large: {len(value)} bytes, and Kafka takes {_LARGEST}.")
    failed: list[KafkaError] = []

    def heard(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error)

    producer.begin_transaction()
    producer.produce(topic, value, publication.key, on_delivery=heard)
    producer.flush(TIMEOUT_S)
    try:
        producer.commit_transaction(TIMEOUT_S)
    except RAISED as error:
        # A commit says only that something failed; what, the report of the record tells.
        told = error_of(error)
        _fail(told if is_fenced(told) or not failed else failed[0])


def _fail(error: KafkaError) -> NoReturn:
    if is_forbidden(error):  # Kafka calls a missing right fatal, as it does a fenced producer
        raise_for(error, "publish the rule set")
    if is_fenced(error):
        raise Overtaken(
            "Somebody else publishes a rule set at this moment, so this one was not published; look at"
            " `fraud-platform rules history` and try again."
        )
    if is_final(error):
        raise_for(error, "publish the rule set")
    raise BrokerUnavailable(
        f"Kafka did not confirm the rule set ({error.name()}); `fraud-platform rules history` tells whether it is"
        " there."
    )


def seed(settings: Settings) -> Publication | None:
    """Publish the first rule set, unless there is one: that of FRAUD_RULES_FILE, or the package's own.

    Raises:
        ConfigurationError: the file is refused, or we may not write.
        BrokerUnavailable: no answer.
    """
    if read_history(settings).publications:
        return None
    path = settings.rules_file or files.DEFAULT_FILE
    rule_set = files.load(path)

    def first(history: History) -> Publication | None:
        if history.publications:
            return None
        at, note = datetime.now(UTC), f"the first one, from {path.name}"
        return Publication.of(rule_set, None, kind=Kind.SEEDED, by=PLATFORM, at=at, note=note)

    for attempt in range(_SEED_ATTEMPTS):
        try:
            return append(settings, first)
        except Overtaken:
            # Whoever that was seeds too; apart in time one of us comes through.
            time.sleep(random.uniform(0, _SEED_PAUSE_S * (attempt + 1)))
    raise BrokerUnavailable("The first rule set could not be published: others try at the same time.")
