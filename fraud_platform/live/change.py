"""What the command line and Dagster's jobs do alike: make another rule set active."""

import getpass
from datetime import UTC, datetime

from fraud_platform.adapters.rule_set_topic import Overtaken, append, rule_set_of
from fraud_platform.errors import ConfigurationError
from fraud_platform.rules.history import History
from fraud_platform.rules.publication import LONGEST_NOTE, Kind, Publication
from fraud_platform.rules.rule_set import RuleSet
from fraud_platform.settings import Settings

SWITCH_S = 10
"""Within so many seconds every consumer has a new rule set."""


def user() -> str:
    """The name of the operating system's user, which the history keeps."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return "unknown"


def publish(
    settings: Settings, rule_set: RuleSet, *, by: str, note: str = "", expect: str | None = None
) -> Publication:
    """Make the rule set active.

    Args:
        settings: where Kafka is.
        rule_set: a checked one.
        by: who does this.
        note: why; at most 500 characters.
        expect: the version that must be active until now, None = whichever.

    Raises:
        Overtaken: another version than the expected one is active, or somebody else publishes now.
        ConfigurationError: the set is active already, or the note is too long.
        BrokerUnavailable: no answer; the history tells whether it was published.
    """
    _check(note)

    def follow(history: History) -> Publication:
        _require(history, expect)
        active = history.active
        made = Publication.of(rule_set, active, kind=Kind.PUBLISHED, by=by, at=datetime.now(UTC), note=note)
        if active and active.version == made.version:
            raise ConfigurationError(f"The rule set {made.version} is active already; there is nothing to publish.")
        return made

    return append(settings, follow)


def rollback(
    settings: Settings, version: str | None = None, *, by: str, note: str = "", expect: str | None = None
) -> Publication:
    """Make an earlier version active again, by default the one that the active one replaced.

    Raises:
        ConfigurationError: there is no such version or it is active, or it cannot be applied here.
        Overtaken, BrokerUnavailable: as `publish`.
    """
    _check(note)

    def follow(history: History) -> Publication:
        _require(history, expect)
        active = history.require_active()
        earlier = history.find(version) if version else history.before_active()
        if earlier.version == active.version:
            raise ConfigurationError(f"The rule set {active.version} is active already; there is nothing to roll back.")
        rule_set_of(earlier)
        return earlier.again(active, by=by, at=datetime.now(UTC), note=note)

    return append(settings, follow)


def _check(note: str) -> None:
    if len(note) > LONGEST_NOTE:
        raise ConfigurationError(f"The note is longer than {LONGEST_NOTE} characters.")


def _require(history: History, expect: str | None) -> None:
    """Nobody overwrites what they have not seen."""
    active = history.active
    if expect is None or (active and active.version == history.find(expect).version):
        return
    now = f"{active.version}, {active.kind} by {active.by} at {active.at:%Y-%m-%d %H:%M:%S} UTC" if active else "none"
    raise Overtaken(f"The active rule set is not {expect} but {now}; compare with `fraud-platform rules diff FILE`.")
