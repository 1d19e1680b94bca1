"""The banks' own verdicts and how often each occurs."""

from bisect import bisect
from collections.abc import Mapping
from itertools import accumulate
from math import isfinite
from typing import Generic, TypeVar

from fraud_platform.core.evaluation import FRAUDULENT, UNIDENTIFIED
from fraud_platform.errors import ConfigurationError

LEGITIMATE = "legitimate"
DEFAULT_MIX: Mapping[str, float] = {UNIDENTIFIED: 0.7, LEGITIMATE: 0.2, FRAUDULENT: 0.1}

Value = TypeVar("Value")


class Weighted(Generic[Value]):
    """Picks values by weight; `pick` takes a number in [0, 1), so that the caller owns the randomness."""

    def __init__(self, weights: Mapping[Value, float]) -> None:
        if not weights or any(weight < 0 or not isfinite(weight) for weight in weights.values()):
            raise ConfigurationError("A mix needs at least one value, and weights that are not negative.")
        self._values = tuple(value for value, weight in weights.items() if weight)
        if not self._values:
            raise ConfigurationError("A mix needs at least one weight above 0.")
        sums = list(accumulate(weights[value] for value in self._values))
        self._bounds = [bound / sums[-1] for bound in sums[:-1]]

    def pick(self, at: float) -> Value:
        """The value whose share of [0, 1) holds `at`."""
        return self._values[bisect(self._bounds, at)]


def parse_mix(text: str) -> dict[str, float]:
    """`fraudulent=0.1,unidentified=0.9` -> weights per evaluation; they need not add up to 1.

    Raises:
        ConfigurationError: not of this form.
    """
    mix: dict[str, float] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, weight = (piece.strip() for piece in part.partition("="))
        try:
            mix[name] = float(weight)
        except ValueError:
            raise ConfigurationError(_FORM) from None
        if not name:
            raise ConfigurationError(_FORM)
    Weighted(mix)
    return mix


_FORM = "A mix is a list of evaluations and weights, as in `fraudulent=0.1,unidentified=0.7,legitimate=0.2`."
