import base64
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from confluent_kafka import Producer

from fraud_platform.adapters.avro import AvroWriter
from fraud_platform.adapters.kafka_config import client_config
from fraud_platform.adapters.registry import SchemaRegistry
from fraud_platform.commands.topic import as_text, find_topic, from_json, topic
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests import builders

TODAY = datetime.now(UTC).replace(microsecond=123_000)
"""Older records than the topic keeps would be deleted at the broker's next look, each five minutes."""


def _produce(settings, which, *values, **choices):
    producer = Producer(client_config(settings))
    for value in values:
        producer.produce(
            settings.naming.topic(which),
            value,
            choices.get("key", b"k"),
            **{name: choice for name, choice in choices.items() if name != "key"},
        )
    assert producer.flush(10) == 0


def _shown(settings, name, **choices):
    choices = {"from_beginning": True, "limit": None, "follow": False, "envelope": False, **choices}
    out = io.StringIO()
    assert topic(settings, name, out=out, **choices) == 0
    return [json.loads(line, parse_float=str) for line in out.getvalue().splitlines()]


def test_a_name_is_known_with_the_platform_s_prefix_and_without():
    settings = Settings(FRAUD_PREFIX="mine-")
    assert find_topic(settings, "users") == find_topic(settings, "mine-users") == Topic.USERS


def test_an_unknown_name_lists_the_topics():
    with pytest.raises(ConfigurationError, match=r"no topic 'usres'; the topics are .*, users, .*rule-sets\.$"):
        find_topic(Settings(), "usres")


def test_json_keeps_the_digits_of_its_numbers_and_hides_each_ssn():
    shown = from_json(builders.raw(amount=1).replace(b'"amount": 1', b'"amount": 12.50'))
    assert shown["sender_details"]["ssn"] == shown["receiver_details"]["ssn"] == "***"
    assert b'"amount":12.50' in msgspec.json.encode(shown)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (b'{"ssn":"900-12-3456"', '{"ssn":"***"'),
        ("plain \u00e9".encode(), "plain \u00e9"),
        (b"\xff\x00\xfe", {"base64": base64.b64encode(b"\xff\x00\xfe").decode()}),
    ],
)
def test_raw_bytes_are_shown_as_masked_text_or_base64(value, shown):
    assert as_text(value) == shown


@pytest.mark.services
def test_json_and_broken_json_are_one_value_a_line(platform_settings):
    _produce(platform_settings, Topic.LABELS, b'{"a": 1.50}', b"broken", None)
    assert _shown(platform_settings, "labels") == [{"a": "1.50"}, "broken", None]


@pytest.mark.services
def test_avro_is_decoded_with_decimals_as_strings_and_times_as_iso(platform_settings):
    encode = AvroWriter(SchemaRegistry(platform_settings)).encoder(Topic.RESULT)
    row = {
        "TRANSACTION_ID": "t-1", "SENDER_BANK_ACCOUNT": "A", "SENDER_ID": "1", "RECEIVER_BANK_ACCOUNT": "B",
        "RECEIVER_ID": "2", "AMOUNT": Decimal("12.5"), "STATUS": None, "EVALUATION": "fraudulent",
        "TRANSFER_DATE": "2026-01-01", "SENDER_BANK": None, "SOURCE_PROCESS": "projection",
    }  # fmt: skip
    _produce(platform_settings, Topic.RESULT, encode(row))
    assert _shown(platform_settings, "fraudulent-transactions-result") == [{**row, "AMOUNT": "12.500000000"}]


@pytest.mark.services
def test_bytes_that_are_no_avro_do_not_end_the_listing(platform_settings):
    _produce(platform_settings, Topic.DECISIONS, b"not avro")
    assert _shown(platform_settings, "decisions") == ["not avro"]


