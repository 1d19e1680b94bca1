"""The example of docs/rules.md as a package of its own, and what becomes of criteria that are none."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, make_dataclass
from decimal import Decimal
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from fraud_platform.core.decisions import Action
from fraud_platform.errors import ConfigurationError
from fraud_platform.rules import registry
from fraud_platform.rules.criterion import Criterion, Finding, History, Match, Unclear
from fraud_platform.rules.engine import Engine
from fraud_platform.rules.event import Event
from fraud_platform.rules.groups import NO_FINDING
from fraud_platform.rules.parse import parse
from fraud_platform.rules.rule_set import Rule, RuleSet
from fraud_platform.rules.schema import rule_set_schema
from tests.rules.building import event

DOCS = Path(__file__).parents[2] / "docs" / "rules.md"


def block(language: str, place: int) -> str:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCS.read_text(), flags=re.DOTALL | re.MULTILINE)[place]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example as `pip install` would leave it: a module and the metadata of its distribution."""
    (tmp_path / "round_amount.py").write_text(block("python", 0))
    metadata = tmp_path / "round_amount-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: round-amount\nVersion: 1.0\n")
    group, name, value = re.search(r'entry-points\."(.+?)"\]\n(\w+) = "(.+)"', block("toml", 0)).groups()
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.installed.cache_clear()
    yield metadata
    monkeypatch.delitem(__import__("sys").modules, "round_amount", raising=False)
    registry.installed.cache_clear()


@pytest.mark.parametrize(("amount", "action"), [("300", "REVIEW"), ("300.01", "ALLOW"), ("0", "ALLOW")])
def test_the_documented_criterion_works_as_it_stands(installed: Path, amount: str, action: str) -> None:
    rules = parse(block("yaml", -1))
    assert isinstance(rules, RuleSet), rules
    assert Engine(rules).judge(event(0, amount)).decision.action == action


def test_its_parameters_are_checked_like_all_others(installed: Path) -> None:
    assert "RoundAmount" in rule_set_schema(registry.installed())["$defs"]
    (unknown,) = parse(block("yaml", -1).replace("multiple", "multiply"))[:1]
    assert "did you mean `multiple`?" in str(unknown) or "`multiple` is missing" in str(unknown)
    (refused,) = parse(block("yaml", -1).replace("100", "0"))
    assert str(refused) == "line 2: rule round, parameters: multiple is above 0"


def test_a_criterion_that_fails_leaves_its_own_rule_open_and_no_other(installed: Path) -> None:
    text = (
        block("yaml", -1)
        + "  - {id: big, criterion: HIGH_TRANSACTION_AMOUNT, parameters: {at_least: 1}, action: BLOCK}"
    )
    rules = parse(text)
    assert isinstance(rules, RuleSet)
    decision = Engine(rules).judge(event(0, amount="1E+30")).decision  # its remainder has too many digits
    assert [(each.rule_id, each.reason) for each in decision.not_evaluable] == [
        ("round", "the criterion failed with InvalidOperation")
    ]
    assert decision.action is Action.BLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd(Criterion):
    """A criterion of someone who has not read the documentation."""

    def evaluate(self, event: Event, history: History) -> Finding:
        return WRONG[event.sector]


WRONG: dict[str | None, Any] = {
    "yes": True,
    "no": False,
    "text": "BLOCK",
    "number": Match(observed=7),
    "limit": Match(observed="7", limit=Decimal(7)),
    "count": Match(observed="7", contributing_count="7"),
    "reason": Unclear(ValueError("secret")),
}


@pytest.mark.parametrize("kind", list(WRONG))
def test_what_is_no_finding_leaves_the_rule_open_and_stops_nothing(kind: str) -> None:
    test = Rule(id="odd", criterion="ODD", test=Odd(), action=Action.BLOCK)
    decision = Engine(RuleSet.of([test])).judge(event(sector=kind)).decision
    assert [(each.rule_id, each.reason) for each in decision.not_evaluable] == [("odd", NO_FINDING)]
    assert decision.action is Action.ALLOW


@pytest.mark.parametrize("name", ["Listed", "Rule", "List", "Entry", "Party"])
def test_a_criterion_may_have_any_class_name(name: str) -> None:
    own = make_dataclass(name, [("only", str)], bases=(Odd,), frozen=True, kw_only=True)
    criteria = {**registry.installed(), "MINE": own}
    schema = rule_set_schema(criteria)
    Draft202012Validator.check_schema(schema)
    assert all(pointer.removeprefix("#/$defs/") in schema["$defs"] for pointer in references(schema))
    mine = "  - {id: a, criterion: MINE, action: REVIEW, parameters: {only: x}}\n"
    theirs = "  - {id: b, criterion: LISTED, action: REVIEW, parameters: {list: l, fields: [account]}}\n"
    assert isinstance(parse(f"lists: {{l: {{accounts: [A]}}}}\nrules:\n{mine}{theirs}", criteria), RuleSet)
    (fault,) = parse(f"rules:\n{mine.replace('only', 'any')}", criteria)[:1]
    assert fault.line == 2


def references(schema: Any) -> set[str]:
    """Every `$ref` of a schema."""
    if isinstance(schema, list):
        return set().union(*map(references, schema))
    if not isinstance(schema, dict):
        return set()
    own = {schema["$ref"]} if isinstance(schema.get("$ref"), str) else set()
    return own.union(*map(references, schema.values()))


def test_the_rule_that_needs_no_code_is_accepted_as_it_stands() -> None:
    assert isinstance(parse("rules:\n" + block("yaml", 1)), RuleSet)
    assert isinstance(parse(block("yaml", 0)), RuleSet)


def test_two_packages_with_one_name_are_told_apart(installed: Path) -> None:
    (installed / "entry_points.txt").write_text(f"[{registry.GROUP}]\nLISTED = round_amount:RoundAmount\n")
    registry.installed.cache_clear()
    with pytest.raises(ConfigurationError, match="Two installed packages bring a criterion LISTED"):
        registry.installed()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no.such.module:X", "cannot be loaded: ModuleNotFoundError"),
        ("decimal:Decimal", "is not a frozen dataclass"),
        ("fraud_platform.rules.criterion:Criterion", "is not a frozen dataclass"),
    ],
)
def test_what_is_no_criterion_is_refused_by_name(value: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"The criterion MINE \({value}\) {reason}"):
        registry.load(EntryPoint("MINE", value, registry.GROUP))


def test_the_criteria_of_the_platform_come_the_same_way() -> None:
    assert set(registry.installed()) == {
        "HIGH_TRANSACTION_AMOUNT", "SMALL_INTERVAL", "SPECIFIC_SECTOR", "WINDOW_AGGREGATE", "LISTED",
        "RATIO_TO_HISTORY",
    }  # fmt: skip
