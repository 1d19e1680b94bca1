import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud_platform.banks.generator import Scenario, TransferGenerator
from fraud_platform.banks.mules import MULE_ACCOUNTS
from fraud_platform.banks.population import Population
from fraud_platform.core.decisions import Action
from fraud_platform.core.evaluation import UNIDENTIFIED
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.questions import facts_of
from fraud_platform.core.transaction import parse_transaction, to_avro
from fraud_platform.rules import files
from fraud_platform.rules.engine import Engine
from fraud_platform.rules.rule_set import RuleSet
from fraud_platform.validation.stage import question_about
from fraud_platform.validator_api.judging import decide

PEOPLE = Population(7, customers=200)
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def _transfers(number, *, run=1, **choices):
    generator = TransferGenerator(PEOPLE, run=run, **choices)
    return [generator.next(NOW + timedelta(milliseconds=n)) for n in range(number)]


MANY = _transfers(20_000)


def _amount(transfer):
    return json.loads(transfer.value, parse_float=Decimal)["amount"]


def test_equal_population_run_and_times_give_equal_bytes():
    assert _transfers(500, run=9) == _transfers(500, run=9)


def test_no_id_comes_twice_not_even_in_another_run():
    others = _transfers(20_000, run=2)
    assert len({transfer.transaction_id for transfer in (*MANY, *others)}) == 40_000


def test_every_transfer_passes_the_platform_s_parser():
    assert not [t for t in MANY if isinstance(parse_transaction(t.value), Rejected)]


