"""HIGH_TRANSACTION_AMOUNT: a large sum on either side of the account, or on one."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import msgspec

from fraud_platform.rules.indexed import AtLeast, Indexed
from fraud_platform.rules.parameters import Money
from fraud_platform.rules.window import NumberField


class Side(StrEnum):
    """Which side of a statement line is looked at."""

    EITHER = "EITHER"
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"


_FIELDS: dict[Side, NumberField] = {Side.EITHER: "amount", Side.DEPOSIT: "deposit", Side.WITHDRAWAL: "withdrawal"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HighTransactionAmount(Indexed):
    """The amount reaches a limit, inclusive."""

    at_least: Annotated[Money, msgspec.Meta(description="Smallest amount that hits, in major units.")]
    side: Annotated[Side, msgspec.Meta(description="EITHER is the larger of both sides.")] = Side.EITHER

    def __post_init__(self) -> None:
        """Refuse a limit that every transaction reaches."""
        if self.at_least < 0:
            raise ValueError("at_least is not negative")

    def test(self) -> AtLeast:
        """The amount of that side against the limit."""
        return AtLeast(_FIELDS[self.side], self.at_least)
