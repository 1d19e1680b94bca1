"""One publication of a rule set as its record holds it: the content, and who made it active, when and why."""

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Self

import msgspec

from fraud_platform.core.outcome import Rejected
from fraud_platform.rules.parse import parse
from fraud_platform.rules.rule_set import VERSION_DIGITS, RuleSet

LONGEST_NOTE = 500
"""Characters."""


class Kind(StrEnum):
    """How a rule set became active."""

    SEEDED = "seeded"
    PUBLISHED = "published"
    ROLLED_BACK = "rolled back"


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """A record of the rule-sets topic; `number` counts from 1 and is its key, `content` the set's canonical JSON.

    `replaces` is the version that was active before, None for the first.
    """

    number: int
    version: str
    kind: Kind
    by: str
    at: datetime
    note: str = ""
    replaces: str | None = None
    content: msgspec.Raw

    @classmethod
    def of(
        cls, rule_set: RuleSet, after: "Publication | None", *, kind: Kind, by: str, at: datetime, note: str = ""
    ) -> Self:
        """The publication of a set that follows `after`."""
        content = rule_set.canonical()
        return cls(
            number=after.number + 1 if after else 1,
            version=_version(content),
            kind=kind,
            by=by,
            at=at,
            note=note,
            replaces=after.version if after else None,
            content=msgspec.Raw(content),
        )

    def again(self, after: "Publication", *, by: str, at: datetime, note: str = "") -> "Publication":
        """The return to this one's content, byte for byte."""
        return msgspec.structs.replace(
            self, number=after.number + 1, kind=Kind.ROLLED_BACK, by=by, at=at, note=note, replaces=after.version
        )

    @property
    def key(self) -> bytes:
        """The record's key: no two records share one, so compaction takes none away."""
        return str(self.number).encode()

    def encode(self) -> bytes:
        """The record's value."""
        return msgspec.json.encode(self)

    @property
    def counts(self) -> tuple[int, int]:
        """How many of its rules are on, and how many it has."""
        rules = _contents.decode(self.content).rules
        return sum(rule.enabled for rule in rules), len(rules)

    def rule_set(self) -> RuleSet | Rejected:
        """The set, under the version that it was published with, or why this process cannot apply it.

        The version is not computed anew: a later release may spell the same content otherwise, and decisions
        must go on naming the version that people know.
        """
        found = parse(bytes(self.content).decode())
        if isinstance(found, RuleSet):
            return msgspec.structs.replace(found, version=self.version)
        return Rejected("refused", f"its rule set is refused here, {found[0]}")


class _Rule(msgspec.Struct):
    enabled: bool = True


class _Content(msgspec.Struct):
    rules: list[_Rule]


_publications = msgspec.json.Decoder(Publication)
_contents = msgspec.json.Decoder(_Content)


def read(value: bytes | None) -> Publication | Rejected:
    """The publication in a record's value, or why there is none."""
    if value is None:
        return Rejected("no-value", "the record has no value")
    try:
        found = _publications.decode(value)
        bytes(found.content).decode()
        _contents.decode(found.content)
    except msgspec.ValidationError:
        return Rejected("schema", "the record is no publication of a rule set")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Rejected("invalid-json", "the record is not JSON")
    if found.at.tzinfo is None:
        return Rejected("schema", "the time of the publication has no zone")
    if _version(bytes(found.content)) != found.version:
        return Rejected("altered", "the content of the rule set is not that of its version")
    # The decoder's view would keep the whole record alive.
    return msgspec.structs.replace(found, content=found.content.copy())


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:VERSION_DIGITS]
