"""Which ports a stack takes."""

import errno
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE
from threading import Barrier

import pytest

from fraud_platform.errors import ConfigurationError
from fraud_platform.local.folder import Folder, read_json
from fraud_platform.local.ports import DEFAULTS, Claims, choose, is_free, settle
from tests.ports import free_port


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
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
    assert is_free(port)


def test_chosen_ports_are_kept_in_the_data_folder(tmp_path: Path) -> None:
    folder, claims = Folder(tmp_path), Claims()
    first = settle(folder, ["s3"], claims=claims, prefer_defaults=False)
    assert settle(folder, ["s3", "kafka"], claims=claims, prefer_defaults=False)["s3"] == first["s3"]
    assert set(read_json(folder.ports)) == {"s3", "kafka"}


# Two clones that start at once ----------------------------------------------------------------------


def test_a_port_that_was_chosen_is_nobody_elses_before_anything_listens_on_it() -> None:
    port, first, second = free_port(claimed=False), Claims(), Claims()
    assert first.take(port)
    assert not second.take(port)
    assert first.take(port), "its own claim is no hindrance"


def test_a_claim_ends_with_the_process_that_made_it() -> None:
    port = free_port(claimed=False)
    claim = f"from fraud_platform.local.ports import Claims; c = Claims(); print(c.take({port}), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", claim], stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert not Claims().take(port)
        other.kill()
        other.wait(60)
        assert Claims().take(port)


def test_a_port_that_a_stranger_listens_on_is_not_claimed() -> None:
    port, claims = free_port(claimed=False), Claims()
    with socket.create_server(("127.0.0.1", port)):
        assert not claims.take(port)
    assert Claims().take(port), "the failed try left no claim"


def test_a_system_without_abstract_sockets_has_no_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(socket.socket):
        def bind(self, address: object) -> None:
            if self.family == socket.AF_UNIX:
                raise PermissionError(errno.EACCES, "Permission denied")
            super().bind(address)

    with socket.create_server(("127.0.0.1", 0)) as server:
        port, claims = server.getsockname()[1], Claims()
        monkeypatch.setattr(socket, "socket", Refusing)
        assert claims.hold(port)
        assert not claims.take(port)


def test_the_port_of_a_service_that_runs_is_claimed_by_its_new_supervisor() -> None:
    claims = Claims()
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert claims.hold(server.getsockname()[1])
        assert claims.take(server.getsockname()[1]) is False, "a stranger got it while ours was down"


def test_many_clones_that_choose_at_once_share_no_port(tmp_path: Path) -> None:
    names, together = list(DEFAULTS), Barrier(8)
    claims = [Claims() for _ in range(8)]

    def start(number: int) -> dict[str, int]:
        together.wait(60)
        return settle(Folder(tmp_path / str(number)), names, claims=claims[number])

    with ThreadPoolExecutor(8) as pool:
        chosen = [port for found in pool.map(start, range(8)) for port in found.values()]
    assert len(chosen) == len(set(chosen)) == 8 * len(names)
