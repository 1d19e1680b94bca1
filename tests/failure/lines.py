"""The inputs as a file that feeder and verifier share: one JSON array of key and base64 value per line."""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Line:
    """One record of bank-transactions."""

    key: str | None
    value: bytes | None


def save(lines: Sequence[Line], path: Path) -> None:
    path.write_text("".join(json.dumps([line.key, _text(line.value)]) + "\n" for line in lines))


def read(path: Path) -> Iterator[Line]:
    for text in path.read_text().splitlines():
        key, value = json.loads(text)
        yield Line(key, None if value is None else base64.b64decode(value))


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
