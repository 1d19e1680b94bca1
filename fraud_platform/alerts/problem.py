"""What is wrong, as a look at the platform finds it: pure."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """How soon a person should look."""

    WARNING = "warning"
    ERROR = "error"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong now.

    `key` stays the same for as long as it is the same problem. `title` says what happened, `text` what to do next;
    neither holds a record's values. `hold_s` is how long it must last before anybody is told.
    """

    key: str
    title: str
    text: str
    severity: Severity = Severity.ERROR
    hold_s: float = 0.0


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one look found.

    `unsure` are beginnings of keys that could not be looked at: such problems neither begin nor end. `memory` is what
    the look wants back the next time. `blind` says why nothing could be seen: then nothing begins or ends; it
    `will_pass` when a service is away, which has an alert of its own.
    """

    problems: Sequence[Problem] = ()
    unsure: Sequence[str] = ()
    memory: str = ""
    blind: str = ""
    will_pass: bool = False

    def is_unsure(self, key: str) -> bool:
        """Whether nothing is known about this problem now."""
        return bool(self.blind) or key.startswith(tuple(self.unsure))
