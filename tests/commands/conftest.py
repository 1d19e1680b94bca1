"""A shell of its own for the command line: no settings but those that a test gives."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fraud_platform.cli import app
from fraud_platform.local.stack import clean_environment

Run = Callable[..., Result]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def clean_shell(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    """Neither the shell's settings nor the checkout's `.env`; an empty data folder."""
    for name in os.environ.keys() - clean_environment().keys():
        monkeypatch.delenv(name)
    monkeypatch.setenv("FRAUD_ENV_FILE", os.devnull)
    monkeypatch.setenv("FRAUD_DATA_DIR", str(data_dir))


@pytest.fixture
def run(clean_shell: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line in this process: `run("status", "--json", FRAUD_PREFIX="x-")`."""

    def run(*arguments: str, **environment: str) -> Result:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(app, list(arguments))

    return run
