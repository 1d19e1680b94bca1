from pathlib import Path

import pytest

from fraud_platform.adapters.admin import ensure_topics
from fraud_platform.settings import Settings
from tests.conftest import fresh_settings


@pytest.fixture
def settings(service_endpoints: dict[str, str], tmp_path: Path) -> Settings:
    """Topics of the test's own; the validator's address is a closed port unless the test names one."""
    return made(service_endpoints, tmp_path, FRAUD_VALIDATOR_URL="http://127.0.0.1:1/validate")


def made(endpoints: dict[str, str], folder: Path, **changes: str) -> Settings:
    """Settings whose topics exist and are nobody else's."""
    settings = fresh_settings(endpoints, folder, **changes)
    ensure_topics(settings, timeout_s=60)
    return settings
