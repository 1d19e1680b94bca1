"""A moment, and samples."""

from datetime import UTC, datetime
from typing import Any

from fraud_platform.quality.records import Sampled

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def sampled(*rows: dict[str, Any] | None) -> list[Sampled]:
    """Records at offsets 0, 1, ...; None = one that cannot be decoded."""
    return [Sampled(2, n, row, "" if row is not None else "schema-mismatch") for n, row in enumerate(rows)]
