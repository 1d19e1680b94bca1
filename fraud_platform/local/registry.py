"""The Schema Registry: Apicurio over an H2 file that survives restarts, with the Confluent-compatible API."""

import http.client
import json

from fraud_platform.errors import RegistryUnavailable
from fraud_platform.local import downloads, probes
from fraud_platform.local.folder import Folder
from fraud_platform.local.java import java, options
from fraud_platform.local.pins import APICURIO
from fraud_platform.local.schema_copy import SchemaCopy
from fraud_platform.local.service import Service, Site

NAME = "registry"
API = "/apis/ccompat/v7"
HEAP_MIB = 256
COPY_WITHIN_S = 10.0


def describe(site: Site) -> Service:
    """The registry of this stack."""
    home = site.folder.root / NAME
    port = site.ports[NAME]
    copy = SchemaCopy(site.folder)

    def prepare() -> None:
        copy.before_start()
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
        probe=lambda: _serves(port, copy),
        alive=lambda: _subjects(port) is not None,
        prepare=prepare,
        environment={
            "APICURIO_STORAGE_KIND": "sql",
            "APICURIO_STORAGE_SQL_KIND": "h2",
            # Schema ids stand in every record: be on disk before the answer (default: up to 0.5 s later).
            # An empty registry begins with the copy; one that holds anything ignores it.
            "APICURIO_IMPORT_URL": copy.path.as_uri(),
            "QUARKUS_LOG_CATEGORY__IO_APICURIO_REGISTRY_IMPORTLIFECYCLEBEAN__LEVEL": "OFF",  # no copy yet: a traceback
            "APICURIO_DATASOURCE_URL": f"jdbc:h2:file:{home / 'registry'};WRITE_DELAY=0",
            "QUARKUS_HTTP_HOST": "127.0.0.1",
            "QUARKUS_HTTP_PORT": str(port),
            "QUARKUS_MANAGEMENT_HOST": "127.0.0.1",
            "QUARKUS_MANAGEMENT_PORT": str(site.ports["registry-management"]),
        },
        ports=(port, site.ports["registry-management"]),
    )


def keep_copy(folder: Folder, port: int) -> None:
    """Export all schemas with their ids beside the registry's own folder.

    Records in Kafka carry the ids, so a registry whose folder was lost must come back with the same ones.

    Raises:
        RegistryUnavailable: it does not hand them out.
    """
    content = _get(port, "/apis/registry/v3/admin/export", COPY_WITHIN_S)
    if content is None:
        raise RegistryUnavailable("The Schema Registry does not hand out a copy of its schemas.")
    SchemaCopy(folder).write(content)


def _serves(port: int, copy: SchemaCopy) -> bool:
    """Whether it answers, and has read its copy when it began empty: that ends a moment after its start."""
    subjects = _subjects(port)
    return subjects is not None and copy.is_read(registry_is_empty=not json.loads(subjects))


def _subjects(port: int) -> bytes | None:
    return _get(port, f"{API}/subjects", probes.TIMEOUT_S.get())


def _get(port: int, path: str, timeout_s: float) -> bytes | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.read() if answer.status == http.client.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
