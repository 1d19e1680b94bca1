"""A registry that gives no plain answer pauses a stage; no record becomes a dead letter for it."""

import socket

import pytest
import requests

from fraud_platform.runtime import worker
from fraud_platform.runtime.worker import State
from fraud_platform.settings import Settings
from fraud_platform.topology import PROJECTION, Topic
from tests.adapters.hostile import Seen, hostile, reply
from tests.stages.flow import has_progress, has_read_all, rows, send, slot, values, wait_for
from tests.stages.test_bad_input import avro_transfer

pytestmark = pytest.mark.services


class Front:
    """Stands before the real registry: passes questions on, or answers itself."""

    def __init__(self, registry: str) -> None:
        self._registry = registry
        self.own_answer: bytes | None = None
        self.instead_of = ""
        self.pages = 0

    def __call__(self, seen: Seen, _connection: socket.socket) -> bytes:
        if self.own_answer is not None and self.instead_of in seen.path:
            self.pages += b"html" in self.own_answer
            return self.own_answer
        kind = {"Content-Type": "application/json"}
        answer = requests.request(seen.method, self._registry + seen.path, data=seen.body, headers=kind, timeout=20)
        return reply(answer.status_code, answer.content)


def test_a_registry_that_is_away_pauses_and_loses_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PROBE_S", 0.2)
    front = Front(settings.require("SCHEMA_REGISTRY_URL"))
    good = [avro_transfer(settings, f"t-{n}") for n in range(20)]
    with hostile(front) as server:
        asking = settings.model_copy(update={"schema_registry_url": server.address})
        with slot(asking, PROJECTION) as seen:
            wait_for(lambda: bool(seen) and seen[-1].state is State.RUNNING)
            front.own_answer = reply(503)
            send(settings, Topic.FRAUDULENT, [("k", value) for value in good])
            wait_for(lambda: seen[-1].state is State.PAUSED and "Schema Registry" in seen[-1].paused_because)
            front.own_answer, front.instead_of = reply(404, b"<html>a proxy's own page</html>"), "/schemas/ids/"
            wait_for(lambda: front.pages > 1)  # it asked, paused, and asked again
            assert rows(settings, Topic.DEAD_LETTERS) == []
            assert not has_progress(settings, PROJECTION)
            front.own_answer = None
            wait_for(lambda: has_read_all(settings, PROJECTION))
    assert rows(settings, Topic.DEAD_LETTERS) == []
    assert {value["TRANSACTION_ID"] for value in values(settings, Topic.RESULT)} == {f"t-{n}" for n in range(20)}
