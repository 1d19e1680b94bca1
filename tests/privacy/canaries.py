"""Marked people, and a search for their marks in whatever a log, a store or a topic holds."""

import base64
import json
import re
from typing import Any

MARK = "QzxCanary"
"""Begins each name, address, e-mail, phone number, account and id of a marked person."""

_YEAR = 1801
_SSN_AREA, _SSN_GROUP = "987", "65"


def ssn(number: int) -> str:
    return f"{_SSN_AREA}-{_SSN_GROUP}-{number:04d}"


def person(number: int) -> dict[str, Any]:
    return {
        "id": f"{MARK}-user-{number}",
        "name": f"{MARK} Name {number}",
        "address": f"{MARK} Street {number}",
        "email": f"{MARK}.{number}@mail.example",
        "birthdate": f"{_YEAR + number % 90}-05-17",
        "phone_number": f"{MARK}+1-555-{number:04d}",
        "ssn": ssn(number),
        "website": [f"https://{MARK}{number}.example"],
        "username": f"{MARK}_{number}",
        "bank_account": f"{MARK}-account-{number}",
    }


def transfer(number: int, evaluation: str, **changes: Any) -> bytes:
    value = {
        "transaction_id": f"{MARK}-transfer-{number}",
        "sender_bank_account": f"{MARK}-account-{2 * number}",
        "sender_details": person(2 * number),
        "receiver_bank_account": f"{MARK}-account-{2 * number + 1}",
        "receiver_details": person(2 * number + 1),
        "amount": number + 1,
        "evaluation": evaluation,
        "transfer_date": "2026-01-01",
    }
    return json.dumps(value | changes).encode()


def statement(number: int, **changes: Any) -> bytes:
    value = {
        "transactionId": f"{MARK}-line-{number}",
        "accountNumber": f"{MARK}-account-{number % 4}",
        "bankId": "10",
        "transactionTimestamp": f"2026-01-01 12:{number % 60:02}:00",
        "depositAmount": "0",
        "withdrawalAmount": f"{number}000",
        "transactionDetails": f"to {MARK} Name {number}",
        "transactionSector": "Retail",
    }
    return json.dumps(value | changes).encode()


def _base64_of(plain: bytes) -> list[bytes]:
    """What base64 makes of it at each of the three places where it may begin, without what its neighbours change."""
    found = []
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + plain).rstrip(b"=")
        first = -(-before * 8 // 6)
        found.append(encoded[first : (before + len(plain)) * 8 // 6])
    return found


def _coded(plain: bytes) -> list[bytes]:
    return [*_base64_of(plain), plain.hex().encode(), plain.hex().upper().encode()]


def _pattern(*plain: bytes) -> re.Pattern[bytes]:
    return re.compile(b"|".join(map(re.escape, plain)))


_DASHED = f"{_SSN_AREA}-{_SSN_GROUP}-".encode()
_BARE = f"{_SSN_AREA}{_SSN_GROUP}".encode()
_BARE_ALONE = re.compile(rb"(?<!\d)%b\d{4}(?!\d)" % _BARE)
_SSN = _pattern(_DASHED, *_coded(_DASHED), *_coded(_BARE))
_PERSON = _pattern(
    *(shape for text in (MARK, MARK.lower(), MARK.upper()) for shape in (text.encode(), *_coded(text.encode())))
)
_BIRTHDATE = re.compile(rb"(?<!\d)18\d\d-05-17(?!\d)")


def ssns_in(data: bytes) -> list[bytes]:
    """Every ssn of a marked person: with dashes, as bare digits, and either in base64 or hex."""
    return [*_SSN.findall(data), *_BARE_ALONE.findall(data)]


def marks_in(data: bytes) -> list[bytes]:
    """Everything else that marks a person: names, addresses, e-mails, phones, accounts, ids, birthdates."""
    return [*_PERSON.findall(data), *_BIRTHDATE.findall(data)]
