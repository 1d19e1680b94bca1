"""Rule sets as data: what is accepted, what is refused and where, and what makes a version."""

import json
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from fraud_platform.core.decisions import Action
from fraud_platform.errors import ConfigurationError
from fraud_platform.rules import files, registry, schema
from fraud_platform.rules.document import Fault
from fraud_platform.rules.duration import Duration
from fraud_platform.rules.engine import Engine
from fraud_platform.rules.parse import parse
from fraud_platform.rules.rule_set import RuleSet
from tests.rules.building import event, rule, rule_set

GOOD = """\
# amounts
lateness: 24h
rules:
  - id: high
    criterion: HIGH_TRANSACTION_AMOUNT
    parameters: {at_least: 10000, side: EITHER}
    action: REVIEW
    enabled: true
  - {id: sector, criterion: SPECIFIC_SECTOR, parameters: {sectors: [Other, Cash]}, action: BLOCK}
"""
SAME = """\
rules:
  - action: BLOCK
    criterion: SPECIFIC_SECTOR
    id: "sector"   # another order, another notation, defaults left out
    parameters: {sectors: [Cash, "Other"]}
  - {"id": "high", "action": "REVIEW", "criterion": "HIGH_TRANSACTION_AMOUNT", "parameters": {"at_least": "1e4"}}
""".replace("1e4", "10000.00")


def refused(written: str) -> list[str]:
    found = parse(written)
    assert not isinstance(found, RuleSet)
    return [str(fault) for fault in found]


def accepted(written: str) -> RuleSet:
    found = parse(written)
    assert isinstance(found, RuleSet), found
    return found


def test_the_version_is_that_of_the_content_whatever_its_form() -> None:
    assert accepted(GOOD).version == accepted(SAME).version


@pytest.mark.parametrize(
    ("old", "new"),
    [("10000", "10000.01"), ("REVIEW", "BLOCK"), ("true", "false"), ("24h", "25h"), ("id: high", "id: higher")],
)
def test_whatever_changes_the_judgement_changes_the_version(old: str, new: str) -> None:
    assert accepted(GOOD.replace(old, new)).version != accepted(GOOD).version


def test_the_canonical_form_reads_back_to_the_same_version() -> None:
    default = files.load()
    again = accepted(default.canonical().decode())
    assert (again.version, again.canonical()) == (default.version, default.canonical())


def test_a_list_has_a_version_of_its_own() -> None:
    text = "lists: {{a: {{accounts: [{}]}}}}\nrules: []\n"
    versions = {accepted(text.format(entry)).lists["a"].version for entry in ("GB1", "gb 1", "GB2")}
    assert len(versions) == 2


def test_the_default_set_is_the_published_one() -> None:
    default = files.load()
    on = {each.criterion: (each.action.value, each.test) for each in default.enabled}
    assert {name: action for name, (action, _) in on.items()} == {
        "HIGH_TRANSACTION_AMOUNT": "REVIEW", "SMALL_INTERVAL": "REVIEW", "SPECIFIC_SECTOR": "BLOCK",
    }  # fmt: skip
    assert (on["HIGH_TRANSACTION_AMOUNT"][1].at_least, on["HIGH_TRANSACTION_AMOUNT"][1].side) == (10_000, "EITHER")
    assert on["SPECIFIC_SECTOR"][1].sectors == {"Other"}
    assert on["SMALL_INTERVAL"][1].within == Duration.parse("10s")
    assert {each.criterion for each in default.rules} == set(registry.installed())


def test_the_published_schema_is_that_of_the_criteria() -> None:
    """Written anew by `python -m fraud_platform.rules.schema > fraud_platform/rules/rule-set.schema.json`."""
    published = json.loads((Path(files.__file__).parent / "rule-set.schema.json").read_text())
    Draft202012Validator.check_schema(published)
    assert published == json.loads(msgspec.json.encode(schema.rule_set_schema(registry.installed())))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("at_least: 10000", "at_least: much", "line 6: rule high, parameters.at_least: this must be a plain number"),
        ("at_least: 10000", "at_most: 10000", "line 6: rule high, parameters: `at_least` is missing"),
        ("at_least: 10000", "at_leest: 1, at_least: 1", "did you mean `at_least`?"),
        ("at_least: 10000", "at_least: 1e99", "line 6: rule high, parameters: at_least has more than 29 digits"),
        ("at_least: 10000", "at_least: -1", "line 6: rule high, parameters: at_least is not negative"),
        ("side: EITHER", "side: ETHER", "line 6: rule high, parameters.side: this is unknown; did you mean `EITHER`?"),
        ("HIGH_TRANSACTION_AMOUNT", "HIGH_AMOUNT", "line 5: rule high, criterion: this is unknown; did you mean"),
        ("action: REVIEW", "action: STOP", "line 7: rule high, action: this is unknown; known: ALLOW, BLOCK, REVIEW"),
        ("enabled: true", "enabled: no", "line 8: rule high, enabled: this must be true or false"),
        ("    action: REVIEW\n", "", "line 4: rule high: `action` is missing"),
        ("id: sector", "id: high", "line 9: the id high is also that of the rule at line 4"),
        ("id: high", "id: a b", "line 4: rule a b, id: this must be 1 to 100 letters"),
        ("[Other, Cash]", "[]", "line 9: rule sector, parameters.sectors: this must not be empty"),
        ("[Other, Cash]", "Other", "line 9: rule sector, parameters.sectors: this must be a list"),
        ("lateness: 24h", "lateness: 24", "line 2: lateness: this must be a text"),
        ("lateness: 24h", "lateness: 1w", "line 2: lateness: a duration is a number and its unit"),
        ("lateness: 24h", "lateness: 0s", "line 2: lateness: a duration is at least 1ms"),
        ("lateness: 24h", "latenes: 24h", "line 2: `latenes` is unknown; did you mean `lateness`?"),
        ("lateness: 24h", "rules: []", "the key `rules` is there more than once"),
        ("lateness: 24h", "lateness: &a 24h", "line 2: anchors and aliases"),
        ("lateness: 24h", "lateness: !!str 24h", "line 2: tags (!) are not allowed"),
        ("lateness: 24h", "lateness: [24h", "this is not YAML"),
        ("rules:", "rulez:", "line 3: `rulez` is unknown; did you mean `rules`?"),
    ],
)
def test_a_fault_is_told_with_its_line_and_reason(old: str, new: str, fault: str) -> None:
    assert any(fault in each for each in refused(GOOD.replace(old, new, 1))), refused(GOOD.replace(old, new, 1))


