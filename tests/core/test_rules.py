import os
import subprocess
import sys
from decimal import Decimal

import pytest

from fraud_platform.core.decisions import Action, Hit, NotEvaluable
from fraud_platform.core.questions import Facts
from fraud_platform.core.rules import HighAmount, ReceiverListed, RuleSet, default_rule_set
from fraud_platform.core.watch_list import DEMO_MULE_ACCOUNTS

HIGH = HighAmount(id="high", limit=Decimal(10_000))
LISTED = ReceiverListed(
    id="listed",
    list_name="test-list",
    accounts=frozenset({"GB68 MULE 0001"}),
    names=frozenset({"Shell  Co Ltd"}),
)


def facts(
    amount: str = "10",
    *,
    account: str | None = "ACC-2",
    name: str | None = "Ada Example",
    transaction_id: str = "t-1",
) -> Facts:
    return Facts(transaction_id, Decimal(amount), account, name)


@pytest.mark.parametrize("amount", ["10000", "10000.00", "1E+4", "10000.000000001", "99999999999999999999"])
def test_an_amount_at_or_above_the_limit_is_for_review(amount: str) -> None:
    found = HIGH.evaluate(facts(amount))
    assert isinstance(found, Hit)
    assert (found.criterion, found.limit, found.action) == ("HIGH_TRANSACTION_AMOUNT", "10000", Action.REVIEW)
    assert Decimal(found.observed or "") == Decimal(amount)


@pytest.mark.parametrize("amount", ["0", "9999.99", "9999.999999999"])
def test_an_amount_below_the_limit_passes(amount: str) -> None:
    assert HIGH.evaluate(facts(amount)) is None


@pytest.mark.parametrize("account", ["GB68MULE0001", "gb68 mule 0001", " GB68MULE0001\n"])
def test_a_listed_account_is_blocked_however_it_is_written(account: str) -> None:
    found = LISTED.evaluate(facts(account=account))
    assert isinstance(found, Hit)
    assert (found.criterion, found.action) == ("LISTED", Action.BLOCK)


@pytest.mark.parametrize("name", ["Shell Co Ltd", "SHELL CO  LTD", " shell co ltd ", "Ｓｈｅｌｌ Co Ltd"])  # noqa: RUF001
def test_a_listed_name_is_blocked_however_it_is_written(name: str) -> None:
    assert isinstance(LISTED.evaluate(facts(name=name)), Hit)


def test_a_hit_names_the_list_and_never_the_entry() -> None:
    found = LISTED.evaluate(facts(account="GB68MULE0001", name="Shell Co Ltd"))
    assert isinstance(found, Hit)
    assert (found.observed, found.limit) == ("listed: test-list", None)


def test_somebody_else_passes() -> None:
    assert LISTED.evaluate(facts()) is None


@pytest.mark.parametrize(
    ("account", "name", "missing"),
    [
        (None, "Ada", "bank_account"),
        ("ACC-2", None, "name"),
        (None, None, "bank_account and no name"),
        ("", "", "name"),
    ],
)
def test_a_missing_field_leaves_the_rule_open(account: str | None, name: str | None, missing: str) -> None:
    found = LISTED.evaluate(facts(account=account, name=name))
    assert isinstance(found, NotEvaluable)
    assert missing in found.reason


def test_a_missing_name_does_not_hide_a_listed_account() -> None:
    assert isinstance(LISTED.evaluate(facts(account="GB68MULE0001", name=None)), Hit)


def test_a_list_without_names_needs_no_name() -> None:
    only_accounts = ReceiverListed(id="listed", list_name="x", accounts=frozenset({"A"}))
    assert only_accounts.evaluate(facts(name=None)) is None


def test_every_rule_is_applied_even_after_a_block() -> None:
    decision = RuleSet.of([LISTED, HIGH]).judge(facts("20000", account="GB68MULE0001"))
    assert [hit.rule_id for hit in decision.hits] == ["high", "listed"]
    assert decision.action is Action.BLOCK


def test_the_same_facts_get_the_same_decision() -> None:
    rules = RuleSet.of([LISTED, HIGH])
    assert rules.judge(facts("20000")) == rules.judge(facts("20000.00"))


def test_the_version_does_not_depend_on_order_or_spelling() -> None:
    respelled = HighAmount(id="high", limit=Decimal("10000.00"))
    assert RuleSet.of([HIGH, LISTED]).version == RuleSet.of([LISTED, respelled]).version


@pytest.mark.parametrize(
    "changed",
    [
        HighAmount(id="high", limit=Decimal("10000.01")),
        HighAmount(id="other", limit=Decimal(10_000)),
        HighAmount(id="high", limit=Decimal(10_000), action=Action.BLOCK),
    ],
)
def test_any_change_of_a_rule_changes_the_version(changed: HighAmount) -> None:
    assert RuleSet.of([changed]).version != RuleSet.of([HIGH]).version


def test_one_more_entry_changes_the_version() -> None:
    longer = ReceiverListed(id="listed", list_name="test-list", accounts=LISTED.accounts | {"B"}, names=LISTED.names)
    assert RuleSet.of([longer]).version != RuleSet.of([LISTED]).version


@pytest.mark.parametrize("seed", ["1", "2"])
def test_every_process_computes_the_same_version(seed: str) -> None:
    """Sets iterate in an order that differs from process to process."""
    program = "from fraud_platform.core.rules import default_rule_set; print(default_rule_set().version)"
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    told = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == default_rule_set().version


def test_two_rules_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="unique, got high, high"):
        RuleSet.of([HIGH, HIGH])


def test_a_limit_that_is_no_amount_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a finite number"):
        HighAmount(id="high", limit=Decimal("NaN"))


@pytest.mark.parametrize("account", DEMO_MULE_ACCOUNTS)
def test_the_default_rules_block_the_demo_mules(account: str) -> None:
    assert default_rule_set().judge(facts(account=account)).action is Action.BLOCK


def test_the_demo_mules_are_distinct_and_have_correct_check_digits() -> None:
    def remainder(iban: str) -> int:
        return int("".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])) % 97

    assert len(set(DEMO_MULE_ACCOUNTS)) == 12
    assert {remainder(account) for account in DEMO_MULE_ACCOUNTS} == {1}
