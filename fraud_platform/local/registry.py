"""The Schema Registry: Apicurio over an H2 file that survives restarts, with the Confluent-compatible API."""

from fraud_platform.local import downloads, probes
from fraud_platform.local.java import java, options
from fraud_platform.local.pins import APICURIO
from fraud_platform.local.service import Service, Site

NAME = "registry"
API = "/apis/ccompat/v7"
HEAP_MIB = 256


def describe(site: Site) -> Service:
    """The registry of this stack."""
    home = site.folder.root / NAME
    port = site.ports[NAME]

    def prepare() -> None:
        downloads.ensure(APICURIO, cache=site.cache)
        (home / "tmp").mkdir(parents=True, exist_ok=True)

    return Service(
        name=NAME,
        command=[
            str(java()),
            *options(heap_mib=HEAP_MIB, folder=home / "tmp"),
            *("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            "-jar",
            str(site.cache / APICURIO.name / "quarkus-run.jar"),
        ],
        address=site.url(NAME) + API,
        probe=lambda: probes.answers(port, f"{API}/subjects"),
        prepare=prepare,
        environment={
            "APICURIO_STORAGE_KIND": "sql",
            "APICURIO_STORAGE_SQL_KIND": "h2",
            # Schema ids stand in every record: be on disk before the answer (default: up to 0.5 s later).
            "APICURIO_DATASOURCE_URL": f"jdbc:h2:file:{home / 'registry'};WRITE_DELAY=0",
            "QUARKUS_HTTP_HOST": "127.0.0.1",
            "QUARKUS_HTTP_PORT": str(port),
            "QUARKUS_MANAGEMENT_HOST": "127.0.0.1",
            "QUARKUS_MANAGEMENT_PORT": str(site.ports["registry-management"]),
        },
        ports=(port, site.ports["registry-management"]),
    )
