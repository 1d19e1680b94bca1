import base64

import pytest

from tests.privacy.canaries import marks_in, person, ssn, ssns_in, transfer

DIGITS = ssn(17).replace("-", "")


@pytest.mark.parametrize("around", ["", "x", "xy", '{"ssn": "'])
@pytest.mark.parametrize("number", [ssn(17), DIGITS])
def test_a_planted_number_is_found_in_every_spelling(around: str, number: str) -> None:
    plain = f"{around}{number}{around}".encode()
    for shape in (plain, base64.b64encode(plain), plain.hex().encode(), plain.hex().upper().encode()):
        assert ssns_in(b"log line " + shape + b" goes on")


@pytest.mark.parametrize("field", ["id", "name", "address", "email", "birthdate", "phone_number", "bank_account"])
def test_a_planted_mark_is_found(field: str) -> None:
    assert marks_in(f"a line with {person(3)[field]} in it".encode())


def test_every_field_of_a_person_is_marked() -> None:
    for value in person(3).values():
        assert marks_in(str(value).encode()) or ssns_in(str(value).encode())


def test_what_is_none_of_them_is_not_found() -> None:
    text = b"1795372388601987651234 98765 tok_0a1b2c3d_98a7 987-66-0001 1990-05-17 canary"
    assert ssns_in(text) == marks_in(text) == []


def test_a_transfer_holds_two_people() -> None:
    assert set(ssns_in(transfer(5, "fraudulent"))) >= {b"987-65-"}
    assert len(marks_in(transfer(5, "fraudulent"))) > 10
