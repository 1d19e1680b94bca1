"""Which ports a stack takes."""

import socket
from pathlib import Path

import pytest

from fraud_platform.errors import ConfigurationError
from fraud_platform.local.folder import Folder, read_json
from fraud_platform.local.ports import choose, is_free, settle


def all_but(*taken: int):
    return lambda port: port not in taken


def test_the_well_known_port_is_taken_when_free() -> None:
    assert choose(["kafka", "mongod"], kept={}, free=all_but()) == {"kafka": 9092, "mongod": 27017}


def test_another_port_is_taken_when_the_well_known_one_is_not_free() -> None:
    chosen = choose(["kafka"], kept={}, free=all_but(9092))
    assert 20_000 <= chosen["kafka"] < 32_000


def test_a_kept_port_wins_over_the_well_known_one() -> None:
    assert choose(["kafka"], kept={"kafka": 21_000}, free=all_but()) == {"kafka": 21_000}


def test_a_kept_port_that_a_stranger_took_is_given_up() -> None:
    assert choose(["kafka"], kept={"kafka": 21_000}, free=all_but(21_000)) == {"kafka": 9092}


def test_a_port_that_our_own_running_service_holds_stays() -> None:
    chosen = choose(["kafka"], kept={"kafka": 21_000}, in_use=["kafka"], free=all_but(21_000))
    assert chosen == {"kafka": 21_000}


def test_tests_get_free_ports_from_the_start() -> None:
    chosen = choose(["kafka", "registry"], kept={}, prefer_defaults=False, free=all_but())
    assert not {9092, 8081} & set(chosen.values())
    assert len(set(chosen.values())) == 2


def test_no_port_is_given_to_two_services() -> None:
    chosen = choose(["registry", "s3"], kept={"s3": 8081}, free=all_but())
    assert chosen["s3"] == 8081
    assert chosen["registry"] != 8081


def test_a_machine_without_a_free_port_is_told_so() -> None:
    with pytest.raises(ConfigurationError, match="No free port was found for kafka"):
        choose(["kafka"], kept={}, free=lambda _: False)


def test_a_port_with_a_listener_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)


def test_chosen_ports_are_kept_in_the_data_folder(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    first = settle(folder, ["s3"], prefer_defaults=False)
    assert settle(folder, ["s3", "kafka"], prefer_defaults=False)["s3"] == first["s3"]
    assert set(read_json(folder.ports)) == {"s3", "kafka"}
