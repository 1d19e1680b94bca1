"""`python -m fraud_platform.commands.prepare`: what must exist before the stages start, on services of your own.

Does once what `up` does between the services and the stages: topics, the first rule set, schemas and, when asked,
the bucket.
Harmless when repeated. MongoDB's indexes are made by the documents stage itself.
"""

import argparse
import logging
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING

from fraud_platform.errors import FraudPlatformError, Retryable
from fraud_platform.settings import Settings, load

if TYPE_CHECKING:
    from fraud_platform.adapters.mongo import MongoStore

TIMEOUT_S = 120.0
_PAUSE_S = 1.0


def prepare(
    settings: Settings, *, create_bucket: bool, timeout_s: float, say: Callable[[str], object] = lambda _: None
) -> None:
    """Create what is missing; a service that does not answer yet is asked again until `timeout_s` have passed.

    Raises:
        FraudPlatformError: the last answer of the service that is not as it should be, in one sentence.
    """
    deadline = time.monotonic() + timeout_s
    for about, step in _steps(settings, create_bucket=create_bucket).items():
        _insist(step, deadline)
        say(about)


def _steps(settings: Settings, *, create_bucket: bool) -> Mapping[str, Callable[[], object]]:
    from fraud_platform.adapters.mongo import MongoStore
    from fraud_platform.adapters.s3 import S3ObjectStore
    from fraud_platform.local.provision import make_topics, register_schemas, seed_rules

    return {
        "topics": lambda: make_topics(settings),
        "rules": lambda: seed_rules(settings),
        "schemas": lambda: register_schemas(settings),
        "bucket": S3ObjectStore(settings, create_bucket=create_bucket).prepare,
        "MongoDB": _check_of(cache(partial(MongoStore, settings))),
    }


def _check_of(store: Callable[[], "MongoStore"]) -> Callable[[], object]:
    """Whether MongoDB lets us in; `store` gives the same client at each try."""

    def check() -> None:
        store().check()
        store().close()

    return check


def _insist(step: Callable[[], object], deadline: float) -> None:
    while True:
        try:
            step()
        except Retryable:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def main() -> int:
    """Prepare what the environment names; 0 = all is there, 1 = one sentence on stderr says what is not."""
    parser = argparse.ArgumentParser(prog="python -m fraud_platform.commands.prepare", description=__doc__)
    parser.add_argument("--create-bucket", action="store_true", help="create the bucket too when it is missing")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S, metavar="SECONDS", help="(default: %(default)s)")
    arguments = parser.parse_args()
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        prepare(
            load(),
            create_bucket=arguments.create_bucket,
            timeout_s=arguments.timeout,
            say=lambda about: print(f"{about}: ready", flush=True),
        )
    except FraudPlatformError as error:
        print(f"prepare: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
