"""The bank's own verdict -> where a transfer goes next."""

import re

FRAUDULENT = "fraudulent"
UNIDENTIFIED = "unidentified"
OTHER = "other"
MAX_NAMED_VALUES = 20
_SAFE = re.compile(r"[A-Za-z][A-Za-z_-]{0,31}")


class DiscardCounter:
    """Names the outcome of a discarded evaluation, with a bounded set of names.

    The first 20 values of at most 32 safe characters keep their name, so that a new spelling such as
    `FRAUD` shows up in the ledger by name; all else counts as `other`. Digits are not safe: a shifted
    column could put an account or an ssn here.
    """

    def __init__(self) -> None:
        self._named: dict[str, str] = {}

    def outcome(self, evaluation: str) -> str:
        """The ledger's outcome name for a transfer discarded because of `evaluation`."""
        known = self._named.get(evaluation)
        if known is not None:
            return known
        if len(self._named) >= MAX_NAMED_VALUES or not _SAFE.fullmatch(evaluation):
            return f"discarded.evaluation:{OTHER}"
        return self._named.setdefault(evaluation, f"discarded.evaluation:{evaluation}")
