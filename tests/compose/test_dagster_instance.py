"""The instance of the containers: PostgreSQL for the history, the rest as in the checkout's dagster.yaml."""

from pathlib import Path

import pytest
import sqlalchemy
import yaml
from dagster._core.instance.config import dagster_instance_config
from dagster._core.instance.ref import InstanceRef
from dagster_postgres.utils import pg_url_from_config

from fraud_platform.settings import CHECKOUT
from tests.compose.stack import FOLDER, services

APART = {"storage", "local_artifact_storage"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in services()["dagster-code"]["environment"].items():
        monkeypatch.setenv(name, str(value))
    (tmp_path / "dagster.yaml").write_text((FOLDER / "dagster.yaml").read_text())
    return tmp_path


def test_dagster_accepts_it(home: Path):
    config, _ = dagster_instance_config(str(home))
    storage = InstanceRef.from_dir(str(home)).storage_data
    assert storage is not None
    assert storage.class_name == "DagsterPostgresStorage"
    assert set(config) >= APART


def test_the_address_opens_with_a_driver_that_is_installed(home: Path):
    config = yaml.safe_load((home / "dagster.yaml").read_text())["storage"]["postgres"]["postgres_db"]
    told = services()["dagster-code"]["environment"]
    plain = {name: told[value["env"]] if isinstance(value, dict) else value for name, value in config.items()}
    engine = sqlalchemy.create_engine(pg_url_from_config({"postgres_db": {**plain, "params": {}}}))
    assert engine.dialect.driver == "psycopg2"
    assert (engine.url.host, engine.url.port, engine.url.database) == ("postgres", 5432, "dagster")
    assert engine.url.password == services()["postgres"]["environment"]["POSTGRES_PASSWORD"]


def test_the_rest_is_what_the_checkout_says():
    ours = yaml.safe_load((FOLDER / "dagster.yaml").read_text())
    plain = yaml.safe_load((CHECKOUT / "dagster.yaml").read_text())
    assert {name: value for name, value in ours.items() if name not in APART} == plain
