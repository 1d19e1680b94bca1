"""Whether Dagster's daemon lives, by the history that it writes into."""

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fraud_platform.local.dagster import beats
from fraud_platform.local.folder import Folder


def history(folder: Folder, *, seconds_ago: float) -> None:
    path = folder.dagster_home / "history" / "runs.db"
    path.parent.mkdir(parents=True)
    seen = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).replace(tzinfo=None)
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("CREATE TABLE daemon_heartbeats (daemon_type TEXT, timestamp TEXT)")
        base.execute("INSERT INTO daemon_heartbeats VALUES ('SENSOR', ?)", (str(seen),))


@pytest.mark.parametrize(("seconds_ago", "lives"), [(10, True), (200, False)])
def test_a_daemon_lives_as_long_as_its_heartbeat_is_young(tmp_path: Path, seconds_ago: float, lives: bool) -> None:
    history(Folder(tmp_path), seconds_ago=seconds_ago)
    assert beats(Folder(tmp_path), since=time.time() - 300) is lives


def test_a_heartbeat_from_before_the_daemon_s_start_says_nothing(tmp_path: Path) -> None:
    """Its history has moved to another database, and the old one stays as it was."""
    history(Folder(tmp_path), seconds_ago=200)
    assert beats(Folder(tmp_path), since=time.time() - 100)


def test_a_history_that_is_not_there_yet_is_no_silence(tmp_path: Path) -> None:
    assert beats(Folder(tmp_path))
