from collections.abc import Iterator

import pytest
import requests

from tests.validator_api.service import running_validator


@pytest.fixture(scope="package")
def service() -> Iterator[str]:
    with running_validator() as address:
        yield address


@pytest.fixture
def client() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session
