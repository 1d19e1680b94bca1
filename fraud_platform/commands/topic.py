"""`fraud-platform topic NAME`: a topic's records as one JSON value a line."""

import base64
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TextIO

import msgspec

from fraud_platform.adapters.avro import AvroReader
from fraud_platform.adapters.reader import Stored, TopicReader, newest
from fraud_platform.adapters.registry import SchemaRegistry
from fraud_platform.core.masking import mask_text, mask_value
from fraud_platform.core.outcome import Rejected
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings
from fraud_platform.topology import TOPICS, Topic

DEFAULT_LIMIT = 10

Show = Callable[[bytes | None], Any]

# Fractions keep the digits that were written: neither binary floats nor a trailing zero lost.
_json = msgspec.json.Decoder(float_hook=lambda digits: msgspec.Raw(digits.encode()))


def topic(
    settings: Settings,
    name: str,
    *,
    from_beginning: bool,
    limit: int | None,
    follow: bool,
    envelope: bool,
    out: TextIO,
) -> int:
    """Print records of the topic `name` to `out` and return the exit code.

    The last `limit` (10 when None) records; with `from_beginning` the first ones up to the end seen at
    start, all when `limit` is None; with `follow` new ones until interrupted.

    Raises:
        ConfigurationError: no such topic, or a negative limit.
        BrokerUnavailable, RegistryUnavailable: no answer.
    """
    if limit is not None and limit < 0:
        raise ConfigurationError(f"--limit takes a number of records from 0 on, not {limit}.")
    which = find_topic(settings, name)
    show = shower(settings, which)
    with TopicReader(settings, which) as reader:
        records = _records(reader, from_beginning=from_beginning, limit=limit, follow=follow)
        try:
            _print(records, show, envelope=envelope, flush=follow, out=out)
        except BrokenPipeError:
            _hush(out)
        except KeyboardInterrupt:
            out.flush()
    return 0


def find_topic(settings: Settings, name: str) -> Topic:
    """The topic behind a name, with the platform's prefix or without.

    Raises:
        ConfigurationError: none of ours; the sentence lists them.
    """
    for spelled in (name, name.removeprefix(settings.prefix)):
        with suppress(ValueError):
            return Topic(spelled)
    raise ConfigurationError(f"There is no topic {name!r}; the topics are {', '.join(Topic)}.")


def shower(settings: Settings, which: Topic) -> Show:
    """How a value of the topic becomes something that JSON can hold, any plain ssn masked."""
    if which is Topic.DEAD_LETTERS:
        return as_text
    if TOPICS[which].schema is None:
        return from_json
    decode = AvroReader(SchemaRegistry(settings)).decode
    return lambda value: None if value is None else _from_avro(decode(value), value)


def from_json(value: bytes | None) -> Any:
    """A JSON value with its ssn fields masked; as text when it is none."""
    if value is None:
        return None
    try:
        return mask_value(_json.decode(value))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return as_text(value)


def as_text(value: bytes | None) -> Any:
    """The bytes as text with anything like an ssn masked, `{"base64": …}` when they are not UTF-8."""
    if value is None:
        return None
    masked = mask_text(value)
    try:
        return masked.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(masked).decode()}


def _from_avro(decoded: dict[str, Any] | Rejected, value: bytes) -> Any:
    return as_text(value) if isinstance(decoded, Rejected) else decoded


def _records(reader: TopicReader, *, from_beginning: bool, limit: int | None, follow: bool) -> Iterator[Stored]:
    if not from_beginning and not follow:
        return iter(newest(reader, DEFAULT_LIMIT if limit is None else limit))
    bounds = reader.bounds()
    ends = {partition: end for partition, (_, end) in bounds.items()}
    starts = {partition: low for partition, (low, _) in bounds.items()} if from_beginning else ends
    return islice(reader.read(starts, None if follow else ends), limit)


def _print(records: Iterable[Stored], show: Show, *, envelope: bool, flush: bool, out: TextIO) -> None:
    for record in records:
        value = show(record.value)
        out.write(_line(_enveloped(record, value) if envelope else value))
        if flush:
            out.flush()
    out.flush()


def _enveloped(record: Stored, value: Any) -> dict[str, Any]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": None if record.timestamp_ms is None else _iso(record.timestamp_ms),
        "key": as_text(record.key),
        "headers": {name: as_text(content) for name, content in record.headers},
        "value": value,
    }


def _iso(timestamp_ms: int) -> str:
    at = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _line(value: Any) -> str:
    return msgspec.json.encode(value).decode() + "\n"


def _hush(out: TextIO) -> None:
    """The reader of our output left (`| head`): no complaint, not from the flush at exit either."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
