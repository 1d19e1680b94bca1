"""What the records of a transaction mean: its way through the stages, and the sentences that sum it up."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from fraud_platform.core.decisions import EXTERNAL
from fraud_platform.topology import DEAD_LETTERED, STAGES, Stage, Topic
from fraud_platform.trace.seen import Finds, Place, Seen

WAITING = "waiting"
UNKNOWN = "unknown"
"""The stage has read the record, and what it wrote was not found."""


class Step(msgspec.Struct, frozen=True):
    """What one stage made of one record; outcomes are those of the ledger, and `waiting`."""

    stage: str
    read: Place
    at_ms: int
    outcome: str
    why: str = ""
    wrote: tuple[Place, ...] = ()


class Explanation(msgspec.Struct, frozen=True):
    """The whole story; `verdict` in sentences, `decisions` as the topic holds them."""

    transaction_id: str
    verdict: tuple[str, ...]
    steps: tuple[Step, ...]
    decisions: tuple[Mapping[str, Any], ...]


def explained(transaction_id: str, finds: Finds) -> Explanation | None:
    """The story behind what was found; None when that is nothing."""
    if not finds.seen and not finds.documents:
        return None
    steps = tuple(_steps(finds))
    decisions = tuple(_decisions(finds))
    return Explanation(transaction_id, tuple(dict.fromkeys(_verdict(finds, steps, decisions))), steps, decisions)


# The way --------------------------------------------------------------------------------------------


def _steps(finds: Finds) -> list[Step]:
    """By time; what one stage passes on within the same millisecond comes in flow order."""
    flow = list(STAGES)
    reading = [(seen, stage) for seen in finds.on(*Topic) for stage in STAGES.values() if seen.topic in stage.reads]
    reading.sort(key=lambda each: (each[0].at_ms, flow.index(each[1].name)))
    return [_step(stage, seen, finds) for seen, stage in reading]


def _step(stage: Stage, seen: Seen, finds: Finds) -> Step:
    def made(outcome: str, why: str = "", wrote: list[Seen] | None = None) -> Step:
        return Step(stage.name, seen.place, seen.at_ms, outcome, why, tuple(each.place for each in wrote or ()))

    letter = next((each for each in finds.on(Topic.DEAD_LETTERS) if _stands_for(each, stage, seen)), None)
    if letter is not None:
        return made(DEAD_LETTERED, letter.facts["why"], [letter])
    if seen.offset >= finds.committed.get(stage.name, {}).get((seen.topic, seen.partition), 0):
        return made(WAITING)
    return made(*_OUTCOMES.get(stage.name, _stored)(seen, finds))


def _stands_for(letter: Seen, stage: Stage, seen: Seen) -> bool:
    facts = letter.facts
    return facts["stage"] == stage.name and (facts["topic"], facts["partition"], facts["offset"]) == seen.place


_Outcome = tuple[str, str, list[Seen]]


def _ingested(seen: Seen, finds: Finds) -> _Outcome:
    wrote = _outputs(seen, finds, Topic.FRAUDULENT, Topic.UNIDENTIFIED)
    if wrote:
        return f"accepted.{'fraudulent' if wrote[0].topic is Topic.FRAUDULENT else 'unidentified'}", "", wrote
    evaluation = seen.facts.get("evaluation")
    if evaluation in (None, "fraudulent", "unidentified"):
        return UNKNOWN, "", []
    return f"discarded.evaluation:{evaluation}", "", []


def _projected(seen: Seen, finds: Finds) -> _Outcome:
    wrote = [each for each in _outputs(seen, finds, Topic.RESULT) if each.facts["source"] == "projection"]
    return "accepted.projected" if wrote else UNKNOWN, "", wrote


def _validated(seen: Seen, finds: Finds) -> _Outcome:
    wrote = [each for each in _outputs(seen, finds, Topic.DECISIONS) if each.facts["stage"] == "validation"]
    if not wrote:
        return UNKNOWN, "", []
    action = wrote[0].facts["action"]
    if action == "ALLOW":
        return "discarded.legitimate", action, wrote
    rows = [each for each in _outputs(seen, finds, Topic.RESULT) if each.facts["source"] == "validation"]
    return "accepted.fraudulent", action, [*rows, *wrote]


def _monitored(seen: Seen, finds: Finds) -> _Outcome:
    if not seen.facts.get("is_home", True):
        return "rekeyed", "sent again to the partition of its account", _sent_again(seen, finds)
    decided = [each for each in finds.on(Topic.DECISIONS) if each.facts["stage"] == "monitoring"]
    mine = [each for each in decided if each.at_ms == seen.at_ms]
    copies = [each for each in finds.on(Topic.STATEMENTS) if each.facts.get("is_home", True)]
    first = next(each for each in copies if each.at_ms == seen.at_ms)
    if not mine or first != seen:
        return ("discarded.duplicate", "the id was judged before", []) if decided else (UNKNOWN, "", [])
    rows = [each for each in finds.on(Topic.MONITORED) if each.at_ms == seen.at_ms]
    return "accepted.hit" if mine[0].facts["hits"] else "accepted.clear", mine[0].facts["action"], [*rows, *mine]


def _sent_again(seen: Seen, finds: Finds) -> list[Seen]:
    """What a record became where its account belongs; all that it may be where several of one time came together."""
    again = [each for each in _outputs(seen, finds, Topic.STATEMENTS) if each.facts.get("is_home")]
    copies = [each for each in finds.on(Topic.STATEMENTS) if each.at_ms == seen.at_ms]
    away = [each for each in copies if not each.facts.get("is_home") and each.partition == seen.partition]
    if len(away) == len(again) and len(copies) == 2 * len(away):  # one partition is read in its order
        return [again[away.index(seen)]]
    return again


def _stored(_: Seen, __: Finds) -> _Outcome:
    return "stored", "", []


def _documented(seen: Seen, finds: Finds) -> _Outcome:
    newer = [
        each
        for each in finds.documents or ()
        if each.topic is seen.topic and (each.partition, each.offset) > (seen.partition, seen.offset)
        and each.facts.get("stage") == seen.facts.get("stage")
    ]  # fmt: skip
    return ("superseded", "a later row has the id", []) if newer else ("stored", "", [])


_OUTCOMES: Mapping[str, Callable[[Seen, Finds], _Outcome]] = {
    "ingestion": _ingested,
    "projection": _projected,
    "validation": _validated,
    "monitoring": _monitored,
    "documents": _documented,
}


def _outputs(seen: Seen, finds: Finds, *topics: Topic) -> list[Seen]:
    """What was written for the record: outputs carry its time, unless that lay in the future."""
    found = finds.on(*topics)
    timed = [each for each in found if each.at_ms == seen.at_ms]
    return timed or (found if len(finds.on(seen.topic)) == 1 else [])


# The sentences --------------------------------------------------------------------------------------


def _decisions(finds: Finds) -> Iterator[Mapping[str, Any]]:
    """Each stage's decisions, oldest first; those of documents whose records no topic gave."""
    found = finds.on(Topic.DECISIONS)
    yield from (each.facts for each in found)
    known = {(each.partition, each.offset) for each in found}
    for document in finds.documents or ():
        if document.topic is Topic.DECISIONS and (document.partition, document.offset) not in known:
            yield document.facts


