"""A plain client that opens a transaction and does not end it: `... open_transaction BOOTSTRAP TOPIC ID`."""

import sys

from confluent_kafka import Producer

TIMEOUT_MS = 10_000
"""As the platform has it."""


def main(bootstrap: str, topic: str, transactional_id: str) -> None:
    """Say "open" once the broker has the record, and wait for the end of the input."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "transactional.id": transactional_id,
            "transaction.timeout.ms": TIMEOUT_MS,
            "log_level": 0,
        }
    )
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce(topic, b"open")
    assert producer.flush(60) == 0
    print("open", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
