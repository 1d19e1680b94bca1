"""Request bytes and an engine -> reply: pure, so that asking again gives the same answer."""

import msgspec

from fraud_platform.core.decisions import Decision
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.questions import MAX_BATCH, Facts, parse_question
from fraud_platform.rules.engine import Engine
from fraud_platform.rules.events import event_of_question
from fraud_platform.validator_api.wire import BatchReply, Fault, ItemFailure, Reply


class _Named(msgspec.Struct):
    transaction_id: str


_items = msgspec.json.Decoder(list[msgspec.Raw])
_named = msgspec.json.Decoder(_Named)


def decide(facts: Facts, engine: Engine) -> Decision:
    """Apply the rules to one transfer without any history: those that need one are not evaluable."""
    return engine.judge_alone(event_of_question(facts))


def judge_one(raw: bytes | memoryview, engine: Engine) -> Reply | Rejected:
    """Judge one request, or say why it cannot be."""
    facts = parse_question(raw)
    return facts if isinstance(facts, Rejected) else Reply.of(decide(facts, engine))


def judge_batch(raw: bytes, engine: Engine) -> BatchReply | Rejected:
    """Judge an array of requests. A bad item is answered in its place, its neighbours are judged."""
    try:
        items = _items.decode(raw)
    except msgspec.ValidationError:
        return Rejected("schema", "the body is not a JSON array of requests")
    except (msgspec.DecodeError, RecursionError) as error:
        fault = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        return Rejected("invalid-json", f"the body is not a JSON array of requests: {fault}")
    if len(items) > MAX_BATCH:
        return Rejected("too-large", f"the batch has {len(items)} items, {MAX_BATCH} are allowed")
    return BatchReply([_judge_item(memoryview(item), engine) for item in items])


def _judge_item(raw: memoryview, engine: Engine) -> Reply | ItemFailure:
    reply = judge_one(raw, engine)
    if isinstance(reply, Reply):
        return reply
    return ItemFailure(_transaction_id(raw), Fault.of(reply))


def _transaction_id(raw: memoryview) -> str | None:
    try:
        return _named.decode(raw).transaction_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
