"""What `identical` means: both decisions, written with the same id, stage and time, are the same bytes."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.adapters.avro import topic_schema
from fraud_platform.adapters.avro_encoder import compile_encoder
from fraud_platform.core.decisions import Action, Decision, Hit, NotEvaluable
from fraud_platform.replay.compare import is_same
from fraud_platform.topology import Topic
from tests.rows import decision as row_of

_encode = compile_encoder(topic_schema(Topic.DECISIONS), header=b"")
_words = st.sampled_from(["", "a", "a ", "1", "1.0", "é"])
_hits = st.builds(
    Hit, rule_id=_words, criterion=_words, observed=st.none() | _words, limit=st.none() | _words,
    window=st.none() | st.just("PT10S"), contributing_count=st.sampled_from([0, 1, 2]), late=st.booleans(),
    action=st.sampled_from(Action),
)  # fmt: skip
_decisions = st.builds(
    Decision, transaction_id=st.just("t"), rule_set_version=st.just("v1"), action=st.sampled_from(Action),
    hits=st.lists(_hits, max_size=2).map(tuple),
    not_evaluable=st.lists(st.builds(NotEvaluable, rule_id=_words, reason=_words), max_size=2).map(tuple),
)  # fmt: skip


def bytes_of(decision: Decision) -> bytes:
    plain = msgspec.to_builtins(decision)
    return _encode(row_of("t", **{name: plain[name] for name in ("action", "hits", "not_evaluable")}))


def changed_once(decision: Decision) -> st.SearchStrategy[Decision]:
    """The decision, or one with another hit, so that pairs are often nearly the same."""
    others = _hits.map(lambda hit: msgspec.structs.replace(decision, hits=(*decision.hits[:-1], hit)))
    return st.just(decision) | others


@given(_decisions.flatmap(lambda one: st.tuples(st.just(one), _decisions | changed_once(one))))
def test_identical_decisions_are_the_same_bytes_and_no_others(pair: tuple[Decision, Decision]) -> None:
    assert is_same(*pair) == (bytes_of(pair[0]) == bytes_of(pair[1]))
