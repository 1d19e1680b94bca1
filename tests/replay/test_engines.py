"""Which publication of a rule set judged a partition, and since when."""

from datetime import datetime, timedelta

import pytest

from fraud_platform.errors import ConfigurationError
from fraud_platform.replay.engines import Engines
from fraud_platform.rules.history import History
from fraud_platform.rules.publication import Publication
from fraud_platform.rules.rule_set import RuleSet
from tests.rules.publishing import AT, limit, published

A, B = limit(1), limit(2)


def engines() -> Engines:
    """A, B, A again and B again, an hour apart."""
    found: list[Publication] = []
    for n, rules in enumerate((A, B, A, B)):
        found.append(published(rules, found[-1] if found else None, at=AT + timedelta(hours=n)))
    return Engines(History(tuple(found)), None)


def ms(hours: float) -> int:
    return int((AT + timedelta(hours=hours)).timestamp() * 1000)


def hours(at: datetime | None) -> float | None:
    return None if at is None else (at - AT) / timedelta(hours=1)


@pytest.mark.parametrize(
    ("begins", "first", "asked", "since"),
    [
        (-5, A, (A, B, A, B), [0, 1, 2, 3]),
        (0, A, (B, B, A), [1, 1, 2]),
        (2.5, A, (A, B), [2, 3]),
        (1, B, (B, A, B, A), [1, 2, 3, 2]),
    ],
)
def test_a_partition_passes_publications_in_their_order(
    begins: float, first: RuleSet, asked: tuple[RuleSet, ...], since: list[float]
) -> None:
    found = engines()
    assert found.at(ms(begins)).rule_set == first
    versions = [each.version for each in asked]
    assert [hours(found.since(0, version)) for version in versions] == since
    assert hours(found.since(1, versions[0])) == since[0]  # each partition on its own


def test_what_was_never_published_has_no_engine_and_no_time() -> None:
    found = engines()
    assert found.of("external") is None
    assert found.since(0, "external") is None
    with pytest.raises(ConfigurationError, match="No rule set was ever published"):
        Engines(History(), None).at(ms(0))


def test_one_rule_set_may_judge_all() -> None:
    found = Engines(History(), limit(7))
    assert found.at(ms(0)) is found.fixed
