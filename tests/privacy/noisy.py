"""Runs stages with every logger at its loudest: `python -m tests.privacy.noisy drain|hang|dagster STAGE...`."""

import logging
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

from fraud_platform.core.outcome import Record
from fraud_platform.ingestion.stage import Ingestion
from fraud_platform.runtime.drain import drain
from fraud_platform.settings import load
from fraud_platform.topology import STAGES

LOUD = ("pymongo", "pymongo.command", "botocore", "botocore.endpoint", "boto3", "urllib3", "requests", "dagster", "")
HOLDING = "holding a batch"


def hold(_stage: Ingestion, _records: Sequence[Record]) -> NoReturn:
    """Stops with records in hand until the process is killed."""
    print(HOLDING, flush=True)
    time.sleep(600)
    raise SystemExit


def quote(_stage: Ingestion, records: Sequence[Record]) -> NoReturn:
    """Fails as a library might: with what it tripped over in its text, twice."""
    raise ValueError(f"cannot use {records!r}") from KeyError(records[0].value)


def through_dagster() -> list[bool]:
    """Ingestion's asset materialized twice, the first time with a fault; whether each run succeeded."""
    import dagster as dg  # the other processes need none of it, and it takes seconds

    from fraud_platform.ingestion import definitions

    def succeeds() -> bool:
        return dg.materialize([*(definitions.defs.assets or ())], instance=instance, raise_on_error=False).success  # type: ignore[list-item]

    with dg.DagsterInstance.get() as instance:
        sound = Ingestion.__call__
        Ingestion.__call__ = quote  # type: ignore[assignment, method-assign]
        failed = succeeds()
        Ingestion.__call__ = sound  # type: ignore[method-assign]
        return [failed, succeeds()]


def main(what: str, *stages: str) -> None:
    logging.basicConfig(level=logging.DEBUG)
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.DEBUG)
    if what == "dagster":
        print(through_dagster())
        return
    if what == "hang":
        Ingestion.__call__ = hold  # type: ignore[assignment, method-assign]
    for name in stages:
        print(drain(load(), STAGES[name]).to_json(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
