"""What a query engine answers, whoever it is, and which statements it is asked at all."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from fraud_platform.errors import ConfigurationError

_COMMENT = re.compile(r"\s+|--[^\n]*(?:\n|$)|/\*.*?\*/", re.DOTALL)
_READS = {"SELECT", "WITH", "VALUES", "SHOW", "DESCRIBE"}


class Answer(msgspec.Struct, frozen=True):
    """The rows of a query as they come, and the names of its columns."""

    columns: Sequence[str]
    rows: Iterator[dict[str, Any]]


class QueryEngine(ABC):
    """Runs SQL over the catalog's tables and views; never writes."""

    @abstractmethod
    def ask(self, sql: str) -> Answer:
        """The answer to one statement, run as it stands.

        Raises:
            ConfigurationError: the statement would write, or the engine refuses it or us.
            StoreUnavailable: the engine, the catalog or the lake does not answer.
        """


def first_word(sql: str) -> str:
    """The statement's first word in upper case, comments apart; empty when there is none."""
    at = 0
    while found := _COMMENT.match(sql, at):
        at = found.end()
    word = re.match(r"\(*\s*(\w+)", sql[at:])
    return word[1].upper() if word else ""


def require_reading(sql: str) -> None:
    """Let only statements pass that read.

    Raises:
        ConfigurationError: this one would not, or there is none.
    """
    if first_word(sql) not in _READS:
        raise ConfigurationError(f"Queries only read: they begin with {', '.join(sorted(_READS))}.")


def unique(names: Sequence[str]) -> list[str]:
    """The names of columns, later ones of the same name numbered: `id`, `id_2`."""
    found: list[str] = []
    for name in names:
        number, free = 1, name
        while free in found:
            number += 1
            free = f"{name}_{number}"
        found.append(free)
    return found
