"""The table at the end of `make test-failure`."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.failure.arena import SEED, Verdict
from tests.failure.slots import KILLED
from tests.failure.storm import Kill
from tests.orchestration.live import home, live_settings, stack  # noqa: F401 - fixtures

ROW = "failure suite"
SIZE = float(os.environ.get("FRAUD_FAILURE_SIZE") or 1)
"""A share of the full size, for a quicker look."""

Report = Callable[..., None]


@pytest.fixture
def sized() -> Callable[[int], int]:
    return lambda count: max(1, round(count * SIZE))


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Report:
    """Keep figures for the table."""

    def keep(**figures: Any) -> None:
        request.node.user_properties.append((ROW, figures))

    return keep


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def kept_its_word(verdict: Verdict, kills: list[Kill] | None = None) -> None:
    """Nothing missing, doubled or out of order; nobody died who was not killed; everybody left when asked."""
    assert verdict.faults == [], f"repeat with FRAUD_FAILURE_SEED={SEED}"
    assert verdict.seen_otherwise == 0
    assert verdict.unexpected == [(kill.stage, KILLED) for kill in kills or []]
    assert set(verdict.exits.values()) == {0}


def pytest_configure() -> None:
    """Workers take the seed that the table names."""
    os.environ["FRAUD_FAILURE_SEED"] = str(SEED)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    done = [
        (report, dict(figures))
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if report.when == "call"
        for name, figures in (report.user_properties or [(ROW, {})])
        if name == ROW
    ]
    if not done:
        return
    terminalreporter.section(f"failure suite, size {SIZE:g}, FRAUD_FAILURE_SEED={SEED}")
    for report, figures in done:
        name = report.nodeid.rpartition("::")[2].partition("@")[0].removeprefix("test_").replace("_", " ")
        terminalreporter.write_line(f"{report.outcome:7} {report.duration:6.0f} s  {name}")
        terminalreporter.write_line("                  " + ", ".join(f"{k} {v}" for k, v in figures.items()))