@settings(max_examples=200)
@given(
    run=st.integers(0, 2**80),
    evaluation=st.text(min_size=1),
    at=st.datetimes(timezones=st.just(UTC)),
)
def test_any_run_verdict_and_time_give_a_valid_record(run, evaluation, at):
    """Verdicts are the user's text: quotes and control characters in them must not break the JSON."""
    transfer = TransferGenerator(PEOPLE, {evaluation: 1}, run=run).next(at)
    parsed = parse_transaction(transfer.value)
    assert not isinstance(parsed, Rejected)
    assert parsed.evaluation == evaluation
    assert datetime.fromisoformat(parsed.transfer_date) == at.replace(microsecond=at.microsecond // 1000 * 1000)


def test_the_record_names_its_people_as_the_population_does():
    record = json.loads(MANY[0].value)
    details = {c.account: c.details for c in (*PEOPLE.customers, *PEOPLE.mules)}
    banks = {c.account: c.bank.name for c in PEOPLE.customers}
    assert record["sender_details"] == details[record["sender_bank_account"]]
    assert record["receiver_details"] == details[record["receiver_bank_account"]]
    assert record["sender_bank"] == banks[record["sender_bank_account"]]


def test_the_key_is_the_sender_s_account():
    assert all(t.key.decode() == json.loads(t.value)["sender_bank_account"] for t in MANY[:1000])


def test_nobody_pays_themselves():
    records = [json.loads(t.value) for t in MANY]
    assert not [r for r in records if r["sender_bank_account"] == r["receiver_bank_account"]]


def test_money_crosses_from_every_bank_to_every_other():
    pairs = {(r["sender_bank"], r["receiver_bank_account"][:3]) for r in (json.loads(t.value) for t in MANY)}
    assert len({pair for pair in pairs if not pair[1].startswith("GB")}) == 16


def test_amounts_are_positive_with_two_decimals_and_lopsided_as_real_ones():
    amounts = sorted(_amount(t) for t in MANY if t.scenario is Scenario.LEGITIMATE)
    assert amounts[0] > 0
    assert all(amount.as_tuple().exponent == -2 for amount in amounts)
    mean, median = sum(amounts) / len(amounts), amounts[len(amounts) // 2]
    assert Decimal(50) < median < Decimal(70)
    assert mean > 2 * median


@pytest.mark.parametrize("mix", [{"unidentified": 1}, {"fraudulent": 1, "FRAUD": 3}, {"a": 2, "b": 1, "c": 1}])
def test_the_mix_is_honoured(mix):
    seen = Counter(t.evaluation for t in _transfers(20_000, mix=mix))
    for value, weight in mix.items():
        assert seen[value] / 20_000 == pytest.approx(weight / sum(mix.values()), abs=0.02)


def test_the_bank_s_verdict_of_fraud_is_always_right_and_its_all_clear_too():
    for transfer in MANY:
        if transfer.evaluation == "fraudulent":
            assert transfer.scenario is not Scenario.LEGITIMATE
        elif transfer.evaluation == "legitimate":
            assert transfer.scenario is Scenario.LEGITIMATE


@pytest.mark.parametrize("share", [0.0, 0.06, 0.5])
def test_the_unidentified_hide_as_much_fraud_as_asked_for(share):
    unidentified = _transfers(20_000, mix={"unidentified": 1}, fraud_share=share)
    fraud = sum(t.scenario is not Scenario.LEGITIMATE for t in unidentified) / 20_000
    assert fraud == pytest.approx(share, abs=0.02)


def test_each_transfer_has_a_label_that_tells_the_truth_about_it():
    for transfer in MANY[:2000]:
        assert json.loads(transfer.label) == {
            "transaction_id": json.loads(transfer.value)["transaction_id"],
            "is_fraud": transfer.scenario is not Scenario.LEGITIMATE,
            "source": f"demo-banks/{transfer.scenario}",
            "labelled_at": json.loads(transfer.value)["transfer_date"],
        }


def test_the_mule_scenario_and_it_alone_pays_watch_listed_accounts():
    for transfer in MANY:
        listed = json.loads(transfer.value)["receiver_bank_account"] in MULE_ACCOUNTS
        assert listed == (transfer.scenario is Scenario.MULE_ACCOUNT)


def test_a_large_amount_is_ten_thousand_or_more():
    assert all(_amount(t) >= 10_000 for t in MANY if t.scenario is Scenario.LARGE_AMOUNT)


def _decision(transfer, engine):
    """What the validator says of it."""
    row = to_avro(parse_transaction(transfer.value), sender_ssn=None, receiver_ssn=None)
    return decide(facts_of(question_about(row)), engine)


def test_the_default_rules_find_every_large_transfer_and_leave_the_bursts_to_rules_with_a_history():
    engine = Engine(files.load())
    asked = [t for t in MANY if t.evaluation == UNIDENTIFIED and t.scenario is not Scenario.LEGITIMATE]
    found = Counter((t.scenario, _decision(t, engine).action.value) for t in asked)
    assert found[Scenario.LARGE_AMOUNT, "REVIEW"] == sum(t.scenario is Scenario.LARGE_AMOUNT for t in asked) > 100
    assert found[Scenario.ACCOUNT_TAKEOVER, "ALLOW"] > 0
    assert found[Scenario.ACCOUNT_TAKEOVER, "REVIEW"] == 0


def test_the_listed_rule_finds_every_mule_once_it_is_switched_on():
    rules = files.load()
    switched = [msgspec.structs.replace(r, enabled=r.criterion == "LISTED") for r in rules.rules]
    engine = Engine(RuleSet.of(switched, rules.lists.values()))
    for transfer in MANY[:2000]:
        is_mule = transfer.scenario is Scenario.MULE_ACCOUNT
        assert (_decision(transfer, engine).action is Action.BLOCK) == is_mule


def test_a_takeover_is_a_burst_from_one_victim_to_one_accomplice_below_the_amount_rule():
    bursts = [json.loads(t.value) for t in MANY if t.scenario is Scenario.ACCOUNT_TAKEOVER]
    assert all(900 <= record["amount"] <= 4900 for record in bursts)
    pairs = [(r["sender_bank_account"], r["receiver_bank_account"]) for r in bursts]
    lengths = Counter(pairs).values()
    changes = sum(earlier != later for earlier, later in pairwise(pairs))
    assert changes + 1 >= len(lengths) >= 50  # one burst after the other, never two at once
    assert max(Counter(lengths), key=Counter(lengths).get) in {3, 4, 5, 6}


def test_some_honest_transfers_are_large_too():
    assert any(_amount(t) >= 10_000 for t in MANY if t.scenario is Scenario.LEGITIMATE)


def test_the_default_traffic_holds_every_scenario():
    assert {t.scenario for t in MANY[:2000]} == set(Scenario)
