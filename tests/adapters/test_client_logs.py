import logging
from collections.abc import Iterator

import pytest

from fraud_platform.adapters.client_logs import keep_payloads_out_of_logs
from fraud_platform.adapters.mongo_client import mongo_client
from fraud_platform.adapters.s3 import s3_client
from fraud_platform.settings import Settings

NAMES = ("", "pymongo", "pymongo.command", "botocore", "botocore.endpoint", "boto3", "urllib3", "fraud_platform")


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    """Everything at DEBUG, and as it was afterwards."""
    before = {name: logging.getLogger(name).level for name in NAMES}
    for name in NAMES:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def speaks(name: str) -> bool:
    return logging.getLogger(name).isEnabledFor(logging.DEBUG)


@pytest.mark.parametrize(
    "name", ["pymongo", "pymongo.command", "pymongo.new", "botocore.endpoint", "boto3", "s3transfer"]
)
def test_clients_that_tell_payloads_stay_quiet_under_debug_logging(name: str) -> None:
    keep_payloads_out_of_logs()
    assert not speaks(name)
    assert logging.getLogger(name).isEnabledFor(logging.INFO)


@pytest.mark.parametrize("name", ["", "fraud_platform", "urllib3", "botocore_like"])
def test_other_loggers_keep_their_level(name: str) -> None:
    keep_payloads_out_of_logs()
    assert speaks(name)


def test_a_stricter_level_stays() -> None:
    logging.getLogger("botocore").setLevel(logging.ERROR)
    keep_payloads_out_of_logs()
    assert logging.getLogger("botocore").level == logging.ERROR


def test_making_a_client_quiets_it() -> None:
    settings = Settings.from_environment(
        {"MONGODB_URI": "mongodb://127.0.0.1:1/", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"},
        embedded={"local_s3_access_key": "a", "local_s3_secret_key": "b"},
    )
    mongo_client(settings).close()
    assert not speaks("pymongo.command")
    logging.getLogger("botocore").setLevel(logging.DEBUG)
    s3_client(settings)
    assert not speaks("botocore.endpoint")
