"""Real services, started once per test process group and shared; each module gets names of its own."""

import json
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest

from fraud_platform.settings import Settings

SERVICES = ("kafka", "registry", "mongod", "s3")
GIVEN = "FRAUD_TEST_ENDPOINTS"
"""Names a file with the addresses of services that run already."""
SLOW_FIRST = (
    "orchestration/test_live", "failure", "stages", "books", "local", "own_services", "orchestration", "retention",
    "curated", "catalog", "live", "monitoring", "adapters", "privacy", "commands", "housekeeping", "alerts",
    "quality", "lake", "documents",
)  # fmt: skip
"""Folders and files below tests/."""


def pytest_configure(config: pytest.Config) -> None:
    """Nothing that the user has set, in the shell or in `.env`, reaches a test or what it starts.

    Nor does a script's `make test &`: a shell without job control hands down an ignored SIGINT, to every child.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in {*Settings.environment_names(), *(name for name in os.environ if name.startswith("KAFKA_"))}:
        os.environ.pop(name, None)
    os.environ["FRAUD_ENV_FILE"] = os.devnull
    if config.getoption("markexpr") != "long":
        # Brokers that live for a minute are not worth the second compiler: 4 s of processor time a start, not 7.
        os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
    if getattr(config.option, "numprocesses", None) and GIVEN not in os.environ:
        _share_services(config)
    # A machine at work makes any single example slow.
    slow = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile("at work", deadline=None, suppress_health_check=slow)
    hypothesis.settings.load_profile("at work")


def _share_services(config: pytest.Config) -> None:
    """One set of services for all workers: four brokers would each have to warm up, and wait for each other."""
    from fraud_platform.local.stack import running_stack

    folder = Path(tempfile.mkdtemp(prefix="fraud-tests-"))
    services = ExitStack()
    config.add_cleanup(services.close)
    services.callback(shutil.rmtree, folder, ignore_errors=True)
    found = services.enter_context(running_stack(folder, services=(*SERVICES, "glue"), prefer_defaults=False))
    given = folder / "given.json"
    given.write_text(json.dumps(dict(found)))
    os.environ[GIVEN] = str(given)
    services.callback(os.environ.pop, GIVEN)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: next((n for n, each in enumerate(SLOW_FIRST) if _is_in(item, each)), len(SLOW_FIRST)))


def _is_in(item: pytest.Item, place: str) -> bool:
    return item.nodeid.startswith(f"tests/{place}")


@pytest.fixture(scope="session")
def service_endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Addresses of real services on free ports, or those of running ones that `GIVEN` names."""
    given = os.environ.get(GIVEN)
    if given:
        yield json.loads(Path(given).read_text())
        return
    from fraud_platform.local.stack import running_stack

    folder = tmp_path_factory.mktemp("stack")
    with running_stack(folder, services=SERVICES, prefer_defaults=False) as endpoints:
        yield dict(endpoints)


@pytest.fixture(scope="module")
def platform_settings(service_endpoints: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings against the real services, with topics of the module's own."""
    from fraud_platform.adapters.admin import ensure_topics

    settings = fresh_settings(service_endpoints, tmp_path_factory.mktemp("data"))
    ensure_topics(settings, timeout_s=60)
    return settings


def fresh_settings(endpoints: dict[str, str], data_dir: Path, **changes: str) -> Settings:
    """Settings with a prefix, a database and a bucket that nobody else uses."""
    name = uuid.uuid4().hex[:8]
    own = {
        "FRAUD_PREFIX": f"t{name}-",
        "FRAUD_MONGODB_DATABASE": f"fraud_{name}",
        "FRAUD_LAKE_BUCKET": f"lake-{name}",
        "FRAUD_DATA_DIR": str(data_dir),
        "FRAUD_LAKE_FLUSH_SECONDS": "1",
        "FRAUD_PII_KEY": "a key for tests",
    }
    return Settings.from_environment({**own, **changes}, embedded=endpoints)
