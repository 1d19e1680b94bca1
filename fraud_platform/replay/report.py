"""What a replay says, as data: counts, money as exact texts, ids as examples; nothing of a person."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from fraud_platform.core.decisions import canonical
from fraud_platform.replay.tally import Pile, RuleTally, Tally
from fraud_platform.rules.event import unscaled


class Some(msgspec.Struct, frozen=True):
    """Transactions of one kind: how many, the sum of their amounts, the ids of the first."""

    count: int
    money: str
    examples: tuple[str, ...]

    @classmethod
    def of(cls, pile: Pile) -> "Some":
        """The pile, told."""
        return cls(pile.count, canonical(unscaled(pile.units)), tuple(pile.examples))


class Score(msgspec.Struct, frozen=True):
    """Hits against labels.

    `precision`: of the labelled hits, the part that is fraud. `recall`: of the judged transactions that are labelled
    fraud, the part that is hit. None where there is nothing to divide by.
    """

    fraud: int
    legitimate: int
    precision: float | None
    recall: float | None

    @classmethod
    def of(cls, fraud: int, legitimate: int, positives: int) -> "Score":
        """From hits that are labelled fraud and not fraud, and all judged ones that are labelled fraud."""
        return cls(fraud, legitimate, _part(fraud, fraud + legitimate), _part(fraud, positives))


class RuleReport(msgspec.Struct, frozen=True):
    """One rule: its hits now, what differs from the stored decisions, where it is not evaluable, and how good it is.

    `otherwise`: hit then and now, but with another observed value, limit, count or mark.
    """

    rule: str
    hits: Some
    per_day: float | None
    newly: Some
    gone: Some
    otherwise: Some
    not_evaluable: int
    not_evaluable_before: int
    score: Score | None

    @classmethod
    def of(cls, rule: str, tally: RuleTally, of: Tally, *, is_scored: bool) -> "RuleReport":
        """The rule's tally, told."""
        return cls(
            rule=rule,
            hits=Some.of(tally.hits),
            per_day=_per_day(tally.hits.count, of.days_of(rule)),
            newly=Some.of(tally.newly),
            gone=Some.of(tally.gone),
            otherwise=Some.of(tally.otherwise),
            not_evaluable=tally.open,
            not_evaluable_before=tally.open_before,
            score=Score.of(tally.fraud, tally.legitimate, of.positives_of(rule)) if is_scored else None,
        )


class Move(msgspec.Struct, frozen=True):
    """Transactions whose action differs."""

    before: str
    now: str
    transactions: Some


class Range(msgspec.Struct, frozen=True):
    """Offsets `[start, end)` of one partition; `warm` = where reading began, `waiting` = not decided yet at its end."""

    partition: int
    warm: int
    start: int
    end: int
    waiting: int


class StageReport(msgspec.Struct, frozen=True):
    """One stage.

    `is_whole`: every account was followed from the first record that its partition ever had. By other rules `changed`
    has another action or other rules that hit, `reworded` the same with other figures or reasons; `flagged_before` and
    `score_before` tell of the stored decisions. `outside`: stored decisions whose record was not among those that were
    judged.
    """

    stage: str
    topic: str
    ranges: tuple[Range, ...]
    warmed_from: datetime | None
    warmed_records: int
    is_whole: bool
    outcomes: Mapping[str, int]
    days: float
    stored_versions: Mapping[str, int]
    identical: int
    different: Some
    missing: Some
    twice: Some
    changed: Some
    reworded: Some
    not_compared: Mapping[str, int]
    outside: int
    moves: tuple[Move, ...]
    flagged: Some
    flagged_per_day: float | None
    labelled_fraud: int | None
    score: Score | None
    flagged_before: Some | None
    score_before: Score | None
    rules: tuple[RuleReport, ...]

    @property
    def is_repeatable(self) -> bool:
        """Whether every decision that could be compared with one of the same rules is the same to the byte."""
        return not (self.different.count or self.missing.count or self.twice.count)

    @property
    def is_empty(self) -> bool:
        """Whether transactions were judged and not one could be compared with its stored decision."""
        told = (self.different, self.missing, self.twice, self.changed, self.reworded)
        return self.outcomes.get("judged", 0) > 0 and not self.identical and not any(each.count for each in told)


class Report(msgspec.Struct, frozen=True):
    """`start`, `end`: Kafka time, half-open. `rules`: the version that judged, None = each decision's own."""

    start: datetime
    end: datetime
    rules: str | None
    stages: tuple[StageReport, ...]
    seconds: float

    @property
    def is_repeatable(self) -> bool:
        """See `StageReport.is_repeatable`."""
        return all(stage.is_repeatable for stage in self.stages)

    @property
    def uncompared(self) -> tuple[str, ...]:
        """The stages of which nothing could be compared, see `StageReport.is_empty`."""
        return tuple(stage.stage for stage in self.stages if stage.is_empty)


class Reading(msgspec.Struct, frozen=True):
    """What a stage's replay read."""

    stage: str
    topic: str
    ranges: tuple[Range, ...]
    warmed_from: datetime | None
    warmed_records: int
    is_whole: bool


def told(reading: Reading, tally: Tally, *, is_scored: bool) -> StageReport:
    """What was read and what was found."""
    score = Score.of(tally.flagged_fraud, tally.flagged_legitimate, tally.positives) if is_scored else None
    before = Score.of(tally.before_fraud, tally.before_legitimate, tally.positives) if is_scored else None
    return StageReport(
        **msgspec.structs.asdict(reading),
        outcomes=dict(sorted(tally.outcomes.items())),
        days=round(tally.days, 4),
        stored_versions=dict(sorted(tally.stored_versions.items())),
        identical=tally.identical,
        different=Some.of(tally.different),
        missing=Some.of(tally.missing),
        twice=Some.of(tally.twice),
        changed=Some.of(tally.changed),
        reworded=Some.of(tally.reworded),
        not_compared=dict(sorted(tally.not_compared.items())),
        outside=tally.outside,
        moves=tuple(Move(*names, Some.of(pile)) for names, pile in sorted(tally.moves.items())),
        flagged=Some.of(tally.flagged),
        flagged_per_day=_per_day(tally.flagged.count, tally.days),
        labelled_fraud=tally.positives if is_scored else None,
        score=score,
        flagged_before=Some.of(tally.before) if tally.is_forecast else None,
        score_before=before if tally.is_forecast else None,
        rules=tuple(
            RuleReport.of(rule, each, tally, is_scored=is_scored) for rule, each in sorted(tally.rules.items())
        ),
    )


def to_json(report: Report) -> bytes:
    """The report as one JSON object, with what its properties say."""
    plain = msgspec.to_builtins(report)
    plain["is_repeatable"] = report.is_repeatable
    return msgspec.json.encode(plain)


def _part(of: int, whole: int) -> float | None:
    return round(of / whole, 4) if whole else None


def _per_day(count: int, days: float) -> float | None:
    return round(count / days, 2) if days else None
