"""`fraud-platform explain TRANSACTION_ID`: what became of it, who decided, and why."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fraud_platform.adapters.traces import KafkaSources
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings
from fraud_platform.topology import DAY_MS, RETENTION_MS
from fraud_platform.trace.search import search
from fraud_platform.trace.seen import Finds, Place
from fraud_platform.trace.way import Explanation, explained

LONGEST_ID = 1024


def explain(settings: Settings, transaction_id: str, console: Console, *, whole: bool, as_json: bool) -> int:
    """Print the story of a transaction; nothing of a person is in it.

    Raises:
        ConfigurationError: nobody has seen such an id.
        BrokerUnavailable, RegistryUnavailable: no answer.
    """
    if not transaction_id.strip() or len(transaction_id) > LONGEST_ID:
        raise ConfigurationError(f"A transaction id has 1 to {LONGEST_ID} characters.")
    with console.status("Looking ...") as status:
        sources = KafkaSources(settings, transaction_id, tell=lambda what: status.update(f"Looking in {what} ..."))
        finds = search(sources, now_ms=time.time_ns() // 1_000_000, whole=whole)
    story = explained(transaction_id, finds)
    if story is None:
        raise ConfigurationError(_nobody(finds))
    if as_json:
        console.file.write(msgspec.json.format(msgspec.json.encode(to_json(story, finds)), indent=2).decode() + "\n")
    else:
        _show(story, finds, console)
    return 0


def _nobody(finds: Finds) -> str:
    days = RETENTION_MS // DAY_MS
    stores = "MongoDB has none either" if finds.documents is not None else "MongoDB, which may know it, does not answer"
    return f"No topic holds a transaction of that id from the last {days} days, and {stores}."


def to_json(story: Explanation, finds: Finds) -> dict[str, Any]:
    """The story as plain data."""
    return {
        "transaction_id": story.transaction_id,
        "verdict": story.verdict,
        "way": [
            {
                "stage": step.stage,
                "read": _place_json(step.read),
                "at": _iso(step.at_ms),
                "outcome": step.outcome,
                "why": step.why or None,
                "wrote": [_place_json(place) for place in step.wrote],
            }
            for step in story.steps
        ],
        "decisions": story.decisions,
        "in_mongodb": None if finds.documents is None else sorted({each.topic.value for each in finds.documents}),
    }


def _show(story: Explanation, finds: Finds, console: Console) -> None:
    console.print(Text(story.transaction_id, style="bold"))
    for sentence in story.verdict:
        console.print(Text(sentence))
    if story.steps:
        console.print()
        console.print(_way(story))
    for decision in story.decisions:
        console.print()
        _decision(decision, console)
    if finds.documents is None:
        console.print(Text("MongoDB does not answer, so only the topics were asked."))


def _way(story: Explanation) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("time (UTC)", "record", "stage", "outcome", "wrote"):
        table.add_column(name, overflow="fold")
    for step in story.steps:
        row = (_iso(step.at_ms), _place(step.read), step.stage, step.outcome, ", ".join(map(_place, step.wrote)))
        table.add_row(*map(Text, row))
    return table


def _decision(decision: Mapping[str, Any], console: Console) -> None:
    at = f", {decision['decided_at']:%Y-%m-%d %H:%M:%S} UTC" if decision.get("decided_at") else ""
    head = f"{decision['action']} by {decision['stage']}, rule set {decision['rule_set_version']}{at}"
    console.print(Text(head, style="bold"))
    if decision["hits"]:
        console.print(_hits(decision["hits"]))
    for each in decision.get("not_evaluable") or ():
        console.print(Text(f"not evaluable: {each['rule_id']}: {each['reason']}"))


def _hits(hits: list[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("rule", "criterion", "observed", "limit", "window", "count", "action", ""):
        table.add_column(name, overflow="fold")
    for hit in hits:
        table.add_row(*map(Text, _cells(hit)))
    return table


def _cells(hit: Mapping[str, Any]) -> Iterator[str]:
    for name in ("rule_id", "criterion", "observed", "limit", "window", "contributing_count", "action"):
        yield str(hit.get(name) if hit.get(name) is not None else "-")
    yield "late" if hit.get("late") else ""


def _place(place: Place) -> str:
    topic, partition, offset = place
    return f"{topic.value}/{partition}@{offset}"


def _place_json(place: Place) -> dict[str, Any]:
    topic, partition, offset = place
    return {"topic": topic.value, "partition": partition, "offset": offset}


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
