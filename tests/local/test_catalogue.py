"""Order of the services, and which of them are ours to start."""

import json
import stat
from pathlib import Path

import pytest

from fraud_platform.local.catalogue import CATALOGUE, DAGSTER, external, ports_of, wanted, write_endpoints
from fraud_platform.local.folder import Folder
from fraud_platform.local.service import Service, Site, start_timeout_s, waves
from fraud_platform.settings import Settings, read_endpoints


def test_what_is_needed_starts_earlier() -> None:
    order = waves({"web": {"code"}, "code": {"kafka"}, "kafka": set(), "s3": set()})
    assert order == [["kafka", "s3"], ["code"], ["web"]]


def test_a_need_that_is_not_in_the_stack_is_no_hindrance() -> None:
    assert waves({"code": {"kafka"}}) == [["code"]]


def test_a_circle_is_refused() -> None:
    with pytest.raises(ValueError, match="circle: a, b"):
        waves({"a": {"b"}, "b": {"a"}, "c": set()})


def test_what_starts_at_the_same_time_may_take_as_long_as_the_slowest_and_what_follows_has_its_own_time() -> None:
    def service(name: str, seconds: float, *needs: str) -> Service:
        found = {"needs": frozenset(needs), "start_timeout_s": seconds}
        return Service(name=name, command=["true"], address="-", probe=lambda: True, **found)

    stores = [service("kafka", 240), service("s3", 150)]
    assert start_timeout_s(stores, {"platform": {"kafka"}}) == 240
    assert start_timeout_s([*stores, service("code", 100, "platform")], {"platform": {"kafka"}}) == 340
    assert start_timeout_s([], {}) == 0


def settings(tmp_path: Path, **environment: str) -> Settings:
    return Settings.from_environment({**environment, "FRAUD_DATA_DIR": str(tmp_path)})


def test_without_settings_everything_is_embedded(tmp_path: Path) -> None:
    assert wanted(settings(tmp_path), with_dagster=True) == tuple(CATALOGUE)


def test_dagster_can_be_left_out(tmp_path: Path) -> None:
    assert not set(wanted(settings(tmp_path), with_dagster=False)) & set(DAGSTER)


@pytest.mark.parametrize(
    ("environment", "left_out"),
    [
        ({"KAFKA_BOOTSTRAP_SERVERS": "k:9092"}, {"kafka"}),
        ({"SCHEMA_REGISTRY_URL": "http://r"}, {"registry"}),
        ({"MONGODB_URI": "mongodb://m"}, {"mongod"}),
        ({"MY_MONGODB_USER": "u", "MY_MONGODB_PASS": "p", "MY_MONGODB_CLUSTER": "c"}, {"mongod"}),
        ({"AWS_ENDPOINT_URL_S3": "http://s"}, {"s3"}),
        ({"FRAUD_AWS": "aws", "FRAUD_LAKE_BUCKET": "mine"}, {"s3", "glue"}),
        ({"AWS_ENDPOINT_URL_GLUE": "http://g"}, {"glue"}),
        ({"FRAUD_VALIDATOR_URL": "http://v/validate"}, {"validator"}),
    ],
)
def test_a_service_that_the_settings_place_elsewhere_is_not_started(
    tmp_path: Path, environment: dict[str, str], left_out: set[str]
) -> None:
    assert external(settings(tmp_path, **environment), {}) == left_out


def test_the_addresses_of_an_earlier_start_count_as_embedded(tmp_path: Path) -> None:
    write_endpoints(Folder(tmp_path), dict.fromkeys(ports_of(CATALOGUE), 20_001), CATALOGUE)
    again = settings(tmp_path)
    assert again.kafka_bootstrap_servers == "127.0.0.1:20001"
    assert external(again, read_endpoints(tmp_path)) == frozenset()


def test_endpoints_hold_what_settings_read_and_only_for_the_owner(tmp_path: Path) -> None:
    write_endpoints(Folder(tmp_path), dict.fromkeys(ports_of(CATALOGUE), 20_001), CATALOGUE)
    path = Folder(tmp_path).endpoints
    known = {*Settings.environment_names(), "local_s3_access_key", "local_s3_secret_key"}
    assert set(json.loads(path.read_text())) <= known
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_validator_looks_for_the_rules_in_the_stack_that_it_belongs_to(tmp_path: Path) -> None:
    settings = Settings.from_environment({"FRAUD_DATA_DIR": str(tmp_path)})
    site = Site(folder=Folder(tmp_path), ports={"validator": 8000}, settings=settings, cache=tmp_path)
    validator = CATALOGUE["validator"].describe(site)
    assert validator.environment == {"FRAUD_DATA_DIR": str(tmp_path)}
    assert "platform" in validator.needs
