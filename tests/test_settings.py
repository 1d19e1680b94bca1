import json
from decimal import Decimal
from pathlib import Path

import pytest

from fraud_platform.errors import ConfigurationError
from fraud_platform.local import catalogue
from fraud_platform.settings import CHECKOUT, ENDPOINTS_FILE, Settings, read_endpoints, without_embedded
from fraud_platform.topology import BANKS, LAKE, VALIDATION

ENDPOINTS = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "SCHEMA_REGISTRY_URL": "http://127.0.0.1:8081/apis/ccompat/v7",
    "MONGODB_URI": "mongodb://127.0.0.1:27017/?replicaSet=rs0",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000",
    "AWS_REGION": "us-east-1",
    "local_s3_access_key": "local1",
    "local_s3_secret_key": "hidden",
}


def read(embedded=None, **environment: str) -> Settings:
    return Settings.from_environment(environment, embedded=embedded or {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder whose services have been started once."""
    (tmp_path / ENDPOINTS_FILE).write_text(json.dumps(ENDPOINTS))
    return tmp_path


# Reading --------------------------------------------------------------------------------------------


def test_nothing_set_means_the_embedded_services():
    settings = read(ENDPOINTS)
    assert settings.kafka_bootstrap_servers == "127.0.0.1:9092"
    assert settings.local_s3_access_key == "local1"


def test_what_the_environment_names_wins_over_the_embedded_services():
    assert read(ENDPOINTS, KAFKA_BOOTSTRAP_SERVERS="far:9092").kafka_bootstrap_servers == "far:9092"


def test_an_empty_variable_counts_as_unset():
    assert read(ENDPOINTS, KAFKA_BOOTSTRAP_SERVERS="").kafka_bootstrap_servers == "127.0.0.1:9092"


def test_endpoints_come_from_the_data_folder_that_the_environment_names(folder: Path):
    settings = Settings.from_environment({"FRAUD_DATA_DIR": str(folder)})
    assert settings.schema_registry_url == ENDPOINTS["SCHEMA_REGISTRY_URL"]


def test_damaged_endpoints_count_as_none(tmp_path: Path):
    (tmp_path / ENDPOINTS_FILE).write_text("{")
    assert read_endpoints(tmp_path) == {}


def test_a_relative_data_folder_lies_in_the_checkout():
    assert read(FRAUD_DATA_DIR="elsewhere").data_dir == CHECKOUT / "elsewhere"


def test_any_kafka_property_is_taken_with_dots_for_underscores():
    settings = read(KAFKA_BOOTSTRAP_SERVERS="b:9092", KAFKA_SECURITY_PROTOCOL="SASL_SSL", KAFKA_SASL_USERNAME="me")
    assert settings.kafka_properties == {"security.protocol": "SASL_SSL", "sasl.username": "me"}


def test_the_default_region_of_aws_is_read_too():
    assert read(AWS_DEFAULT_REGION="eu-west-1").aws_region == "eu-west-1"
    assert read(AWS_DEFAULT_REGION="eu-west-1", AWS_REGION="us-west-2").aws_region == "us-west-2"


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(ConfigurationError) as caught:
        read(FRAUD_PARTITIONS="none", FRAUD_PREFIX="a b", FRAUD_REPLICAS="nobody=2", FRAUD_DEMO_RATE="0")
    said = str(caught.value)
    assert all(n in said for n in ("FRAUD_PARTITIONS", "FRAUD_PREFIX", "FRAUD_REPLICAS", "FRAUD_DEMO_RATE"))
    assert "\n" not in said


def test_secrets_show_neither_in_the_settings_text_nor_in_errors():
    settings = read(ENDPOINTS, FRAUD_PII_KEY="s3cret", KAFKA_SASL_PASSWORD="s3cret", MONGODB_URI="mongodb://u:s3cret@h")
    assert "s3cret" not in repr(settings)
    assert "hidden" not in repr(settings)
    with pytest.raises(ConfigurationError) as caught:
        read(MY_MONGODB_PASS="s3cret", FRAUD_PARTITIONS="x")
    assert "s3cret" not in str(caught.value)


# What follows from them -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lake", "validation"), [("2", 2, 2), ("validation=3", 1, 3), ("2, validation=3", 2, 3)]
)
def test_slots_are_given_for_all_stages_or_one_by_one(text: str, lake: int, validation: int):
    settings = read(FRAUD_REPLICAS=text)
    assert (settings.slots(LAKE), settings.slots(VALIDATION), settings.slots(BANKS)) == (lake, validation, 1)


@pytest.mark.parametrize("text", ["0", "65", "many", "lake=", "lake=-1"])
def test_slots_outside_of_1_to_64_are_refused(text: str):
    with pytest.raises(ConfigurationError, match="FRAUD_REPLICAS: takes numbers from 1 to 64"):
        read(FRAUD_REPLICAS=text)


def test_batches_of_the_lake_close_sooner_on_the_embedded_store():
    assert read().flush_seconds == 10
    assert read(FRAUD_AWS="aws", FRAUD_LAKE_BUCKET="mine").flush_seconds == 300
    assert read(FRAUD_LAKE_FLUSH_SECONDS="2.5").flush_seconds == 2.5


def test_a_missing_address_says_what_to_do():
    with pytest.raises(ConfigurationError, match=r"KAFKA_BOOTSTRAP_SERVERS is not set .*`make up`"):
        read().require("KAFKA_BOOTSTRAP_SERVERS")


def test_the_three_parts_of_an_atlas_address_win_over_the_embedded_mongodb():
    settings = read(ENDPOINTS, MY_MONGODB_USER="me", MY_MONGODB_PASS="p@ss", MY_MONGODB_CLUSTER="c0.abc")
    assert settings.mongodb_address.startswith("mongodb+srv://me:p%40ss@c0.abc.mongodb.net/")


def test_the_three_parts_of_an_atlas_address_belong_together():
    with pytest.raises(ConfigurationError, match="belong together"):
        read(MY_MONGODB_USER="me")


def test_aws_is_never_written_without_a_bucket_of_ones_own():
    with pytest.raises(ConfigurationError, match="FRAUD_AWS=aws needs FRAUD_LAKE_BUCKET"):
        read(FRAUD_AWS="aws")


def test_aws_does_not_go_to_the_embedded_store():
    assert read(ENDPOINTS, FRAUD_AWS="aws", FRAUD_LAKE_BUCKET="mine").s3_endpoint is None


def test_the_demo_rate_is_a_number_above_0():
    assert Decimal(str(read().demo_rate)) == 20


# A shell after `eval "$(fraud-platform env)"` ----------------------------------------------------------


def shell(folder: Path, **more: str) -> dict[str, str]:
    addresses = {name: value for name, value in ENDPOINTS.items() if name.isupper()}
    keys = {"AWS_ACCESS_KEY_ID": "local1", "AWS_SECRET_ACCESS_KEY": "hidden"}
    return {**addresses, **keys, "FRAUD_EMBEDDED": str(folder), "PATH": "/bin", **more}


def test_addresses_that_our_own_command_exported_are_not_the_user_s_choice(folder: Path):
    assert without_embedded(shell(folder)) == {"FRAUD_EMBEDDED": str(folder), "PATH": "/bin"}


def test_in_such_a_shell_every_service_is_still_an_embedded_one(folder: Path):
    settings = Settings.from_environment(shell(folder, FRAUD_DATA_DIR=str(folder)))
    assert catalogue.external(settings, read_endpoints(folder)) == frozenset()
    assert "kafka_bootstrap_servers" in settings.model_fields_set


def test_in_such_a_shell_another_address_is_the_user_s_own(folder: Path):
    environment = shell(folder, FRAUD_DATA_DIR=str(folder), KAFKA_BOOTSTRAP_SERVERS="far:9092")
    settings = Settings.from_environment(environment)
    assert settings.kafka_bootstrap_servers == "far:9092"
    assert catalogue.external(settings, read_endpoints(folder)) == {"kafka"}


def test_another_checkout_s_commands_do_not_take_such_a_shell_s_services_for_theirs(folder: Path, tmp_path: Path):
    other = tmp_path / "other"
    settings = Settings.from_environment(shell(folder, FRAUD_DATA_DIR=str(other)))
    assert settings.kafka_bootstrap_servers is None


def test_without_the_mark_an_address_is_the_user_s_own_however_it_looks():
    assert without_embedded({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092"}) == {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092"
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FRAUD_LAKE_BUCKET", "My Bucket_!"),
        ("FRAUD_LAKE_BUCKET", "ab"),
        ("SCHEMA_REGISTRY_URL", "foo"),
        ("FRAUD_VALIDATOR_URL", "localhost:8000/validate"),
        ("MONGODB_URI", "foo"),
        ("FRAUD_DEMO_RATE", "inf"),
    ],
)
def test_a_value_that_cannot_work_is_named_at_once(name: str, value: str):
    with pytest.raises(ConfigurationError, match=name):
        read(**{name: value})


def test_variables_of_kafkas_own_scripts_are_left_alone():
    assert read(KAFKA_HOME="/opt/kafka", KAFKA_HEAP_OPTS="-Xmx1g", KAFKA_LOG4J_OPTS="x").kafka_properties == {}


def test_security_settings_wait_for_a_broker_of_the_users_own():
    assert read(KAFKA_SECURITY_PROTOCOL="SSL").kafka_properties == {}
    own = read(KAFKA_SECURITY_PROTOCOL="SSL", KAFKA_BOOTSTRAP_SERVERS="broker:9093")
    assert own.kafka_properties == {"security.protocol": "SSL"}
