"""No engine here: the compose file is held against the specification's schema and against our own code."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from fraud_platform import __version__
from fraud_platform.local import kafka, registry
from fraud_platform.local.pins import APICURIO, KAFKA
from fraud_platform.local.ports import DEFAULTS
from fraud_platform.rules import files
from fraud_platform.settings import CHECKOUT, Settings
from fraud_platform.topology import MIB
from tests.compose.stack import FOLDER, ONCE, OURS, SECRETS, VARIABLE, services, stack, text

NAMES = sorted(services())
PORTS = {"kafka": "kafka", "registry": "registry", "mongodb": "mongod", "s3": "s3", "validator": "validator",
         "dagster-webserver": "dagster-webserver"}  # fmt: skip
OTHERS_NAMES = {
    # The init process that the engine puts before our program; PostgreSQL's come from our dagster.yaml.
    "TINI_KILL_PROCESS_GROUP", "RCLONE_AUTH_KEY",
    *re.findall(r"env: (\w+)", (FOLDER / "dagster.yaml").read_text()),
}  # fmt: skip


def test_the_file_follows_the_compose_specification():
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text())
    assert [error.message for error in Draft202012Validator(schema).iter_errors(stack())] == []


def test_the_schema_is_strict_enough_to_find_a_misspelt_key():
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text())
    wrong = {"services": {"kafka": {"image": "apache/kafka:4.3.1", "helthcheck": {}}}}
    assert not Draft202012Validator(schema).is_valid(wrong)


def test_whatever_a_service_waits_for_exists():
    for name, service in services().items():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONCE else "service_healthy"
            assert how["condition"] == wanted, f"{name} waits for {other}"
            assert other in ONCE or "healthcheck" in services()[other]


def test_every_volume_is_declared_and_used():
    used = {volume.partition(":")[0] for service in services().values() for volume in service.get("volumes", ())}
    assert {name for name in used if not name.startswith(".")} == set(stack()["volumes"])
    assert all((FOLDER / name).exists() for name in used if name.startswith("."))


# Versions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_images_are_pinned(name: str):
    tag = services()[name]["image"].partition(":")[2]
    assert re.match(r"\d+\.\d+", tag), f"{name} is not pinned"


def test_versions_agree_with_the_embedded_services():
    images = {name: service["image"] for name, service in services().items()}
    assert images["kafka"].rpartition(":")[2] == KAFKA.name.rpartition("-")[2]
    assert images["registry"].rpartition(":")[2] == APICURIO.name.rpartition("-")[2]
    assert {images[name] for name in OURS} == {f"fraud-platform:{__version__}"}


# Safety ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_service_is_held_short(name: str):
    service = services()[name]
    assert service["user"].partition(":")[0] not in ("", "0", "root")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert int(service["stop_grace_period"].removesuffix("s")) >= 30
    # Kafka's image writes its configuration at each start.
    assert service.get("read_only", False) is (name != "kafka")
    assert ("healthcheck" in service) is (name not in ONCE)


def test_published_ports_are_on_the_loopback_interface_and_the_defaults_of_the_platform():
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    by_default = {name: int(ports[0].split(":")[1]) for name, ports in published.items() if name in PORTS}
    assert by_default == {name: DEFAULTS[port] for name, port in PORTS.items()}
    assert set(published) == {*PORTS, "glue"}


def test_every_secret_is_required_and_has_no_default():
    used = [found.groupdict() for found in VARIABLE.finditer(text())]
    assert {use["name"] for use in used if use["how"] == ":?"} == SECRETS
    assert all(use["how"] == ":-" for use in used if use["name"] not in SECRETS)


def test_every_variable_is_in_the_example():
    example = (FOLDER / ".env.example").read_text()
    described = {**dict(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=(.*)$", example, re.MULTILINE))}
    used = {found["name"]: found["word"] for found in VARIABLE.finditer(text())}
    assert used.keys() == described.keys()
    assert {name: used[name] for name in used.keys() - SECRETS} == {
        name: value for name, value in described.items() if name not in SECRETS
    }


# Agreement with the code ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
def test_our_services_are_told_nothing_that_nobody_reads(name: str):
    told = set(services()[name].get("environment", {}))
    assert told <= {*Settings.environment_names(), *OTHERS_NAMES}


def test_the_settings_load_and_name_the_services_of_the_stack():
    environment = services()["dagster-code"]["environment"]
    settings = Settings.from_environment({name: str(value) for name, value in environment.items()}, embedded={})
    assert settings.kafka_bootstrap_servers in services()["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert settings.schema_registry_url == f"http://registry:8081{registry.API}"
    assert services()["registry"]["environment"]["QUARKUS_HTTP_PORT"] == "8081"
    assert settings.mongodb_address.endswith("@mongodb:27017/?replicaSet=rs0&authSource=admin")
    assert settings.validator_url == "http://validator:8000/validate"
    assert settings.s3_endpoint == "http://s3:9000"
    assert settings.aws == "aws"
    keys = f"{settings.my_aws_access_key_id},{settings.my_aws_secret_access_key.get_secret_value()}"  # type: ignore[union-attr]
    assert services()["s3"]["environment"]["RCLONE_AUTH_KEY"] == f'"{keys}"'


def test_the_first_rule_set_is_a_file_of_this_machine_and_by_default_the_package_s_own():
    told = {name: service.get("environment", {}).get("FRAUD_RULES_FILE") for name, service in services().items()}
    (volume,) = services()["prepare"]["volumes"]
    source, target, mode = volume.split(":")
    assert (FOLDER / source).resolve() == files.DEFAULT_FILE
    assert {name: path for name, path in told.items() if path} == {"prepare": target}
    assert mode == "ro"


def test_validation_and_the_validator_share_their_key():
    names = ("validator", "dagster-code")
    assert len({services()[name]["environment"]["FRAUD_VALIDATOR_API_KEY"] for name in names}) == 1


def test_the_broker_is_set_up_like_the_embedded_one():
    embedded = dict(line.split("=", 1) for line in kafka._PROPERTIES.splitlines() if line and not line.startswith("#"))
    placed = {"process.roles", "node.id", "log.dirs", "controller.quorum.bootstrap.servers"}
    wanted = {name: value.format(max_bytes=9 * MIB) for name, value in embedded.items()
              if name not in placed and "listener" not in name}  # fmt: skip
    told = services()["kafka"]["environment"]
    assert {name: told[f"KAFKA_{name.upper().replace('.', '_')}"] for name in wanted} == wanted


# The image ------------------------------------------------------------------------------------------


def test_the_image_is_built_from_what_the_context_holds():
    allowed = {line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(?:--\S+ )?(.+) \S+$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)
    sources = {source.removeprefix("./") for line in copied for source in line.split()}
    assert sources == allowed
    assert all((CHECKOUT / source).exists() for source in sources)


def test_the_image_runs_as_the_user_of_the_compose_file():
    dockerfile = (FOLDER / "Dockerfile").read_text()
    assert re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE) == [services()["dagster-code"]["user"]]
    assert len(set(re.findall(r"^FROM python:(\S+)", dockerfile, re.MULTILINE))) == 1


def test_the_workspace_names_the_code_server():
    workspace = (FOLDER / "workspace.yaml").read_text()
    assert "host: dagster-code" in workspace
    assert "port: 4000" in workspace
    placed = re.search(r"workspace\.yaml (/\S+)$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)
    assert placed
    for name in ("dagster-daemon", "dagster-webserver"):
        assert placed[1] in services()[name]["command"]
