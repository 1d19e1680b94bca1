import pytest

from fraud_platform.banks.mules import MULE_ACCOUNTS
from fraud_platform.banks.population import BANKS, Population
from fraud_platform.rules import files

PEOPLE = Population(7, customers=300)


def _everyone(population: Population) -> list[dict]:
    return [customer.details for customer in (*population.customers, *population.mules)]


def test_a_seed_fixes_the_people():
    assert _everyone(Population(7, customers=300)) == _everyone(PEOPLE)


def test_another_seed_brings_other_people():
    others = {person["id"] for person in _everyone(Population(8, customers=300))}
    assert others.isdisjoint(person["id"] for person in _everyone(PEOPLE))


def test_a_larger_population_begins_with_the_smaller_one():
    larger = Population(7, customers=400)
    assert [c.details for c in larger.customers[:300]] == [c.details for c in PEOPLE.customers]


@pytest.mark.parametrize("field", ["id", "bank_account"])
def test_no_two_people_share_an_id_or_an_account(field):
    values = [person[field] for person in _everyone(Population(7))]
    assert len(set(values)) == len(values)


def test_every_field_of_the_contract_is_filled():
    wanted = {
        "id", "name", "address", "email", "birthdate", "phone_number", "job", "company", "ssn",
        "blood_group", "website", "username", "bank_account",
    }  # fmt: skip
    assert all(set(person) == wanted and all(person.values()) for person in _everyone(PEOPLE))


def test_nobody_in_it_can_be_a_real_person():
    for person in _everyone(PEOPLE):
        assert person["ssn"] >= "900-00-0000"
        assert "-555-01" in person["phone_number"]
        assert person["email"].rpartition("@")[2].startswith("example.")
        assert all(site.startswith("https://www.example.") for site in person["website"])


def test_every_bank_has_customers_and_starts_their_accounts():
    assert len(BANKS) >= 3
    assert {customer.bank for customer in PEOPLE.customers} == set(BANKS)
    assert all(customer.account.startswith(customer.bank.code) for customer in PEOPLE.customers)


def test_the_mules_hold_exactly_the_accounts_that_the_default_rule_set_lists():
    assert [mule.account for mule in PEOPLE.mules] == list(MULE_ACCOUNTS)
    assert set(files.load().lists["demo-mules"].accounts) == set(MULE_ACCOUNTS)
    assert not {customer.account for customer in PEOPLE.customers} & set(MULE_ACCOUNTS)


def test_the_mules_are_distinct_and_have_correct_check_digits():
    def remainder(iban):
        return int("".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])) % 97

    assert len(set(MULE_ACCOUNTS)) == 12
    assert {remainder(account) for account in MULE_ACCOUNTS} == {1}


def test_too_few_customers_are_refused():
    with pytest.raises(ValueError, match="at least 10, got 9"):
        Population(7, customers=9)
