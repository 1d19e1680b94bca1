"""Time limits that a busy machine can keep, for tests of something else than the limits."""

import pytest

from fraud_platform.adapters import mongo, mongo_client, mongo_layout, registry, s3, subjects

TIMES = 10


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