def test_every_fault_is_told_at_once() -> None:
    bad = GOOD.replace("10000", "much").replace("BLOCK", "STOP").replace("24h", "soon")
    assert [each.split(":")[0] for each in refused(bad)] == ["line 2", "line 6", "line 9"]


@pytest.mark.parametrize("written", ["", "# nothing\n", "[]", "7", "rules: {}", "\x00", "a: b: c", "- \t-", "{" * 5000])
def test_what_is_no_rule_set_is_refused_in_words(written: str) -> None:
    found = parse(written)
    assert not isinstance(found, RuleSet)
    assert all(isinstance(each, Fault) and each.line >= 1 for each in found)


@pytest.mark.parametrize(
    ("parameters", "fault"),
    [
        ("function: SUM, window: 1h, at_least: 1", "SUM needs a field"),
        ("function: SUM, field: sector, window: 1h, at_least: 1", "SUM is for amount, deposit, withdrawal, balance"),
        ("function: COUNT, window: 1h", "give either at_least or at_most"),
        ("function: COUNT, window: 1h, at_least: 1, at_most: 2", "give either at_least or at_most"),
        ("function: COUNT, window: 1h, at_least: 1.5", "the limit of COUNT is a whole number"),
        ("function: DISTINCT, field: sector, window: 1h, at_least: 101", "the limit of DISTINCT is at most 100"),
        ("function: COUNT, window: 1h, at_least: 1, filter: [{field: sector}]", "the filter on sector demands nothing"),
        ("function: COUNT, window: 1h, at_least: 1, filter: [{field: amount, one_of: [a]}]", "takes at_least and"),
        ("function: COUNT, window: 99999d, at_least: 1", "a duration is at least 1ms and at most 3660d"),
        ("function: COUNT, window: 1h, at_least: 1, field: ssn", "this is unknown"),
    ],
)
def test_a_window_that_cannot_be_computed_is_refused(parameters: str, fault: str) -> None:
    assert fault in refused(f"rules:\n  - {rule('WINDOW_AGGREGATE', parameters)}\n")[0]


def test_a_rule_names_a_list_that_is_there() -> None:
    listed = rule("LISTED", "list: unknown, fields: [account]")
    found = refused(f"lists: {{known: {{}}}}\nrules:\n  - {listed}\n")
    assert found == ["line 3: rule r-1, parameters.list: there is no such list; `lists` has known"]


def test_an_entry_is_never_quoted() -> None:
    found = refused(
        "lists:\n  a:\n    accounts: [{value: GB68SECRET, expires: tomorrow}, {valu: GB69SECRET}]\nrules: []\n"
    )
    assert found
    assert "SECRET" not in " ".join(found)


@pytest.mark.parametrize("instant", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00"])
def test_an_expiry_outside_of_the_calendar_is_refused(instant: str) -> None:
    found = refused(f'lists:\n  a:\n    names: [{{value: X, expires: "{instant}"}}]\nrules: []\n')
    assert len(found) == 1
    assert found[0].startswith("line 3: lists.a.names: in UTC this is outside of the years 1 to 9999")


@pytest.mark.parametrize("entry", ["00123456", "{value: 123456}", "1e5", "true"])
def test_an_account_of_digits_is_to_be_quoted(entry: str) -> None:
    (found,) = refused(f"lists:\n  a:\n    accounts: [{entry}]\nrules: []\n")
    assert found.endswith("; put it in quotes")
    assert "123456" not in found


def test_a_set_without_rules_allows_everything() -> None:
    assert Engine(accepted("rules: []")).judge(event(0, "1" * 20)).decision.action is Action.ALLOW


@pytest.mark.parametrize("word", ["no", "off", "10:30", "2026-01-01", "0x10", "1_000"])
def test_a_plain_word_stays_a_word(word: str) -> None:
    """YAML 1.1 made `no` a boolean and `10:30` the number 630."""
    found = rule_set(rule("SPECIFIC_SECTOR", f"sectors: [{word}]"))
    assert found.rules[0].test.sectors == {word}


@pytest.mark.parametrize(
    ("written", "text", "iso"),
    [("90m", "1h30m", "PT1H30M"), ("24h", "1d", "P1D"), ("1500ms", "1s500ms", "PT1.5S"), ("1d 1s", "1d1s", "P1DT1S")],
)
def test_a_duration_has_one_spelling(written: str, text: str, iso: str) -> None:
    span = Duration.parse(written)
    assert (span.text, span.iso, Duration.parse(span.text)) == (text, iso, span)


def test_a_file_is_refused_with_its_name_and_lines(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace("10000", "much"))
    with pytest.raises(ConfigurationError, match=r"mine.yaml:6: rule high, parameters.at_least: this must be"):
        files.load(path)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        files.load(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"rules: [\xe9]")
    with pytest.raises(ConfigurationError, match="is not UTF-8 text"):
        files.load(tmp_path / "latin.yaml")
