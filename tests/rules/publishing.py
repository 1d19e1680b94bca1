"""Publications for tests: complete by default."""

from datetime import UTC, datetime
from typing import Any

from fraud_platform.rules.publication import Kind, Publication
from fraud_platform.rules.rule_set import RuleSet
from tests.rules.building import rule, rule_set

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def limit(at_least: int, **changes: Any) -> RuleSet:
    """A rule set of one rule; another limit is another version."""
    return rule_set(rule("HIGH_TRANSACTION_AMOUNT", f"at_least: {at_least}", **changes))


def published(rules: RuleSet, after: Publication | None = None, **changes: Any) -> Publication:
    given: dict[str, Any] = {"kind": Kind.PUBLISHED, "by": "ada", "at": AT, "note": "why"}
    return Publication.of(rules, after, **given | changes)
