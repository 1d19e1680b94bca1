"""What the tables of the lake are called, and which columns make the ids of their rows."""

import pytest

from fraud_platform.catalog.tables import TABLES, ids_of
from fraud_platform.topology import FOREVER_MS, LAKE, TOPICS, Topic, TopicSpec


def test_each_topic_of_the_lake_is_a_table_with_an_id() -> None:
    assert [table.topic for table in TABLES] == list(LAKE.reads)
    assert {table.name: table.ids for table in TABLES}.items() >= {
        "landing_fraudulent_transactions_result": ("transaction_id",),
        "landing_users": ("id",),
        "landing_transaction_fraud_result": ("transactionid",),
        "landing_decisions": ("stage", "transaction_id"),
    }.items()


def test_a_new_topic_takes_its_id_from_its_schema() -> None:
    spec = TopicSpec(topic=Topic.RESULT, key="", schema="fraud_result", about="", retention_ms=FOREVER_MS)
    assert ids_of(spec) == ("transactionid",)


def test_a_topic_without_a_schema_has_no_table() -> None:
    with pytest.raises(ValueError, match="carries no Avro"):
        ids_of(TOPICS[Topic.DEAD_LETTERS])
