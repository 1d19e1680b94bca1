"""The least that exactly once costs with confluent-kafka: records go through unread. `passthrough.py COUNT`.

Client settings and size of transactions are those of the platform; beyond the calls to the client there is nothing.
"""

import json
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition

from fraud_platform.adapters.kafka import MAX_BATCH_RECORDS, consumer_config
from fraud_platform.adapters.transactions import producer_config
from fraud_platform.settings import load
from fraud_platform.topology import Topic


def main() -> None:
    settings, count = load(), int(sys.argv[1])
    source = settings.naming.topic(Topic.BANK_TRANSACTIONS)
    target = settings.naming.topic(Topic.UNIDENTIFIED)
    producer = Producer(producer_config(settings, f"{settings.prefix}passthrough"))
    producer.init_transactions(10)
    changes = {"enable.partition.eof": False, "auto.offset.reset": "earliest"}
    consumer = Consumer({**consumer_config(settings, f"{settings.prefix}passthrough", "0"), **changes})
    consumer.subscribe([source])
    done, started, cpu = 0, 0.0, 0.0
    while done < count:
        before = time.perf_counter(), time.process_time()
        messages = consumer.consume(min(MAX_BATCH_RECORDS, count - done), 0.2)
        if not messages:
            continue
        if not done:
            started, cpu = before
        producer.begin_transaction()
        ends = {}
        for message in messages:
            producer.produce(target, message.value(), message.key(), timestamp=message.timestamp()[1])
            ends[message.partition()] = message.offset() + 1
        producer.flush()
        offsets = [TopicPartition(source, partition, end) for partition, end in ends.items()]
        producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata())
        producer.commit_transaction()
        done += len(messages)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(json.dumps({"records": done, "seconds": seconds, "cpu": cpu}))
    consumer.close()


main()
