"""A publication as Dagster's metadata: rules in a table, lists as counts."""

from typing import Any

import dagster as dg
import msgspec

from fraud_platform.core.outcome import Rejected
from fraud_platform.rules.publication import Publication
from fraud_platform.rules.rule_set import RuleSet

_SHOWN = 1000


def facts_of(publication: Publication) -> dict[str, Any]:
    """Who, when and why, and what this process can read of the rules."""
    enabled, count = publication.counts
    rule_set = publication.rule_set()
    return {
        "version": publication.version,
        "number": publication.number,
        "how": publication.kind.value,
        "published_by": publication.by,
        "published_at": dg.MetadataValue.timestamp(publication.at),
        "note": publication.note or "none",
        "replaces": publication.replaces or "none",
        "dagster/row_count": count,
        "rules_enabled": enabled,
        **({"unreadable": rule_set.reason} if isinstance(rule_set, Rejected) else _tables(rule_set)),
    }


def _tables(rule_set: RuleSet) -> dict[str, Any]:
    content = msgspec.json.decode(rule_set.canonical())
    rules = [
        dg.TableRecord(
            {
                **{name: str(rule[name]) for name in ("id", "criterion", "action")},
                "enabled": rule["enabled"],
                "parameters": msgspec.json.encode(rule["parameters"]).decode(),
                "description": rule["description"],
            }
        )
        for rule in content["rules"][:_SHOWN]
    ]
    lists = [
        dg.TableRecord({"list": each.name, "accounts": len(each.accounts), "names": len(each.names)})
        for each in rule_set.lists.values()
    ]
    return {
        "lateness": rule_set.lateness.text,
        **({"rules": dg.MetadataValue.table(rules)} if rules else {}),
        **({"lists": dg.MetadataValue.table(lists)} if lists else {}),
    }
