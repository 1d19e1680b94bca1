"""Text -> `RuleSet`, or every fault in it with its line."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from jsonschema import Draft202012Validator

from fraud_platform.core.decisions import Action
from fraud_platform.rules import parameters
from fraud_platform.rules.criterion import Criterion
from fraud_platform.rules.document import Document, Fault, Path, read
from fraud_platform.rules.duration import Duration
from fraud_platform.rules.refusals import faults_of, validator_of
from fraud_platform.rules.registry import Criteria, installed
from fraud_platform.rules.rule_set import DEFAULT_LATENESS, Rule, RuleSet, digest, instant_text, list_content, micros
from fraud_platform.rules.schema import rule_set_schema
from fraud_platform.rules.watch_list import FOREVER, WatchList

_PLACE = re.compile(r"^(?P<reason>.*?)( - at `\$(?P<place>.*)`)?$", re.DOTALL)
_NO_INSTANT = "this is not an ISO 8601 date or time, such as 2027-01-31 or 2027-01-31T12:00:00+00:00"
_NO_YEAR = "in UTC this is outside of the years 1 to 9999; leave `expires` out for an entry that stays"
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")


def parse(written: str, criteria: Criteria | None = None) -> RuleSet | tuple[Fault, ...]:
    """Check a rule set whole: its YAML, its schema, then what no schema can say.

    `criteria` are the installed ones unless given. Faults come in the order of their lines.
    """
    document = read(written)
    if isinstance(document, Fault):
        return (document,)
    known = installed() if criteria is None else criteria
    faults = set(faults_of(_validator(tuple(sorted(known.items()))), document))
    if faults:
        return tuple(sorted(faults))
    builder = _Builder(document, known)
    lists, lateness = builder.lists(), builder.lateness()
    rules = builder.rules(lists)
    if builder.faults:
        return tuple(sorted(builder.faults))
    return RuleSet.of(rules, lists.values(), lateness=lateness)


@lru_cache(maxsize=8)
def _validator(criteria: tuple[tuple[str, Any], ...]) -> Draft202012Validator:
    return validator_of(rule_set_schema(dict(criteria)))


class _Builder:
    """Makes the parts of a rule set from a document that its schema accepts; gathers what is still wrong."""

    def __init__(self, document: Document, criteria: Criteria) -> None:
        self._document, self._criteria = document, criteria
        self.faults: set[Fault] = set()

    def rules(self, lists: Mapping[str, WatchList]) -> list[Rule]:
        """Every rule that can be made."""
        first: dict[str, int] = {}
        made: list[Rule] = []
        for place, given in enumerate(self._document.data["rules"]):
            earlier = first.setdefault(given["id"], place)
            if earlier != place:
                line = self._document.line(("rules", earlier, "id"))
                self._fault(("rules", place, "id"), "", f"the id {given['id']} is also that of the rule at line {line}")
            test = self._test(place, given, lists)
            if test is not None:
                made.append(_rule(given, test))
        return made

    def lateness(self) -> Duration:
        """The lateness given, or the default."""
        try:
            given = self._document.data.get("lateness")
            return DEFAULT_LATENESS if given is None else Duration.parse(given)
        except ValueError as error:
            self._fault(("lateness",), "lateness", str(error))
            return DEFAULT_LATENESS

    def lists(self) -> dict[str, WatchList]:
        """The lists by name, each with the version that its entries give it."""
        made = {}
        for name, given in self._document.data.get("lists", {}).items():
            accounts = self._entries(("lists", name, "accounts"), given.get("accounts", []))
            names = self._entries(("lists", name, "names"), given.get("names", []))
            spelled = WatchList(name, "", accounts, names)
            version = digest(list_content(spelled.accounts, spelled.names))[:8]
            made[name] = WatchList(name, version, accounts, names)
        return made

    def _test(self, place: int, given: Mapping[str, Any], lists: Mapping[str, WatchList]) -> Criterion | None:
        path: Path = ("rules", place, "parameters")
        try:
            test = parameters.read(self._criteria[given["criterion"]], given["parameters"], lists)
            tuple(test.windows())  # a criterion of someone else may fail here: now, not on the stream
        except msgspec.ValidationError as error:
            found = _PLACE.match(str(error))
            steps = tuple(name or int(number) for name, number in _STEP.findall((found and found["place"]) or ""))
            where = f"rule {given['id']}, {'.'.join(['parameters', *map(str, steps)])}"
            self._fault((*path, *steps), where, found["reason"] if found else str(error))
        except Exception as error:  # noqa: BLE001 - a criterion of someone else; its author reads what it raised
            reason = f"the criterion {given['criterion']} failed: {type(error).__name__}: {error}"
            self._fault(path, f"rule {given['id']}", reason)
        else:
            return test
        return None

    def _entries(self, path: Path, given: list[Any]) -> dict[str, int]:
        made: dict[str, int] = {}
        for place, entry in enumerate(given):
            value, expires = (entry, None) if isinstance(entry, str) else (entry["value"], entry.get("expires"))
            expiry = FOREVER if expires is None else _expiry(expires)
            if isinstance(expiry, str):
                self._fault((*path, place, "expires"), ".".join(map(str, path)), expiry)
                continue
            made[value] = max(expiry, made.get(value, 0))
        return made

    def _fault(self, path: Path, where: str, reason: str) -> None:
        self.faults.add(Fault(self._document.line(path), where, reason))


def _expiry(written: str) -> int | str:
    """The moment in microseconds, or why it is none."""
    try:
        moment = micros(datetime.fromisoformat(written))
        instant_text(moment)  # versions are computed of it
    except OverflowError:
        return _NO_YEAR
    except ValueError:
        return _NO_INSTANT
    return moment


def _rule(given: Mapping[str, Any], test: Criterion) -> Rule:
    return Rule(
        id=given["id"],
        criterion=given["criterion"],
        test=test,
        action=Action(given["action"]),
        enabled=given.get("enabled", True),
        description=given.get("description", ""),
    )
