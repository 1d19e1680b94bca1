"""LISTED: an account or a name of the transaction is on a named list."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import msgspec

from fraud_platform.rules.criterion import Criterion, Finding, History, Match, Unclear
from fraud_platform.rules.event import Event, text
from fraud_platform.rules.indexed import missing
from fraud_platform.rules.watch_list import WatchList


class Party(StrEnum):
    """What of a transaction can be on a list."""

    ACCOUNT = "account"
    COUNTERPARTY_ACCOUNT = "counterparty_account"
    COUNTERPARTY_NAME = "counterparty_name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Criterion):
    """One of the fields is on the list at event time; the decision names the list and its version, never the entry.

    Accounts are compared without blanks and case, names without case and repeated blanks. A missing field leaves
    the rule open unless another field is listed.
    """

    list: Annotated[WatchList, msgspec.Meta(description="Name of the list, as under `lists`.")]
    fields: Annotated[frozenset[Party], msgspec.Meta(description="What is looked up.", min_length=1)]

    def evaluate(self, event: Event, history: History) -> Finding:
        """Look each field up."""
        doubt: Unclear | None = None
        for party in sorted(self.fields):
            value = text(event, party.value)
            if value is None:
                doubt = doubt or missing(party.value)
                continue
            is_name = party is Party.COUNTERPARTY_NAME
            listed = (self.list.has_name if is_name else self.list.has_account)(value, event.at)
            if listed:
                return Match(observed=f"{party.value} listed: {self.list.name}@{self.list.version}")
            if listed is None:
                doubt = doubt or Unclear("the transaction has no time, and the entry has an expiry")
        return doubt
