"""Named lists of accounts and people that LISTED rules look things up in."""

import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType

FOREVER = 2**62
"""Expiry of an entry that has none."""


def account_key(account: str) -> str:
    """Accounts are the same whatever their blanks and case."""
    return "".join(account.split()).upper()


def name_key(name: str) -> str:
    """Names are the same whatever their case, blanks and typographic forms."""
    return " ".join(unicodedata.normalize("NFKC", name).split()).casefold()


class WatchList:
    """A list and its version; entries map to their expiry in epoch microseconds.

    Entries are spelled the way they are compared; of one that comes twice the later expiry holds.
    """

    __slots__ = ("accounts", "name", "names", "version")

    def __init__(self, name: str, version: str, accounts: Mapping[str, int], names: Mapping[str, int]) -> None:
        self.name = name
        self.version = version
        self.accounts = _keyed(accounts, account_key)
        self.names = _keyed(names, name_key)

    def has_account(self, account: str, at: int | None) -> bool | None:
        """Whether the account is listed at that event time; None when only the time could tell."""
        return _holds(self.accounts.get(account_key(account)), at)

    def has_name(self, name: str, at: int | None) -> bool | None:
        """Whether the name is listed at that event time; None when only the time could tell."""
        return _holds(self.names.get(name_key(name)), at)


def _holds(expiry: int | None, at: int | None) -> bool | None:
    if expiry is None:
        return False
    if expiry == FOREVER:
        return True
    return None if at is None else at < expiry


def _keyed(entries: Mapping[str, int], key: Callable[[str], str]) -> Mapping[str, int]:
    keyed: dict[str, int] = {}
    for entry, expiry in entries.items():
        keyed[key(entry)] = max(expiry, keyed.get(key(entry), 0))
    return MappingProxyType(keyed)
