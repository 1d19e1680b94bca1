"""Sends the inputs at a steady rate: `python -m tests.failure.feed --inputs FILE --where FILE --rate N`."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka import KafkaError, Message, Producer

from tests.failure.lines import Line, read
from tests.failure.plain import Where


def feed(where: Where, lines: Sequence[Line], *, rate: float) -> int:
    """Send each record once; `rate` per second, 0 = as fast as possible. Returns how many arrived."""
    arrived = 0

    def on_delivery(error: KafkaError | None, _: Message) -> None:
        nonlocal arrived
        arrived += error is None

    producer = Producer(
        {
            "bootstrap.servers": where.bootstrap,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 1,
        }
    )
    for line in lines:
        # A pause of its own before each: time that the process spent frozen is not caught up with a burst.
        time.sleep(1 / rate if rate else 0)
        producer.produce(f"{where.prefix}bank-transactions", line.value, line.key, on_delivery=on_delivery)
        producer.poll(0)
    producer.flush(30)
    return arrived


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--where", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=0)
    asked = parser.parse_args()
    lines = list(read(asked.inputs))
    return 0 if feed(Where(**json.loads(asked.where.read_text())), lines, rate=asked.rate) == len(lines) else 1


if __name__ == "__main__":
    sys.exit(main())
