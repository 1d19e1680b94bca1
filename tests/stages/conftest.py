from pathlib import Path

import pytest

from fraud_platform.adapters.admin import ensure_topics
from fraud_platform.settings import Settings
from tests.conftest import fresh_settings


@pytest.fixture
def settings(service_endpoints: dict[str, str], tmp_path: Path) -> Settings:
    """Topics of the test's own; the validator's address is a closed port unless the test names one."""
    settings = fresh_settings(service_endpoints, tmp_path, FRAUD_VALIDATOR_URL="http://127.0.0.1:1/validate")
    ensure_topics(settings)
    return settings
