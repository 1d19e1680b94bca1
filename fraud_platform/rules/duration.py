"""Durations of rule sets: `10s`, `1h30m`, `30d`; exact microseconds inside."""

import re
from typing import Self

_UNITS = {"d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1_000}
PATTERN = r"^\s*([0-9]{1,9}\s*(d|h|ms|m|s)\s*)+$"
_PART = re.compile(r"([0-9]{1,9})\s*(d|h|ms|m|s)")
_SHORTEST = _UNITS["ms"]
_LONGEST = 3660 * _UNITS["d"]


class Duration(int):
    """A span of event time in microseconds, from a millisecond to ten years."""

    __slots__ = ()

    @classmethod
    def parse(cls, written: object) -> Self:
        """Read `30d`, `24h`, `10m`, `10s`, `500ms` and sums of them such as `1h30m`.

        Raises:
            ValueError: it is none of these, or too long or too short.
        """
        if not isinstance(written, str) or not re.match(PATTERN, written):
            raise ValueError("a duration is a number and its unit, such as 10s, 15m, 24h, 30d or 1h30m")
        micros = sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(written))
        if not _SHORTEST <= micros <= _LONGEST:
            raise ValueError("a duration is at least 1ms and at most 3660d")
        return cls(micros)

    @property
    def text(self) -> str:
        """The one spelling that `parse` reads back, largest units first."""
        rest, words = int(self), ""
        for unit, size in _UNITS.items():
            count, rest = divmod(rest, size)
            words += f"{count}{unit}" if count else ""
        return words

    @property
    def iso(self) -> str:
        """ISO 8601, as decisions show it: `PT10S`, `P30D`."""
        days, rest = divmod(int(self), _UNITS["d"])
        hours, rest = divmod(rest, _UNITS["h"])
        minutes, rest = divmod(rest, _UNITS["m"])
        clock = f"{hours}H" * bool(hours) + f"{minutes}M" * bool(minutes) + f"{seconds_text(rest)}S" * bool(rest)
        return "P" + f"{days}D" * bool(days) + f"T{clock}" * bool(clock)


def seconds_text(micros: int) -> str:
    """Seconds without trailing zeros."""
    whole, fraction = divmod(micros, _UNITS["s"])
    return f"{whole}.{fraction:06d}".rstrip("0").rstrip(".")
