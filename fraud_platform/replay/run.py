"""A replay from the topics: what to read from where, and both topics side by side."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Self

import msgspec

from fraud_platform.adapters.admin import committed_offsets
from fraud_platform.adapters.avro import AvroReader
from fraud_platform.adapters.raw_log import Labels, RawLog, StoredDecisions, dead_offsets, place_among
from fraud_platform.adapters.registry import SchemaRegistry
from fraud_platform.adapters.rereader import KafkaRereader
from fraud_platform.adapters.rule_set_topic import read_history
from fraud_platform.errors import ConfigurationError
from fraud_platform.replay.book import AHEAD_MS, Book
from fraud_platform.replay.cases import Cases, Lines, Transfers
from fraud_platform.replay.engines import Engines
from fraud_platform.replay.filling import PastLines
from fraud_platform.replay.memory import Memory
from fraud_platform.replay.report import Range, Reading, Report, StageReport, told
from fraud_platform.replay.session import Look, Rules, Session
from fraud_platform.replay.side_by_side import Made, SideBySide
from fraud_platform.replay.tally import UNREADABLE, Tally
from fraud_platform.rules.history import History
from fraud_platform.rules.rule_set import RuleSet
from fraud_platform.settings import Settings
from fraud_platform.topology import MONITORING, STAGES, VALIDATION, Stage, Topic
from fraud_platform.validation.stage import question_about

WARM_ALL = 2_000_000
"""So many records before the range are read for the warm-up without being asked to: about a minute."""
_PAST_MS = 60_000


class Wanted(msgspec.Struct, frozen=True):
    """What to replay: Kafka time in epoch ms, half-open; `end_ms` None = to the present end.

    `rules` None = each decision's own. `warm_ms` = how long before the range the replay begins, None = as far as the
    windows need, or from the beginning of the topic where that is not far; 0 = no warm-up.
    """

    start_ms: int
    end_ms: int | None = None
    rules: RuleSet | None = None
    warm_ms: int | None = None
    stages: tuple[str, ...] = (MONITORING.name, VALIDATION.name)


Tell = Callable[[str, int, int], object]
"""Told the stage, and how many offsets of how many are read."""
Stop = Callable[[], bool]


def replay(settings: Settings, wanted: Wanted, *, tell: Tell = lambda *_: None, stop: Stop = lambda: False) -> Report:
    """Replay every stage that judges, and compare.

    Raises:
        ConfigurationError: a topic is missing, nothing was ever published, or a time lies before another.
        BrokerUnavailable, RegistryUnavailable: no answer.
    """
    begun = time.monotonic()
    now_ms = time.time_ns() // 1_000_000
    end_ms = min(now_ms, wanted.end_ms or now_ms)
    if wanted.start_ms >= end_ms:
        raise ConfigurationError("The time to replay ends before it begins.")
    history = read_history(settings)
    labelled = _Labelled.of(Labels(settings, wanted.start_ms - AHEAD_MS))
    found = []
    for name in wanted.stages:
        each = _StageReplay(settings, STAGES[name], wanted, history, labelled)
        found.append(each.run(tell, stop))
    return Report(
        start=_time(wanted.start_ms),
        end=_time(end_ms),
        rules=wanted.rules.version if wanted.rules else None,
        stages=tuple(found),
        seconds=round(time.monotonic() - begun, 3),
    )


class _Labelled(msgspec.Struct, frozen=True):
    """The labels, and the marks of what they call fraud."""

    labels: Labels
    fraud: set[int]

    @classmethod
    def of(cls, labels: Labels) -> Self | None:
        """None where there are no labels."""
        fraud: set[int] = set()
        is_empty = True
        for identity, is_fraud in labels:
            is_empty = False
            (fraud.add if is_fraud else fraud.discard)(identity)
        return None if is_empty else cls(labels, fraud)


class _StageReplay:
    def __init__(
        self, settings: Settings, stage: Stage, wanted: Wanted, history: History, labelled: _Labelled | None
    ) -> None:
        self._settings, self._stage, self._wanted, self._labelled = settings, stage, wanted, labelled
        (self._topic,) = stage.reads
        self._engines = Engines(history, wanted.rules)
        self._has_history = stage.changelog is not None
        self._end_ms = wanted.end_ms or 2**63

    def run(self, tell: Tell, stop: Stop) -> StageReport:
        with RawLog(self._settings, self._topic) as log:
            ranges = self._ranges(log)
            starts = {each.partition: each.warm for each in ranges}
            ends = {each.partition: each.end for each in ranges}
            times = log.first_times(starts, ends)
            begins_ms = min(times.values(), default=self._wanted.start_ms)
            # Where the past is not known, only a stored decision tells that a line of the warm-up was no repetition.
            is_alone = self._wanted.rules is not None and len(_whole(ranges)) == len(ranges)
            hears_from = max(0, (self._wanted.start_ms if is_alone else begins_ms) - _PAST_MS)
            with StoredDecisions(self._settings, self._stage, hears_from) as decisions:
                side = SideBySide(decisions, self._session(ranges, begins_ms, hears_from, stop))
                warmed = side.run(log, ranges, lambda read, of: tell(self._stage.name, read, of), stop)
            if side.waits and not stop():
                with StoredDecisions(self._settings, self._stage, max(0, hears_from - AHEAD_MS)) as older:
                    side.look_back(older, hears_from)
            side.finish()
            if decisions.unreadable:
                side.tally.not_compared[UNREADABLE] += decisions.unreadable
        self._score(side.tally)
        reading = Reading(
            stage=self._stage.name,
            topic=self._topic.value,
            ranges=tuple(ranges),
            warmed_from=_time(begins_ms) if warmed else None,
            warmed_records=warmed,
            is_whole=not self._has_history or not (starts.keys() - _whole(ranges)),
        )
        return told(reading, side.tally, is_scored=self._labelled is not None)

    def _ranges(self, log: RawLog) -> list[Range]:
        wanted, bounds = self._wanted, log.bounds()
        committed = committed_offsets(self._settings, self._stage)
        starts = log.starts_at(wanted.start_ms)
        ends = {p: end for p, (_, end) in bounds.items()}
        if wanted.end_ms is not None:
            ends |= {p: min(at, ends[p]) for p, at in log.starts_at(wanted.end_ms).items()}
        warm = self._warm(log, {p: low for p, (low, _) in bounds.items()}, starts)
        found = []
        for partition, end in sorted(ends.items()):
            read = committed.get((self._topic, partition), 0)
            start, last = starts[partition], min(end, read)
            found.append(Range(partition, min(warm[partition], start), min(start, last), last, max(0, end - read)))
        return [each if each.warm <= each.start else msgspec.structs.replace(each, warm=each.start) for each in found]

    def _warm(self, log: RawLog, lows: Mapping[int, int], starts: Mapping[int, int]) -> Mapping[int, int]:
        if not self._has_history or self._wanted.warm_ms == 0:
            return starts
        if self._wanted.warm_ms is None:
            if sum(starts[p] - low for p, low in lows.items()) <= WARM_ALL:
                return lows
            return log.starts_at(max(0, self._wanted.start_ms - self._engines.longest_ms()))
        return log.starts_at(max(0, self._wanted.start_ms - self._wanted.warm_ms))

    def _session(self, ranges: list[Range], begins_ms: int, hears_from_ms: int, stop: Stop) -> Made:
        whole, is_other = _whole(ranges), self._wanted.rules is not None
        excuses = self._has_history and (is_other or len(whole) < len(ranges))
        rules = Rules(self._engines.fixed, self._engines.of, self._engines.at(begins_ms))
        dead = dead_offsets(self._settings, self._stage, begins_ms)

        def made(look: Look) -> tuple[Session, Book, Tally]:
            tally, book = (
                Tally(is_other=is_other, excuses=excuses, fraud=self._labelled.fraud if self._labelled else None),
                Book(),
            )
            cases = self._cases(whole, len(ranges), stop)
            dated = self._wanted.start_ms, self._end_ms
            session = Session(
                cases, rules, tally, book, look=look, hears_from_ms=hears_from_ms, dead=dead, dated=dated
            )  # fmt: skip
            return session, book, tally

        return made

    def _cases(self, whole: set[int], count: int, stop: Stop) -> Cases:
        if self._topic is Topic.STATEMENTS:
            place = place_among(count)
            past = PastLines(KafkaRereader(self._settings, self._topic), place, self._engines, stop)
            return Lines(Memory(whole), place, past)
        decode = AvroReader(SchemaRegistry(self._settings)).decoder(self._topic)
        return Transfers(decode, question_about)

    def _score(self, tally: Tally) -> None:
        """The second look at the labels, for what was hit then or is now: the first one kept what is fraud alone."""
        asked = tally.asked
        if self._labelled is not None and asked:
            labels = self._labelled.labels
            tally.labelled({identity: is_fraud for identity, is_fraud in labels if identity in asked})


def _whole(ranges: list[Range]) -> set[int]:
    return {each.partition for each in ranges if each.warm == 0}


def _time(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