@pytest.mark.services
def test_the_envelope_says_where_and_when_a_record_lies(platform_settings):
    headers = [("stage", b"ingestion"), ("reason", b"`$.amount` is negative")]
    _produce(
        platform_settings,
        Topic.DEAD_LETTERS,
        b'{"ssn":"1"}',
        partition=2,
        timestamp=round(TODAY.timestamp() * 1000),
        headers=headers,
    )
    (shown,) = _shown(platform_settings, "dead-letters", envelope=True)
    assert shown == {
        "topic": f"{platform_settings.prefix}dead-letters", "partition": 2, "offset": 0,
        "timestamp": TODAY.isoformat(timespec="milliseconds").replace("+00:00", "Z"), "key": "k",
        "headers": {"stage": "ingestion", "reason": "`$.amount` is negative"}, "value": '{"ssn":"***"}',
    }  # fmt: skip


@pytest.mark.services
def test_without_a_start_the_last_ten_are_shown_and_limit_changes_how_many(platform_settings):
    start = round(TODAY.timestamp() * 1000)
    for number in range(25):
        _produce(platform_settings, Topic.BANK_TRANSACTIONS, b"%d" % number, timestamp=start + number, key=None)
    assert _shown(platform_settings, "bank-transactions", from_beginning=False) == list(range(15, 25))
    assert _shown(platform_settings, "bank-transactions", from_beginning=False, limit=2) == [23, 24]
    assert len(_shown(platform_settings, "bank-transactions", limit=7)) == 7
    assert sorted(_shown(platform_settings, "bank-transactions")) == list(range(25))


@pytest.mark.services
def test_a_reader_that_leaves_early_hears_no_complaint(platform_settings):
    _produce(platform_settings, Topic.USERS, *[b"x" * 1000] * 500)
    code = (
        "import sys; from fraud_platform.commands.topic import topic;"
        "from fraud_platform.settings import Settings;"
        f"settings = Settings(KAFKA_BOOTSTRAP_SERVERS='{platform_settings.kafka_bootstrap_servers}',"
        f" SCHEMA_REGISTRY_URL='{platform_settings.schema_registry_url}',"
        f" FRAUD_PREFIX='{platform_settings.prefix}');"
        "sys.exit(topic(settings, 'users', from_beginning=True, limit=None, follow=False, envelope=False,"
        " out=sys.stdout))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 0
    assert process.stderr.read() == b""


@pytest.mark.services
def test_following_shows_what_arrives_later(platform_settings):
    class Screen(io.StringIO):
        """Sends a record once the first is shown, so that the second can only come from following."""

        def write(self, text: str) -> int:
            if not self.getvalue():
                _produce(platform_settings, Topic.LEDGER, b"later")
            return super().write(text)

    _produce(platform_settings, Topic.LEDGER, b"earlier")
    screen = Screen()
    topic(platform_settings, "ledger", from_beginning=True, limit=2, follow=True, envelope=False, out=screen)
    assert screen.getvalue().splitlines() == ['"earlier"', '"later"']


def test_a_negative_limit_is_one_sentence():
    with pytest.raises(ConfigurationError, match="--limit takes a number of records from 0 on, not -1"):
        topic(
            Settings(),
            "users",
            from_beginning=True,
            limit=-1,
            follow=False,
            envelope=False,
            out=io.StringIO(),
        )


@pytest.mark.services
@pytest.mark.parametrize("name", [Topic.BANK_TRANSACTIONS, Topic.DEAD_LETTERS])
def test_an_ssn_is_shown_by_neither_topic_that_holds_one(platform_settings, name):
    for value in (b'{"sender_details":{"ssn":"900-12-3456"},"n":1}', b'{"ssn":"900123456', b"900-12-3456"):
        _produce(platform_settings, name, value)
    out = io.StringIO()
    topic(platform_settings, name, from_beginning=True, limit=None, follow=False, envelope=True, out=out)
    shown = out.getvalue().replace(platform_settings.prefix, "")  # which is chosen at random
    assert shown.count("***") >= 3
    assert "3456" not in shown
