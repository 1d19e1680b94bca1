"""All services in the order in which people read about them, and which of them a stack has to run itself."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fraud_platform.local import dagster, glue, kafka, mongod, registry, s3, validator
from fraud_platform.local.folder import PRIVATE, Folder, write_json
from fraud_platform.local.pins import APICURIO, KAFKA, Bundle
from fraud_platform.local.service import Service, Site
from fraud_platform.settings import Settings, read_endpoints

PLATFORM = "platform"
"""The step that makes topics, schemas and the like; needed by everything that runs our code on them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How a service is described, which ports it needs, and what must be downloaded for it."""

    describe: Callable[[Site], Service]
    ports: tuple[str, ...] = ()
    bundle: Bundle | None = None


CATALOGUE: Mapping[str, Entry] = MappingProxyType({
    kafka.NAME: Entry(describe=kafka.describe, ports=("kafka", "kafka-controller"), bundle=KAFKA),
    registry.NAME: Entry(
        describe=registry.describe, ports=("registry", "registry-management"), bundle=APICURIO
    ),
    mongod.NAME: Entry(describe=mongod.describe, ports=("mongod",)),
    s3.NAME: Entry(describe=s3.describe, ports=("s3",)),
    glue.NAME: Entry(describe=glue.describe, ports=("glue",)),
    validator.NAME: Entry(describe=validator.describe, ports=("validator",)),
    dagster.CODE: Entry(describe=dagster.code_server, ports=("dagster-code",)),
    dagster.DAEMON: Entry(describe=dagster.daemon),
    dagster.WEBSERVER: Entry(describe=dagster.webserver, ports=("dagster-webserver",)),
})  # fmt: skip

STORES = (kafka.NAME, registry.NAME, mongod.NAME, s3.NAME, glue.NAME)
DAGSTER = (dagster.CODE, dagster.DAEMON, dagster.WEBSERVER)


def external(settings: Settings, embedded: Mapping[str, str]) -> frozenset[str]:
    """The services that the user's settings place elsewhere: never start those.

    Args:
        settings: the settings in force; addresses of embedded services are among them.
        embedded: the addresses of the embedded services (`read_endpoints`).
    """

    def named(value: str | None, name: str) -> bool:
        return value is not None and value != embedded.get(name)

    mongodb = settings.mongodb_uri.get_secret_value() if settings.mongodb_uri else None
    elsewhere = {
        kafka.NAME: named(settings.kafka_bootstrap_servers, "KAFKA_BOOTSTRAP_SERVERS"),
        registry.NAME: named(settings.schema_registry_url, "SCHEMA_REGISTRY_URL"),
        mongod.NAME: named(mongodb, "MONGODB_URI") or settings.my_mongodb_user is not None,
        s3.NAME: settings.aws == "aws" or named(settings.s3_endpoint, "AWS_ENDPOINT_URL_S3"),
        glue.NAME: settings.aws == "aws" or named(settings.glue_endpoint, "AWS_ENDPOINT_URL_GLUE"),
        validator.NAME: named(settings.validator_url, "FRAUD_VALIDATOR_URL"),
    }
    return frozenset(name for name, is_elsewhere in elsewhere.items() if is_elsewhere)


def wanted(settings: Settings, *, with_dagster: bool) -> tuple[str, ...]:
    """The services that a stack of these settings runs itself, in order."""
    elsewhere = external(settings, read_endpoints(settings.data_dir))
    left_out = elsewhere if with_dagster else elsewhere | set(DAGSTER)
    return tuple(name for name in CATALOGUE if name not in left_out)


def ports_of(names: Iterable[str]) -> list[str]:
    """The names of the ports that the services need."""
    return [port for name in names for port in CATALOGUE[name].ports]


def bundles_of(names: Iterable[str]) -> list[Bundle]:
    """What must be in the cache before the services can start."""
    return [bundle for name in names if (bundle := CATALOGUE[name].bundle) is not None]


def write_endpoints(folder: Folder, ports: Mapping[str, int], names: Iterable[str]) -> None:
    """Say where the embedded services listen, under the names that `Settings` reads; private to you."""
    running = set(names)
    found: dict[str, str] = {}
    if kafka.NAME in running:
        found["KAFKA_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{ports['kafka']}"
    if registry.NAME in running:
        found["SCHEMA_REGISTRY_URL"] = f"http://127.0.0.1:{ports['registry']}{registry.API}"
    if mongod.NAME in running:
        found["MONGODB_URI"] = mongod.uri(ports["mongod"])
    if validator.NAME in running:
        found["FRAUD_VALIDATOR_URL"] = f"http://127.0.0.1:{ports['validator']}/validate"
    if s3.NAME in running:
        keys = s3.credentials(folder)
        found["AWS_ENDPOINT_URL_S3"] = f"http://127.0.0.1:{ports['s3']}"
        found["AWS_REGION"] = "us-east-1"
        found["local_s3_access_key"] = keys["access_key"]
        found["local_s3_secret_key"] = keys["secret_key"]
    if glue.NAME in running:
        found["AWS_ENDPOINT_URL_GLUE"] = f"http://127.0.0.1:{ports['glue']}"
    write_json(folder.endpoints, found, mode=PRIVATE)
