import json
import subprocess
from pathlib import Path

import pytest

from fraud_platform.commands.env import env, variables
from fraud_platform.errors import ConfigurationError
from fraud_platform.local import catalogue
from fraud_platform.settings import ENDPOINTS_FILE, Settings, read_endpoints
from tests.test_settings import ENDPOINTS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The data folder of a stack, with a space in its path as in many home folders."""
    folder = tmp_path / "my data"
    folder.mkdir()
    (folder / ENDPOINTS_FILE).write_text(json.dumps(ENDPOINTS))
    return folder


def read(folder: Path, **environment: str) -> Settings:
    return Settings.from_environment({"FRAUD_DATA_DIR": str(folder), **environment})


def shell_after(lines: list[str]) -> dict[str, str]:
    """What a real shell holds after `eval`."""
    script = "\n".join(lines) + "\nenv -0"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True, env={})
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if "=" in line)


def test_any_client_finds_the_embedded_services(folder: Path):
    found = shell_after(env(read(folder)))
    assert (
        found.items()
        >= {
            "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
            "SCHEMA_REGISTRY_URL": "http://127.0.0.1:8081/apis/ccompat/v7",
            "MONGODB_URI": "mongodb://127.0.0.1:27017/?replicaSet=rs0",
            "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000",
            "AWS_ACCESS_KEY_ID": "local1",
            "AWS_SECRET_ACCESS_KEY": "hidden",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "DAGSTER_HOME": str(folder / "dagster-home"),
            "FRAUD_EMBEDDED": str(folder),
        }.items()
    )


def test_every_line_is_an_export_in_single_quotes(folder: Path):
    assert [line for line in env(read(folder)) if not line.startswith("export ") or "='" not in line] == []


def test_our_own_commands_read_the_same_from_such_a_shell(folder: Path):
    before = read(folder, FRAUD_PREFIX="x-", KAFKA_CLIENT_RACK="it's $HOME; `rack`")
    after = Settings.from_environment(shell_after(env(before)))
    assert after == before.model_copy(update={"embedded": folder})
    assert catalogue.external(after, read_endpoints(folder)) == frozenset()


def test_the_default_data_folder_is_not_exported_so_that_another_clone_keeps_its_own():
    settings = Settings.from_environment({}, embedded=ENDPOINTS)
    found = variables(settings, ENDPOINTS)
    assert "FRAUD_DATA_DIR" not in found
    assert found["FRAUD_EMBEDDED"] == str(settings.data_dir)


def test_services_of_the_user_s_own_are_exported_and_not_called_embedded(tmp_path: Path):
    own = {
        "KAFKA_BOOTSTRAP_SERVERS": "far:9092",
        "KAFKA_SASL_PASSWORD": "p",
        "MY_MONGODB_USER": "me",
        "MY_MONGODB_PASS": "p",
        "MY_MONGODB_CLUSTER": "c0.abc",
        "FRAUD_AWS": "aws",
        "FRAUD_LAKE_BUCKET": "mine",
        "MY_AWS_ACCESS_KEY_ID": "AKIA1",
        "MY_AWS_SECRET_ACCESS_KEY": "s",
        "MY_AWS_REGION": "eu-west-1",
    }
    found = variables(Settings.from_environment(own, embedded={}), {})
    assert found.items() >= own.items()
    assert found["MONGODB_URI"].startswith("mongodb+srv://me:p@c0.abc.")
    assert (found["AWS_ACCESS_KEY_ID"], found["AWS_DEFAULT_REGION"]) == ("AKIA1", "eu-west-1")
    assert "FRAUD_EMBEDDED" not in found


def test_keys_of_the_embedded_store_are_never_given_out_for_aws():
    settings = Settings.from_environment({"FRAUD_AWS": "aws", "FRAUD_LAKE_BUCKET": "mine"}, embedded=ENDPOINTS)
    assert variables(settings, ENDPOINTS).keys().isdisjoint({"AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL_S3"})


def test_before_the_first_start_there_is_nothing_to_export(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="run `make up` first"):
        env(read(tmp_path))


def test_a_stack_that_is_down_is_said_beside_the_lines(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert env(read(folder))
    assert capsys.readouterr().err == "The services do not run now; `make up` starts them at these addresses.\n"


@pytest.mark.services
def test_a_real_client_connects_with_the_exported_lines_alone(service_endpoints: dict[str, str], tmp_path: Path):
    import boto3
    from pymongo import MongoClient

    (tmp_path / ENDPOINTS_FILE).write_text(json.dumps(dict(service_endpoints)))
    found = shell_after(env(read(tmp_path)))
    with MongoClient(found["MONGODB_URI"], serverSelectionTimeoutMS=5000) as client:
        assert client.admin.command("ping")["ok"] == 1
    s3 = boto3.client(
        "s3",
        endpoint_url=found["AWS_ENDPOINT_URL_S3"],
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
        region_name=found["AWS_DEFAULT_REGION"],
    )
    assert s3.list_buckets()["ResponseMetadata"]["HTTPStatusCode"] == 200
