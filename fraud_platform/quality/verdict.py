"""What a check says: pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Fact = int | float | str
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of one check of one topic.

    `description` says what was seen; of a failure also what to do next. A failure `is_warning` when a person should
    look at it some day and nothing is wrong yet. `facts` are the numbers behind it.
    """

    passed: bool
    description: str
    is_warning: bool = False
    facts: Mapping[str, Fact] = field(default_factory=dict)


def span(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`, `2.0 d`."""
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < _DAY:
        return f"{seconds / _HOUR:.1f} h"
    return f"{seconds / _DAY:.1f} d"
