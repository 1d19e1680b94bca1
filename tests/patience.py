"""Time limits that a busy machine can keep, for tests of something else than the limits."""

import time

import pytest

from fraud_platform.adapters import admin, mongo, mongo_client, mongo_layout, registry, s3, subjects
from fraud_platform.settings import Settings

TIMES = 10
AT_WORK = 3
"""How many times later than promised something may be beside other tests; alone, what is promised holds."""


def be_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let MongoDB, S3 and the registry take ten times as long; for clients that are made after this."""
    for module, name in (
        (mongo, "QUESTION_TIMEOUT_S"),
        (mongo, "WRITE_TIMEOUT_S"),
        (mongo_layout, "QUESTION_TIMEOUT_S"),
        (mongo_client, "SELECTION_TIMEOUT_MS"),
        (mongo_client, "CONNECT_TIMEOUT_MS"),
        (s3, "CONNECT_TIMEOUT_S"),
        (s3, "READ_TIMEOUT_S"),
    ):
        monkeypatch.setattr(module, name, TIMES * getattr(module, name))
    for module in (registry, subjects):
        monkeypatch.setattr(module, "TIMEOUT_S", tuple(TIMES * seconds for seconds in module.TIMEOUT_S))


def await_markers(settings: Settings) -> None:
    """Wait until no transaction is open: a commit returns before its markers are written."""
    deadline = time.monotonic() + 60
    while admin.open_transactions(settings, timeout_s=60):
        assert time.monotonic() < deadline, "a transaction stays open"
