"""The customers of the demo banks: the seed fixes who they are.

Nobody here exists: mail and web addresses lie under example.*, phone numbers in the fictional 555-01xx
block, and no ssn above 900-00-0000 was ever issued.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import msgspec
from faker import Faker

from fraud_platform.banks.mules import MULE_ACCOUNTS
from fraud_platform.core.statement import canonical_key

FEWEST_CUSTOMERS = 10
_POOL = 250
_OLDEST = date(1940, 1, 1)
_BIRTHDAYS = 67 * 365
_BLOOD_GROUPS = ("A+", "A-", "B+", "B-", "AB+", "AB-", "O+", "O-")
_DOMAINS = ("example.com", "example.net", "example.org")


@dataclass(frozen=True, slots=True)
class Bank:
    """A bank of the demo; its code starts the account numbers of its customers."""

    code: str
    name: str


BANKS = (
    Bank("AUR", "Aurora Bank"),
    Bank("HCU", "Harbour Credit Union"),
    Bank("MRS", "Meridian Savings"),
    Bank("NWT", "Northwind Trust"),
)


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer, with the parts of transfers and statements that never change already encoded as JSON.

    `on_statement` names the account as the owner's own line does, `as_counterparty` is the text of the other's line.
    """

    account: str
    bank: Bank
    details: dict[str, str | list[str]]
    key: bytes
    as_sender: bytes
    as_receiver: bytes
    at_bank: bytes
    statement_key: bytes
    on_statement: bytes
    as_counterparty: bytes


class Population:
    """All customers of all banks, the same for the same seed; a larger one begins with the smaller one.

    `customers` send and receive; `mules` hold the watch-listed accounts and only receive.
    """

    def __init__(self, seed: int, *, customers: int = 2000) -> None:
        if customers < FEWEST_CUSTOMERS:
            raise ValueError(f"customers must be at least {FEWEST_CUSTOMERS}, got {customers}")
        pools = _Pools(seed)
        people = random.Random(f"mules {seed}")
        self.seed = seed
        self.mules: Sequence[Customer] = tuple(
            _customer(pools, people, number, account) for number, account in enumerate(MULE_ACCOUNTS)
        )
        people = random.Random(f"customers {seed}")
        self.customers: Sequence[Customer] = tuple(_customer(pools, people, n, None) for n in range(customers))


class _Pools:
    """Names and the like, drawn from Faker once: it makes 2,700 people a second, a pool draw a million."""

    def __init__(self, seed: int) -> None:
        fake = Faker("en_US")
        fake.seed_instance(seed)
        self.first_names = [fake.first_name() for _ in range(_POOL)]
        self.last_names = [fake.last_name() for _ in range(_POOL)]
        self.streets = [fake.street_name() for _ in range(_POOL)]
        self.towns = [f"{fake.city()}, {fake.state_abbr()} {fake.postcode()}" for _ in range(_POOL)]
        self.jobs = [fake.job() for _ in range(_POOL)]
        self.companies = [fake.company() for _ in range(_POOL)]


def _customer(pools: _Pools, people: random.Random, number: int, account: str | None) -> Customer:
    bank = people.choice(BANKS)
    own_account = f"{bank.code}{people.randrange(10**6):06d}{number:06d}"
    account = account or own_account
    details = _details(pools, people, account)
    encoded_account, encoded_details = msgspec.json.encode(account), msgspec.json.encode(details)
    return Customer(
        account=account,
        bank=bank,
        details=details,
        key=account.encode(),
        as_sender=b'"sender_bank_account":%b,"sender_details":%b' % (encoded_account, encoded_details),
        as_receiver=b'"receiver_bank_account":%b,"receiver_details":%b' % (encoded_account, encoded_details),
        at_bank=b'"sender_bank":%b' % msgspec.json.encode(bank.name),
        statement_key=canonical_key(account, bank.code),
        on_statement=canonical_key(account, bank.code)[1:-1],
        as_counterparty=b"TRF/%b/%b" % (bank.code.encode(), account.encode()),
    )


def _details(pools: _Pools, people: random.Random, account: str) -> dict[str, str | list[str]]:
    first, last = people.choice(pools.first_names), people.choice(pools.last_names)
    username = f"{first}.{last}{people.randrange(1000)}".lower()
    return {
        "id": f"{people.getrandbits(64):016x}",
        "name": f"{first} {last}",
        "address": f"{people.randint(1, 9999)} {people.choice(pools.streets)}, {people.choice(pools.towns)}",
        "email": f"{username}@{people.choice(_DOMAINS)}",
        "birthdate": (_OLDEST + timedelta(days=people.randrange(_BIRTHDAYS))).isoformat(),
        "phone_number": f"+1-{people.randrange(201, 990)}-555-01{people.randrange(100):02d}",
        "job": people.choice(pools.jobs),
        "company": people.choice(pools.companies),
        "ssn": f"{people.randrange(900, 1000)}-{people.randrange(1, 100):02d}-{people.randrange(10**4):04d}",
        "blood_group": people.choice(_BLOOD_GROUPS),
        "website": [f"https://www.{domain}/{username}" for domain in people.sample(_DOMAINS, people.randint(1, 2))],
        "username": username,
        "bank_account": account,
    }
