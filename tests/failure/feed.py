"""Sends the inputs at a steady rate: `python -m tests.failure.feed --inputs FILE --where FILE --rate N`.

At the end of its standard input it stops there, or sends the rest of `--at-least` as fast as it can. It prints how
many it has sent.
"""

import argparse
import json
import os
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from confluent_kafka import KafkaError, Message, Producer

from tests.failure.lines import Line, read
from tests.failure.plain import Where

FLUSH_S = 90
"""Longer than a broker takes to come back."""


def feed(
    where: Where, lines: Iterable[Line], *, rate: float, pause: Callable[[float], bool] = lambda _: False,
    at_least: int = 0,
) -> tuple[int, int]:  # fmt: skip
    """Send each record once; `rate` per second, 0 = as fast as possible. Returns how many were sent and arrived.

    `pause` waits, and tells whether to end.
    """
    sent = arrived = 0

    def on_delivery(error: KafkaError | None, _: Message) -> None:
        nonlocal arrived
        arrived += error is None

    producer = Producer(
        {
            "bootstrap.servers": where.bootstrap,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 1,
            "reconnect.backoff.max.ms": 500,  # what it measures is the platform, not its own way back
            "log_level": 0,
        }
    )
    for line in lines:
        # A pause of its own before each: time that the process spent frozen is not caught up with a burst.
        if pause(1 / rate if rate else 0) and sent >= at_least:
            break
        producer.produce(f"{where.prefix}{line.topic}", line.value, line.key, on_delivery=on_delivery)
        producer.poll(0)
        sent += 1
    producer.flush(FLUSH_S)
    return sent, arrived


def _listen(enough: threading.Event) -> None:
    os.read(sys.stdin.fileno(), 1)  # not through `sys.stdin`, whose lock would be in the way of leaving
    enough.set()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--where", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--at-least", type=int, default=0)
    asked = parser.parse_args()
    enough = threading.Event()
    threading.Thread(target=_listen, args=(enough,), daemon=True).start()
    where = Where(**json.loads(asked.where.read_text()))
    sent, arrived = feed(where, read(asked.inputs), rate=asked.rate, pause=enough.wait, at_least=asked.at_least)
    print(sent)
    return 0 if arrived == sent else 1


if __name__ == "__main__":
    sys.exit(main())
