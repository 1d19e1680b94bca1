"""`fraud-platform rules ...`: what it says, and what it refuses."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from fraud_platform.adapters.rule_set_topic import read_history
from fraud_platform.commands import rules as commands
from fraud_platform.errors import ConfigurationError
from fraud_platform.live.change import publish
from fraud_platform.rules import files
from fraud_platform.settings import Settings
from tests.commands.conftest import Run
from tests.live.conftest import settings, with_empty_topic
from tests.rules.building import rule, rule_set
from tests.rules.publishing import limit, published

__all__ = ["settings", "with_empty_topic"]
BAD = """\
rules:
  - {id: a, criterion: HIGH_TRANSACTION_AMOUNT, action: STOP, parameters: {at_least: 1}}
  - {id: a, criterion: NO_SUCH, action: BLOCK, parameters: {}}
"""


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=250)


@pytest.fixture
def said(console: Console) -> Callable[[], str]:
    """What was printed since the last look."""

    def look() -> str:
        out = console.file
        assert isinstance(out, io.StringIO)
        text = out.getvalue()
        out.seek(0)
        out.truncate()
        return text

    return look


def written(folder: Path, at_least: int) -> str:
    path = folder / f"{at_least}.json"
    path.write_bytes(limit(at_least).canonical())
    return str(path)


def test_a_good_file_is_told_with_its_version(run: Run) -> None:
    done = run("rules", "check", str(files.DEFAULT_FILE))
    assert done.exit_code == 0
    assert f"is good: 7 rules, 3 enabled; version {files.load().version}" in " ".join(done.stdout.split())


def test_every_fault_of_a_bad_file_has_its_line_and_reason(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    done = run("rules", "check", str(path))
    assert done.exit_code == 1
    assert f"{path}:2: rule a, action: this is unknown" in done.stderr
    assert f"{path}:3: rule a, criterion: this is unknown" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there_is_one_sentence(run: Run) -> None:
    done = run("rules", "check", "nowhere.yaml")
    assert (done.exit_code, done.stderr) == (
        1, "fraud-platform: The rule set nowhere.yaml cannot be read: No such file or directory.\n",
    )  # fmt: skip


def test_without_a_platform_publishing_says_what_to_do(run: Run, tmp_path: Path) -> None:
    done = run("rules", "publish", written(tmp_path, 1))
    assert done.exit_code == 1
    assert "run `make up` first" in done.stderr


def test_a_publication_with_new_windows_says_from_how_many_days_of_lines_they_are_filled() -> None:
    week = rule("WINDOW_AGGREGATE", "function: COUNT, window: 7d, at_least: 3", id="week")
    day = rule("SMALL_INTERVAL", "within: 1d", id="day")
    one, two = published(rule_set(day)), published(rule_set(day, week))
    assert commands.filled(two, one).startswith("Monitoring first fills 1 window from the last 10 days of lines and")
    assert commands.filled(two, published(limit(1))).startswith(
        "Monitoring first fills 2 windows from the last 10 days"
    )
    assert commands.filled(one, two) == commands.filled(two, None) == ""


@pytest.fixture
def begun(settings: Settings) -> Iterator[Settings]:
    """A platform whose active rule set has the limit 10,000."""
    active = read_history(settings).active
    if active is None or active.version != limit(10_000).version:
        publish(settings, limit(10_000), by="ada", note="to begin with")
    return settings


Said = Callable[[], str]


@pytest.mark.services
def test_a_difference_names_the_parameter_before_and_after(
    begun: Settings, console: Console, said: Said, tmp_path: Path
) -> None:
    path = written(tmp_path, 5_000)
    assert commands.diff(begun, path, console, against=None, as_json=False) == 0
    assert said().splitlines() == [
        f"{limit(10_000).version} -> {limit(5_000).version}",
        "~ r-1",
        "    parameters.at_least: 10000 -> 5000",
    ]
    commands.diff(begun, path, console, against=limit(10_000).version[:6], as_json=True)
    assert json.loads(said())["changed"] == [
        {"id": "r-1", "changes": [{"name": "parameters.at_least", "before": "10000", "after": "5000"}]}
    ]
    commands.diff(begun, written(tmp_path, 10_000), console, against=None, as_json=False)
    assert said() == f"No difference: both are {limit(10_000).version}.\n"


@pytest.mark.services
def test_publishing_says_what_changed_and_the_way_back_and_rollback_takes_it(
    begun: Settings, console: Console, said: Said, tmp_path: Path
) -> None:
    assert commands.publish(begun, written(tmp_path, 7_000), console, note="spring", expect=None) == 0
    told = said()
    assert "parameters.at_least: 10000 -> 7000" in told
    assert f"{limit(7_000).version} is active (number " in told
    assert f"Back to {limit(10_000).version}: fraud-platform rules rollback" in told
    with pytest.raises(ConfigurationError, match="is active already"):
        commands.publish(begun, written(tmp_path, 7_000), console, note="", expect=None)
    assert commands.rollback(begun, None, console, note="too many") == 0
    assert f"{limit(10_000).version} is active" in said()


@pytest.mark.services
def test_a_bad_file_changes_nothing(begun: Settings, console: Console, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    with pytest.raises(ConfigurationError, match=r"bad\.yaml:2: "):
        commands.publish(begun, str(path), console, note="", expect=None)
    assert read_history(begun).require_active().version == limit(10_000).version


@pytest.mark.services
def test_publishing_may_insist_on_what_is_active(begun: Settings, console: Console, tmp_path: Path) -> None:
    other = publish(begun, limit(8_000), by="ada").version
    with pytest.raises(ConfigurationError, match=f"The active rule set is not .* but {other}"):
        commands.publish(begun, written(tmp_path, 9_000), console, note="", expect=limit(10_000).version)


@pytest.mark.services
def test_the_history_says_who_when_and_why_the_newest_first(begun: Settings, console: Console, said: Said) -> None:
    commands.history(begun, console, as_json=True)
    newest, *_, oldest = json.loads(said())
    assert (newest["version"], newest["active"]) == (limit(10_000).version, True)
    assert (oldest["number"], oldest["active"], oldest["by"], oldest["note"]) == (1, False, "ada", "to begin with")
    commands.history(begun, console, as_json=False)
    head, first, *_ = said().splitlines()
    assert head.split() == ["number", "version", "when", "(UTC)", "how", "by", "rules", "note"]
    assert first.split()[1] == limit(10_000).version
    assert "1 of 1 on" in first


@pytest.mark.services
def test_what_is_shown_as_json_is_a_file_of_the_same_version(
    begun: Settings, console: Console, said: Said, tmp_path: Path
) -> None:
    commands.show(begun, None, console, as_json=True)
    path = tmp_path / "again.json"
    path.write_text(said())
    assert files.load(path).version == limit(10_000).version


@pytest.mark.services
def test_showing_a_set_counts_its_lists_and_names_nobody(begun: Settings, console: Console, said: Said) -> None:
    made = publish(begun, files.load(), by="ada")
    commands.show(begun, made.version[:8], console, as_json=False)
    told = said()
    assert f"{made.version}, active; published by ada at " in told
    assert "list demo-mules: 12 accounts, 0 names" in told
    assert "MULE" not in told
