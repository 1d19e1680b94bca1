"""The rule set that the service judges by: told whole, and changed while it serves."""

import json
from itertools import cycle

import pytest

from fraud_platform.validator_api.app import create_app
from fraud_platform.validator_api.wire import ActiveRules
from tests.rules.building import rule
from tests.validator_api.asgi import call
from tests.validator_api.builders import question
from tests.validator_api.rule_sets import DEFAULT, LARGE_AND_LISTED, compiled

STRICT = compiled("rules:\n- " + rule("HIGH_TRANSACTION_AMOUNT", "at_least: 0", action="BLOCK"))
LISTS = """\
lists:
  l: {accounts: [gb 1, {value: A-2, expires: 2027-01-31}], names: [Shell  Company]}
rules:
- {id: r, criterion: LISTED, action: BLOCK, parameters: {list: l, fields: [account]}}
"""


@pytest.mark.parametrize("written", [DEFAULT.rule_set.canonical().decode(), LARGE_AND_LISTED, LISTS, "rules: []"])
def test_the_rule_set_that_is_told_is_one_of_the_same_version(written: str) -> None:
    status, told = call(create_app(lambda: compiled(written)), "GET", "/rules")
    assert status == 200
    assert compiled(json.dumps(told["rule_set"])).rule_set.version == told["version"]
    assert told["rule_set"] == json.loads(compiled(written).rule_set.canonical())


def test_entries_with_an_expiry_say_when() -> None:
    told = ActiveRules.of(compiled(LISTS).rule_set).rule_set.lists["l"]
    assert [getattr(entry, "expires", entry) for entry in told.accounts] == ["2027-01-31T00:00:00+00:00", "GB1"]
    assert told.names == ["shell company"]


def test_another_rule_set_is_in_force_from_the_next_request_on() -> None:
    engine = DEFAULT
    app = create_app(lambda: engine)
    for engine, action in ((DEFAULT, "ALLOW"), (STRICT, "BLOCK"), (DEFAULT, "ALLOW")):
        version = engine.rule_set.version
        _, reply = call(app, "POST", "/validate", question())
        assert (reply["action"], reply["rule_set_version"]) == (action, version)
        assert call(app, "GET", "/rules")[1]["version"] == version
        assert call(app, "GET", "/readyz")[1] == {"status": "ready", "rule_set_version": version}


def test_all_items_of_a_batch_are_judged_by_one_version() -> None:
    """The rules change each time that they are asked for, which is once for each batch."""
    changing = cycle([DEFAULT, STRICT])
    app = create_app(lambda: next(changing))
    batches = [call(app, "POST", "/validate/batch", [question(f"t-{n}") for n in range(50)])[1] for _ in range(4)]
    found = [{item["rule_set_version"] for item in batch["results"]} for batch in batches]
    versions = [{DEFAULT.rule_set.version}, {STRICT.rule_set.version}]
    assert found == versions * 2
