import socket

import pytest

from fraud_platform.commands.reach import listens, public


@pytest.fixture
def port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "nowhere.invalid:1, 127.0.0.1:{}", "PLAINTEXT://127.0.0.1:{}"])
def test_one_address_that_answers_is_enough(port: int, form: str):
    assert listens(form.format(port))


@pytest.mark.parametrize("addresses", ["127.0.0.1:1", "nowhere.invalid:9092", ""])
def test_an_address_that_nobody_listens_on_is_away(addresses: str):
    assert not listens(addresses)


def test_a_shown_address_has_no_password():
    assert public("https://me:s3cret@host:1/api") == "https://host:1/api"
