"""What a service judges with that knows no Kafka, or one that does not answer."""

from pathlib import Path

import pytest

from fraud_platform.adapters import rule_sets
from fraud_platform.adapters.rule_sets import engines
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.rules import files
from fraud_platform.rules.followed import Followed
from fraud_platform.settings import Settings
from tests.rules.publishing import limit


def test_without_kafka_it_is_the_default_set_or_the_file_s(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(limit(5).canonical())
    assert engines(Settings.from_environment({}, embedded={}))().rule_set.version == files.load().version
    mine = Settings.from_environment({"FRAUD_RULES_FILE": str(path)}, embedded={})
    assert engines(mine)().rule_set.version == limit(5).version


def test_a_bad_file_is_told_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text("rules: 5")
    with pytest.raises(ConfigurationError, match=r"mine\.json:1: "):
        engines(Settings.from_environment({"FRAUD_RULES_FILE": str(path)}, embedded={}))


def test_a_kafka_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Followed()
    answers: list[BrokerUnavailable | None] = [BrokerUnavailable("away"), BrokerUnavailable("away"), None]

    def opened(_: Settings) -> Followed:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return found

    monkeypatch.setattr(rule_sets, "RuleSets", opened)
    monkeypatch.setattr(rule_sets, "RETRY_S", 0)
    away = Settings.from_environment({}, embedded={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"})
    assert engines(away) == found.engine
    answers.append(BrokerUnavailable("away"))
    with pytest.raises(BrokerUnavailable):
        engines(away, patience_s=-1)
