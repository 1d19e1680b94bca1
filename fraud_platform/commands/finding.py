"""What `fraud-platform doctor` finds: values, so that each check can be tested by itself."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is; only a problem makes the doctor exit 1."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at: what is so, and how to mend it when it is not well."""

    about: str
    level: Level
    says: str
    mend: str = ""


def ok(about: str, says: str) -> Finding:
    """All is well."""
    return Finding(about=about, level=Level.OK, says=says)


def note(about: str, says: str, mend: str = "") -> Finding:
    """Good to know; nothing is broken."""
    return Finding(about=about, level=Level.NOTE, says=says, mend=mend)


def problem(about: str, says: str, mend: str) -> Finding:
    """Something that a person must mend."""
    return Finding(about=about, level=Level.PROBLEM, says=says, mend=mend)
