"""MongoDB's plans of a query."""

from collections.abc import Iterator
from typing import Any


def lookups_of(plan: Any) -> Iterator[dict[str, Any]]:
    """The joins anywhere in a plan."""
    parts = plan.values() if isinstance(plan, dict) else plan if isinstance(plan, list) else ()
    if isinstance(plan, dict) and plan.get("stage") == "EQ_LOOKUP":
        yield plan
    for part in parts:
        yield from lookups_of(part)
