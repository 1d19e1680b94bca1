"""Instances of Dagster, and a webhook that listens."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance

from tests.alerts.receivers import Hook, running_hook


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[DagsterInstance]:
    """An instance on disk, which knows sensors' switches too."""
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def hook() -> Iterator[Hook]:
    with running_hook() as hook:
        yield hook
