import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from fraud_platform.adapters import admin
from fraud_platform.adapters.admin import missing_topics
from fraud_platform.adapters.rule_set_topic import read_history
from fraud_platform.adapters.s3 import S3ObjectStore
from fraud_platform.adapters.subjects import topics_without_schema
from fraud_platform.commands.prepare import prepare
from fraud_platform.errors import ConfigurationError, RegistryUnavailable, StoreUnavailable
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests.conftest import fresh_settings
from tests.patience import be_patient


def on_aws(endpoints: dict[str, str], data_dir: Path) -> dict[str, str]:
    """The real services as services of the user's own, as in containers."""
    own = fresh_settings(endpoints, data_dir)
    addresses = ("KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL", "MONGODB_URI", "AWS_ENDPOINT_URL_S3")
    return {
        **{name: endpoints[name] for name in addresses},
        "FRAUD_AWS": "aws",
        "MY_AWS_ACCESS_KEY_ID": endpoints["local_s3_access_key"],
        "MY_AWS_SECRET_ACCESS_KEY": endpoints["local_s3_secret_key"],
        "FRAUD_LAKE_BUCKET": own.lake_bucket,
        "FRAUD_PREFIX": own.prefix,
        "FRAUD_MONGODB_DATABASE": own.mongodb_database,
        "FRAUD_DATA_DIR": str(data_dir),
    }


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there may take its time to answer, also where nothing is asked twice."""
    be_patient(monkeypatch)
    monkeypatch.setattr(admin, "ensure_topics", partial(admin.ensure_topics, timeout_s=60))


def run(environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fraud_platform.commands.prepare", *options],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.services
def test_services_of_the_users_own_get_topics_schemas_and_a_bucket(service_endpoints: dict[str, str], tmp_path: Path):
    environment = on_aws(service_endpoints, tmp_path)
    settings = Settings.from_environment(environment, embedded={})
    done = run(environment, "--create-bucket")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{each}: ready" for each in ("topics", "rules", "schemas", "bucket", "MongoDB")
    ]
    assert [each.note for each in read_history(settings).publications] == ["the first one, from default.yaml"]
    assert missing_topics(settings) == []
    assert topics_without_schema(settings) == []
    assert list(S3ObjectStore(settings).list("")) == []


@pytest.mark.services
def test_no_bucket_is_made_unasked(service_endpoints: dict[str, str], tmp_path: Path):
    settings = Settings.from_environment(on_aws(service_endpoints, tmp_path), embedded={})
    with pytest.raises(ConfigurationError, match="has no bucket"):
        prepare(settings, create_bucket=False, timeout_s=60)


@pytest.mark.services
@pytest.mark.usefixtures("patient")
def test_a_service_that_is_away_is_asked_until_time_is_up(service_endpoints: dict[str, str], tmp_path: Path):
    environment = {**on_aws(service_endpoints, tmp_path), "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}
    said: list[str] = []
    with pytest.raises(StoreUnavailable):
        prepare(Settings.from_environment(environment, embedded={}), create_bucket=True, timeout_s=0, say=said.append)
    assert said == ["topics", "rules", "schemas"]


def test_without_a_broker_it_says_so_in_one_sentence(tmp_path: Path):
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "SCHEMA_REGISTRY_URL": "http://127.0.0.1:9",
        "MONGODB_URI": "mongodb://127.0.0.1:9", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "FRAUD_AWS": "aws",
        "FRAUD_LAKE_BUCKET": "lake", "FRAUD_DATA_DIR": str(tmp_path), "MY_AWS_ACCESS_KEY_ID": "a",
        "MY_AWS_SECRET_ACCESS_KEY": "b",
    }  # fmt: skip
    done = run(environment, "--timeout", "0")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("prepare: Kafka")


@pytest.mark.services
@pytest.mark.usefixtures("patient")
def test_a_registry_that_lost_its_data_is_not_filled_anew(
    service_endpoints: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.from_environment(on_aws(service_endpoints, tmp_path), embedded={})
    monkeypatch.setattr("fraud_platform.adapters.ledger.high_watermarks", lambda *_: {(Topic.LEDGER, 0): 5})
    with pytest.raises(RegistryUnavailable, match="has lost the schemas"):
        prepare(settings, create_bucket=True, timeout_s=0)
    assert set(topics_without_schema(settings)) != set()


def test_mongodb_is_asked_again_with_the_same_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    answers: list[Exception | None] = [StoreUnavailable("away"), StoreUnavailable("away"), None]

    class Store:
        def __init__(self, _: Settings) -> None:
            opened.append("open")

        def check(self) -> None:
            answer = answers.pop(0)
            if answer:
                raise answer

        def close(self) -> None:
            opened.append("closed")

    monkeypatch.setattr("fraud_platform.adapters.mongo.MongoStore", Store)
    monkeypatch.setattr("fraud_platform.commands.prepare._PAUSE_S", 0)
    for name in ("make_topics", "seed_rules", "register_schemas"):
        monkeypatch.setattr(f"fraud_platform.local.provision.{name}", lambda *_: None)
    ready = SimpleNamespace(prepare=lambda: None)
    monkeypatch.setattr("fraud_platform.adapters.s3.S3ObjectStore", lambda *_, **__: ready)
    settings = Settings.from_environment({"FRAUD_DATA_DIR": str(tmp_path)}, embedded={})
    prepare(settings, create_bucket=False, timeout_s=60)
    assert opened == ["open", "closed"]
