import pytest
from confluent_kafka import Producer

from fraud_platform.adapters.kafka_config import client_config
from fraud_platform.adapters.reader import TopicReader, newest
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests.patience import await_markers

pytestmark = pytest.mark.services


@pytest.fixture
def transactions(platform_settings):
    producer = Producer({**client_config(platform_settings), "transactional.id": f"{platform_settings.prefix}test"})
    producer.init_transactions(60)
    yield producer
    producer.purge()


def _write(producer, settings, topic, values, *, partition=0):
    for value in values:
        producer.produce(settings.naming.topic(topic), value, b"k", partition=partition)
    producer.flush(60)


def _read_all(settings, topic):
    with TopicReader(settings, topic) as reader:
        bounds = reader.bounds()
        starts = {partition: low for partition, (low, _) in bounds.items()}
        ends = {partition: end for partition, (_, end) in bounds.items()}
        return [record.value for record in reader.read(starts, ends)]


def test_committed_records_only_up_to_the_last_stable_offset(platform_settings, transactions):
    """committed | aborted | marker-only tail | open: reading ends before what is open, without waiting."""
    topic = Topic.UNIDENTIFIED
    transactions.begin_transaction()
    _write(transactions, platform_settings, topic, [b"1", b"2"])
    transactions.commit_transaction(60)
    transactions.begin_transaction()
    _write(transactions, platform_settings, topic, [b"never"])
    transactions.abort_transaction(60)
    await_markers(platform_settings)
    assert _read_all(platform_settings, topic) == [b"1", b"2"]
    transactions.begin_transaction()
    _write(transactions, platform_settings, topic, [b"open"])
    assert _read_all(platform_settings, topic) == [b"1", b"2"]
    transactions.commit_transaction(60)
    await_markers(platform_settings)
    assert _read_all(platform_settings, topic) == [b"1", b"2", b"open"]


def test_the_newest_are_found_behind_any_number_of_transaction_markers(platform_settings, transactions):
    for number in range(30):
        transactions.begin_transaction()
        _write(transactions, platform_settings, Topic.RESULT, [b"%d" % number], partition=number % 2)
        transactions.commit_transaction(60)
    await_markers(platform_settings)
    with TopicReader(platform_settings, Topic.RESULT) as reader:
        assert [record.value for record in newest(reader, 7)] == [b"%d" % n for n in range(23, 30)]
        assert len(newest(reader, 1000)) == 30
        assert newest(reader, 0) == []


def test_an_empty_topic_reads_as_nothing_at_once(platform_settings):
    assert _read_all(platform_settings, Topic.USERS) == []
    with TopicReader(platform_settings, Topic.USERS) as reader:
        assert newest(reader, 10) == []


def test_reading_leaves_no_trace_in_any_group(platform_settings, transactions):
    from confluent_kafka.admin import AdminClient

    _read_all(platform_settings, Topic.RESULT)
    groups = AdminClient(client_config(platform_settings)).list_consumer_groups().result(60).valid
    assert not [group for group in groups if group.group_id.startswith(platform_settings.prefix)]


def test_a_missing_topic_says_what_to_do(platform_settings):
    address = platform_settings.require("KAFKA_BOOTSTRAP_SERVERS")
    elsewhere = Settings(KAFKA_BOOTSTRAP_SERVERS=address, FRAUD_PREFIX="nowhere.")
    with (
        TopicReader(elsewhere, Topic.USERS) as reader,
        pytest.raises(ConfigurationError, match=r"no topic nowhere\.users that we can see; run `make up`"),
    ):
        reader.bounds()


def test_a_broker_that_is_away_is_one_sentence():
    away = Settings(KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    with (
        TopicReader(away, Topic.USERS, timeout_s=0.3) as reader,
        pytest.raises(BrokerUnavailable, match=r"^Kafka does not answer .*is it running\?$"),
    ):
        reader.bounds()
