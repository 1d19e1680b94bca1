"""The book of open problems: pure. It says when a person is told, and makes one problem one conversation.

Times are Unix seconds. A problem is told once it has lasted for its `hold_s`, again after each `repeat_s`, at once
when it gets worse, and a last time when it is over. One that comes back soon after waits for a while.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum

import msgspec

from fraud_platform.alerts.problem import Problem, Severity, Sight
from fraud_platform.alerts.wording import harmless

MAX_OPEN = 100
"""Problems that are kept apart; what goes beyond is one problem that counts the rest."""
MISSES = 2
"""Looks without the problem until it counts as over: what comes and goes is one conversation."""
QUIET_S = 900.0
"""So long after its end a problem that is back is not told: one that comes and goes must not ring all the time."""
GAP_S = 300.0
"""After a longer time without a look a problem must last anew: the platform may have been down in between."""
MAX_TITLE, MAX_TEXT = 160, 500
MORE = "more"


class Kind(StrEnum):
    """Which part of the conversation a message is."""

    RAISED = "raised"
    AGAIN = "still there"
    RECOVERED = "recovered"


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person is told. `since` = when the problem began, `at` = when the message was made."""

    kind: Kind
    key: str
    severity: Severity
    title: str
    text: str
    since: float
    at: float


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One problem of the book; `told_at` 0 = nobody has been told yet; `severity` = the highest that was told."""

    title: str
    text: str
    severity: Severity
    since: float
    told_at: float = 0.0
    misses: int = 0


class Book(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The open problems by key, those that ended lately with the end of their quiet, and when was looked last."""

    looked_at: float = 0.0
    entries: Mapping[str, Entry] = {}
    quiet: Mapping[str, float] = {}

    @property
    def told(self) -> dict[str, Entry]:
        """The problems that a person knows of."""
        return {key: entry for key, entry in self.entries.items() if entry.told_at}


def advance(book: Book, sight: Sight, *, now: float, repeat_s: float) -> tuple[Book, list[Message]]:
    """The book after a look, and what is to be told."""
    problems = {problem.key: problem for problem in _bounded(sight, book.told)}
    is_gap = now - book.looked_at > GAP_S
    quiet = {key: until for key, until in book.quiet.items() if now < until}
    entries: dict[str, Entry] = {}
    messages: list[Message] = []
    for key, problem in problems.items():
        entry, kind = _seen(book.entries.get(key), problem, now, repeat_s, is_gap=is_gap, is_quiet=key in quiet)
        entries[key] = entry
        if kind:
            messages.append(_message(kind, key, entry, now))
    for key, entry in book.entries.items():
        if key in problems:
            continue
        kept = _missed(entry, is_unsure=sight.is_unsure(key))
        if kept is not None:
            entries[key] = kept
        elif entry.told_at:
            messages.append(_message(Kind.RECOVERED, key, entry, now))
            quiet[key] = now + QUIET_S
    return Book(looked_at=book.looked_at if sight.blind else now, entries=entries, quiet=quiet), messages


def _bounded(sight: Sight, told: Collection[str]) -> list[Problem]:
    """Those that a person knows of come first: one that is cut off would seem to be over."""
    order = {Severity.ERROR: 0, Severity.WARNING: 1}
    problems = sorted(sight.problems, key=lambda each: (each.key not in told, order[each.severity], each.key))
    if len(problems) <= MAX_OPEN:
        return problems
    rest = len(problems) - MAX_OPEN + 1
    more = Problem(key=MORE, title=f"{rest} more problems of this kind", text="Dagster's pages list them all.")
    return [*problems[: MAX_OPEN - 1], more]


def _seen(
    entry: Entry | None, problem: Problem, now: float, repeat_s: float, *, is_gap: bool, is_quiet: bool
) -> tuple[Entry, Kind | None]:
    is_new = entry is None or (is_gap and not entry.told_at)
    since = now if is_new or entry is None else entry.since
    told_at = 0.0 if entry is None else entry.told_at
    kind: Kind | None = None
    if not told_at and not is_quiet and now - since >= problem.hold_s:
        kind = Kind.RAISED
    elif told_at and (now - told_at >= repeat_s or _is_worse(entry, problem)):
        kind = Kind.AGAIN
    found = Entry(
        title=harmless(problem.title, MAX_TITLE),
        text=harmless(problem.text, MAX_TEXT),
        # What hovers about a limit would else get worse again and again.
        severity=Severity.ERROR if told_at and entry and entry.severity is Severity.ERROR else problem.severity,
        since=since,
        told_at=now if kind else told_at,
    )
    return found, kind


def _is_worse(entry: Entry | None, problem: Problem) -> bool:
    return entry is not None and entry.severity is Severity.WARNING and problem.severity is Severity.ERROR


def _missed(entry: Entry, *, is_unsure: bool) -> Entry | None:
    """What is left of a problem that this look did not find; None = nothing."""
    if is_unsure:
        return entry
    if not entry.told_at or entry.misses + 1 >= MISSES:
        return None
    return msgspec.structs.replace(entry, misses=entry.misses + 1)


def _message(kind: Kind, key: str, entry: Entry, now: float) -> Message:
    return Message(
        kind=kind,
        key=key,
        severity=entry.severity,
        title=entry.title,
        text=entry.text,
        since=entry.since,
        at=now,
    )
