"""The words of alerts: pure. The last guard against personal data stands here."""

import re
from datetime import UTC, datetime

_HOLE = "***"
# Our own sentences hold none of these. What a check of the user's own says might.
_PERSONAL = re.compile(
    r"""
      [\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+   # an e-mail address
    | \btok_[0-9a-f]{4,}_[0-9a-f]+            # a token of an ssn
    | \b\d{3}[- ]\d{2}[- ]\d{4}\b             # an ssn
    | \b[A-Za-z]{2}\d{2}[A-Za-z0-9]{11,30}\b # an IBAN, and in groups of four
    | \b[A-Za-z]{2}\d{2}(?:[ ][A-Za-z0-9]{4}){2,7}(?:[ ][A-Za-z0-9]{1,3})?\b
    | \+\d[\d ()-]{6,}\d                      # a telephone number
    | \d{9,}                                  # an account; our own numbers have commas
    | \b\d{4}(?:[ ]\d{4}){2,}\b               # the same in groups
    """,
    re.VERBOSE,
)
_ACCESS = re.compile(r"(?<=://)[^/\s@]{1,200}@")
_SURPLUS = 4
"""Of a text so many times as long as allowed the rest is not even looked at: it may be endless."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def harmless(text: str, limit: int) -> str:
    """The text on one line, at most `limit` characters, without what looks personal or like a password."""
    line = " ".join(_PERSONAL.sub(_HOLE, _ACCESS.sub("", text[: _SURPLUS * limit])).split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        hours, minutes = divmod(whole // _MINUTE, 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(whole // _HOUR, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def clock(at: float) -> str:
    """A Unix time as `2026-01-01 12:00:00Z`."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%SZ}"
