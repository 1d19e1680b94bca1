"""Rules change under a monitoring slot that runs: no restart, no transaction of two rule sets, every version named."""

import io
import json
from functools import partial
from pathlib import Path

import pytest
import requests
from confluent_kafka import Producer
from rich.console import Console

from fraud_platform.adapters.admin import ensure_topics
from fraud_platform.adapters.kafka_config import client_config
from fraud_platform.commands import rules as commands
from fraud_platform.commands.explain import explain
from fraud_platform.core.statement import canonical_key
from fraud_platform.live.change import publish, rollback
from fraud_platform.live.judges import wait_for_judges
from fraud_platform.settings import Settings
from fraud_platform.topology import MONITORING, Topic
from tests.builders import line
from tests.conftest import fresh_settings
from tests.rules.building import rule, rule_set
from tests.rules.publishing import limit
from tests.stages.flow import PATIENCE_S, send, slot, values, wait_for
from tests.validator_api.service import started_validator

pytestmark = pytest.mark.services
KEY = canonical_key("409000000001", "10").decode()


@pytest.fixture(scope="module")
def settings(service_endpoints: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = fresh_settings(service_endpoints, tmp_path_factory.mktemp("data"))
    ensure_topics(settings, timeout_s=60)
    return settings


class Lines:
    """Sends one line after the other, 20 of amount each, until one is judged by the version that is waited for."""

    def __init__(self, settings: Settings, name: str = "s") -> None:
        self._settings = settings
        self._name = name
        self.versions: list[str] = []

    def until(self, version: str) -> None:
        def judged() -> bool:
            name = f"{self._name}-{len(self.versions)}"
            send(self._settings, Topic.STATEMENTS, [(KEY, json.dumps(line(name, withdrawalAmount="20")).encode())])
            wait_for(lambda: name in self._decisions())
            self.versions.append(self._decisions()[name])
            return self.versions[-1] == version

        wait_for(judged)

    def _decisions(self) -> dict[str, str]:
        return {row["transaction_id"]: row["rule_set_version"] for row in values(self._settings, Topic.DECISIONS)}


def test_a_slot_that_runs_follows_publications_and_rollbacks_and_refuses_the_bad(settings: Settings) -> None:
    calm, strict = limit(1_000), limit(10)
    publish(settings, calm, by="ada")
    lines = Lines(settings)
    with slot(settings, MONITORING) as told:
        lines.until(calm.version)
        publish(settings, strict, by="ada")
        lines.until(strict.version)
        wait_for(lambda: told[-1].rules == strict.version)
        producer = Producer(client_config(settings))
        producer.produce(settings.naming.topic(Topic.RULE_SETS), b"foreign", b"9999")
        assert producer.flush(60) == 0
        rollback(settings, by="ada")
        lines.until(calm.version)
    assert dict.fromkeys(lines.versions) == {calm.version: None, strict.version: None}
    hits = {row["transactionId"]: row["hits"] for row in values(settings, Topic.MONITORED)}
    assert hits.keys() == {f"s-{n}" for n, version in enumerate(lines.versions) if version == strict.version}


def test_a_new_window_rule_counts_lines_that_are_older_than_itself(settings: Settings) -> None:
    """Two lines, then the rule, then a third: it is hit, and nothing is missing."""
    before = len(values(settings, Topic.DECISIONS))
    third = rule_set(rule("WINDOW_AGGREGATE", f"function: COUNT, window: 24h, at_least: {before + 3}", id="third"))
    lines = Lines(settings, "w")
    with slot(settings, MONITORING):
        for _ in range(2):
            lines.until(limit(1_000).version)
        publish(settings, third, by="ada")
        lines.until(third.version)
    (hit,) = [each for row in values(settings, Topic.MONITORED) for each in row["hits"] if each["rule_id"] == "third"][
        :1
    ]
    assert (int(hit["observed"]), hit["late"]) == (before + len(lines.versions), False)


def test_a_line_is_explained_by_the_version_that_judged_it(settings: Settings) -> None:
    console = Console(file=io.StringIO(), width=200)
    explain(settings, "s-0", console, whole=False, as_json=True)
    found = json.loads(console.file.getvalue())  # type: ignore[attr-defined]
    assert found["verdict"][0] == "ALLOW by the rules in monitoring: no rule hit."
    assert found["decisions"][0]["rule_set_version"] == limit(1_000).version
    assert {step["stage"]: step["outcome"] for step in found["way"]}["monitoring"] == "accepted.clear"


def test_a_validator_that_runs_follows_too_and_asks_nobody_to_restart_it(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "wait_for_judges", partial(wait_for_judges, within_s=PATIENCE_S))
    first, then = publish(settings, limit(2_000), by="ada"), limit(3_000)
    more = {
        "KAFKA_BOOTSTRAP_SERVERS": settings.require("KAFKA_BOOTSTRAP_SERVERS"),
        "FRAUD_PREFIX": settings.prefix,
    }
    with started_validator(**more) as (_, address):

        def version() -> str:
            return str(requests.get(f"{address}/healthz", timeout=PATIENCE_S).json()["rule_set_version"])

        assert version() == first.version
        path = tmp_path / "then.json"
        path.write_bytes(then.canonical())
        out, changes = io.StringIO(), {"validator_url": f"{address}/validate"}
        commands.publish(settings.model_copy(update=changes), str(path), Console(file=out), note="", expect=None)
        assert " s: the validator." in out.getvalue()
        assert version() == then.version
        rules = requests.get(f"{address}/rules", timeout=PATIENCE_S).json()
    assert rules["version"] == then.version