def _verdict(finds: Finds, steps: tuple[Step, ...], decisions: tuple[Mapping[str, Any], ...]) -> Iterator[str]:
    yield from (_decided(each) for each in decisions)
    results = [each.facts for each in finds.on(Topic.RESULT)]
    results += [each.facts for each in finds.documents or () if each.topic is Topic.RESULT]
    if any(facts.get("source") == "projection" for facts in results):
        yield "The bank itself calls it fraudulent; no rule was asked."
    for step in steps:
        if step.outcome.startswith("discarded.evaluation:"):
            yield f"Discarded: the bank calls it {step.outcome.partition(':')[2]}, so nobody had to judge it."
        elif step.outcome == DEAD_LETTERED:
            yield f"It is a dead letter of {step.stage}: {step.why}."
        elif step.outcome == WAITING:
            yield f"It waits for {step.stage}."
        elif step.outcome == UNKNOWN:
            yield f"{step.stage} has read it; what it wrote was not found near its time."
    told = {step.wrote[0] for step in steps if step.outcome == DEAD_LETTERED}
    for letter in (each for each in finds.on(Topic.DEAD_LETTERS) if each.place not in told):
        yield f"It is a dead letter of {letter.facts['stage']}: {letter.facts['why']}."


def _decided(decision: Mapping[str, Any]) -> str:
    rules = ", ".join(hit["rule_id"] for hit in decision["hits"]) or "no rule hit"
    if decision["rule_set_version"] == EXTERNAL:
        return f"{decision['action']}, said a validator that gives no reasons."
    return f"{decision['action']} by the rules in {decision['stage']}: {rules}."
