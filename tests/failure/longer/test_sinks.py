"""Sinks that die, sleep or race each other store each row once."""

from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from pymongo import MongoClient

from tests.failure.arena import Arena, arena
from tests.failure.evidence import READS, STORED
from tests.failure.longer.conftest import kept_its_word
from tests.failure.plain import Topics, Where
from tests.failure.plan import OUTLIVE, Stop
from tests.failure.watching import PATIENCE_S, seconds_until

pytestmark = [
    pytest.mark.services, pytest.mark.long, pytest.mark.timeout(3000), pytest.mark.xdist_group("storms-1"),
]  # fmt: skip


@pytest.mark.parametrize(("stage", "point"), [("lake", "after_s3_put"), ("documents", "after_mongo_write")])
def test_a_sink_killed_between_its_write_and_its_commit_stores_each_row_once(folder, sized, note, stage, point) -> None:
    stops = {stage: [Stop(point, 10)] * sized(20)}
    with arena(folder, records=sized(10_000), rate=60, stops=stops) as site:
        kills, _ = site.storm.strike_at(stops)
    report = site.verdict.report
    note(records=site.verdict.sent, kills=len(kills), objects_rows=report["s3"], documents=report["mongodb"])
    kept_its_word(site.verdict, kills)


def test_a_documents_writer_that_outlives_its_takeover_changes_nothing(folder, sized, note) -> None:
    stops = {"documents": [Stop("after_mongo_write", 8, OUTLIVE)] * sized(10)}
    with arena(folder, records=sized(8_000), rate=60, stops=stops) as site:
        _, zombies = site.storm.strike_at(stops)
    note(records=site.verdict.sent, zombies=len(zombies), exit_codes={zombie.exit_code for zombie in zombies})
    kept_its_word(site.verdict)


def test_two_documents_writers_with_the_same_records_in_hand_and_a_second_reading_change_nothing(
    folder, sized, note
) -> None:
    rounds = sized(10)
    stops = {"documents": [Stop("after_consume", 4), Stop("after_consume")] * rounds}
    zombies, kills = [], []
    with arena(folder, records=sized(8_000), rate=60, stops=stops) as site:
        for number in range(rounds):
            zombies.append(site.storm.race("documents"))
            site.storm.wait_for_progress(["documents"])
            if number < rounds - 1:
                kills.append(site.storm.kill("documents"))  # the next process stops itself again
        site.rest()
        site.judge()
        before = documents(site.where)
        read_again(site, "documents")
        after = documents(site.where)
        told = site.slots.logs()
    sizes = {name: len(found) for name, found in before.items()}
    note(
        records=site.verdict.sent, races=len(zombies), exit_codes={zombie.exit_code for zombie in zombies},
        documents=sizes, changed_by_a_second_reading=sum(before[name] != after[name] for name in before),
    )  # fmt: skip
    kept_its_word(site.verdict, kills)
    assert {zombie.exit_code for zombie in zombies} == {1}
    assert all(zombie.uncommitted for zombie in zombies)
    assert "E11000" not in told
    assert all(sizes.values())
    assert after == before


def documents(where: Where) -> dict[str, list[dict[str, Any]]]:
    """Every document of every collection that the stage fills, by id."""
    with MongoClient[dict[str, Any]](where.mongodb) as client:
        return {name: list(client[where.database][name].find().sort("_id")) for name in STORED.values()}


def read_again(site: Arena, stage: str) -> None:
    """Have the stage read its input from the beginning, as docs/operations.md tells how."""
    assert site.slots.remove(stage, PATIENCE_S) == 0
    with Topics(site.where) as topics:
        places = [TopicPartition(each.topic, each.partition, 0) for t in READS[stage] for each in topics.partitions(t)]
    admin = AdminClient({"bootstrap.servers": site.where.bootstrap})
    asked = ConsumerGroupTopicPartitions(f"{site.where.prefix}fraud-platform.{stage}", places)

    def reset() -> bool:
        try:
            (done,) = admin.alter_consumer_group_offsets([asked]).values()
            return all(each.error is None for each in done.result(10).topic_partitions)
        except KafkaException:
            return False  # the group still has its member

    seconds_until(reset, lambda: "the offsets cannot be set")
    site.slots.add(stage)
    site.storm.wait_until_all_is_read()
