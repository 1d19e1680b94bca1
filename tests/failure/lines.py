"""The inputs as a file that feeder and verifier share: one JSON array of topic, key and base64 value per line."""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

BANK, STATEMENTS = "bank-transactions", "transaction.input"


@dataclass(frozen=True)
class Line:
    """One record of a topic that is filled from outside."""

    key: str | None
    value: bytes | None
    topic: str = BANK


def save(lines: Sequence[Line], path: Path) -> None:
    path.write_text("".join(json.dumps([line.topic, line.key, _text(line.value)]) + "\n" for line in lines))


def read(path: Path) -> Iterator[Line]:
    for text in path.read_text().splitlines():
        topic, key, value = json.loads(text)
        yield Line(key, None if value is None else base64.b64decode(value), topic)


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
