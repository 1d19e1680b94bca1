"""The clock of this machine beside that of a server, whose answers here say any time that a test wishes."""

import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fraud_platform.commands.clock_check import ahead_s, clock
from fraud_platform.commands.finding import Finding, Level
from fraud_platform.settings import Settings


class Server(ThreadingHTTPServer):
    """Answers each question with `status` and says that it is `offset_s` later than it is."""

    offset_s: float | None = 0.0
    status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        self.send_response_only(self.server.status)
        if self.server.offset_s is not None:
            self.send_header("Date", formatdate(time.time() + self.server.offset_s, usegmt=True))
        self.end_headers()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
        yield made
        made.shutdown()


def look(server: Server, *elsewhere: str) -> list[Finding]:
    own = {"FRAUD_VALIDATOR_URL": f"{server.url}/validate", "SCHEMA_REGISTRY_URL": server.url}
    return clock(Settings.from_environment(own, embedded={}), elsewhere or ("validator", "registry"))


def test_equal_clocks_are_well(server: Server) -> None:
    (finding,) = look(server)
    assert (finding.level, finding.says) == (Level.OK, "as that of registry, validator")


@pytest.mark.parametrize(
    ("offset_s", "level", "says"),
    [
        (-300, Level.NOTE, "s ahead of the clock of "),
        (300, Level.NOTE, "s behind the clock of "),
        (7200, Level.PROBLEM, "This machine is 7,"),
    ],
)
def test_a_clock_that_differs_is_told_with_its_direction(
    server: Server, offset_s: float, level: Level, says: str
) -> None:
    server.offset_s = offset_s
    (finding,) = look(server)
    assert finding.level is level
    assert says in finding.says
    assert "time service" in finding.mend


def test_a_refusal_tells_the_time_as_well(server: Server) -> None:
    server.offset_s, server.status = 300, 403
    (finding,) = look(server)
    assert finding.level is Level.NOTE


def test_embedded_services_are_not_asked(server: Server) -> None:
    server.offset_s = 7200
    assert look(server, "kafka") == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense", "http://[", "https://127.0.0.1:9"])
def test_who_does_not_answer_tells_nothing(url: str) -> None:
    assert ahead_s(url) is None


def test_an_answer_without_a_date_tells_nothing(server: Server) -> None:
    server.offset_s = None
    assert look(server) == []
