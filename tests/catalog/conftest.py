"""A real S3 and a real Glue API for the tests of the catalog."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fraud_platform.adapters.lake_reader import S3LakeReader
from fraud_platform.settings import Settings
from tests.conftest import fresh_settings


@pytest.fixture(scope="package")
def lake_endpoints(
    service_endpoints: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The services of the session and Glue's API."""
    if "AWS_ENDPOINT_URL_GLUE" in service_endpoints:
        yield service_endpoints
        return
    from fraud_platform.local.stack import running_stack

    with running_stack(tmp_path_factory.mktemp("glue"), services=("glue",)) as found:
        yield {**service_endpoints, **found}


@pytest.fixture(scope="module")
def lake_settings(lake_endpoints: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings with a bucket and a database of the module's own."""
    settings = own_settings(lake_endpoints, tmp_path_factory.mktemp("data"))
    S3LakeReader(settings).prepare()
    return settings


def own_settings(endpoints: dict[str, str], data_dir: Path, **changes: str) -> Settings:
    """Settings with names that nobody else uses."""
    settings = fresh_settings(endpoints, data_dir, **changes)
    return settings.model_copy(update={"glue_database": settings.lake_bucket.replace("-", "_")})
