from pathlib import Path

import pytest

from fraud_platform.adapters.admin import ensure_topics
from fraud_platform.settings import Settings
from tests.conftest import fresh_settings


@pytest.fixture
def settings(service_endpoints: dict[str, str], tmp_path: Path) -> Settings:
    """Topics and stores of the test's own."""
    settings = fresh_settings(service_endpoints, tmp_path, FRAUD_PARTITIONS="2")
    ensure_topics(settings, timeout_s=60)
    return settings
