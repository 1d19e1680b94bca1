"""Clients of AWS services other than S3, and the errors that they share.

With `FRAUD_AWS=local` they ask the embedded service with invented keys, whatever the shell holds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import boto3
from botocore import exceptions as boto
from botocore.config import Config

from fraud_platform.adapters.aws_session import aws_session, embedded_session
from fraud_platform.adapters.client_logs import keep_payloads_out_of_logs
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.settings import Settings

CONNECT_TIMEOUT_S, READ_TIMEOUT_S, ATTEMPTS = 3, 30, 4
_SERVER_ERROR = 500
_TRY_AGAIN = {"ThrottlingException", "TooManyRequestsException", "RequestTimeout", "RequestLimitExceeded"}
_UNREACHABLE = (boto.ConnectionError, boto.HTTPClientError, boto.ReadTimeoutError)
_LOCAL_KEY = "local"


def session_of(settings: Settings) -> boto3.Session:
    """The session whose credentials the settings name: boto3's own chain, or `MY_AWS_*`.

    Raises:
        ConfigurationError: the AWS profile or region is none.
    """
    try:
        return aws_session(settings)
    except (boto.BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"No AWS session can be made ({type(error).__name__}); look at AWS_PROFILE.") from None


def aws_client(settings: Settings, service: Literal["glue", "athena"]) -> Any:
    """A client with bounded timeouts and retries.

    Raises:
        ConfigurationError: no address is known, or the AWS variables are wrong.
    """
    keep_payloads_out_of_logs()
    bounds = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        user_agent_extra="fraud-platform",
    )
    endpoint = settings.glue_endpoint if service == "glue" else settings.athena_endpoint
    try:
        if settings.aws == "aws":
            return session_of(settings).client(service, endpoint_url=endpoint, config=bounds)
        endpoint = settings.require(f"AWS_ENDPOINT_URL_{service.upper()}")
        session = embedded_session(settings, key=_LOCAL_KEY, secret=_LOCAL_KEY)
        return session.client(service, endpoint_url=endpoint, config=bounds.merge(Config(proxies={})))
    except (boto.BotoCoreError, ValueError) as error:
        raise ConfigurationError(
            f"No {service} client can be made from the settings ({type(error).__name__}); look at the AWS variables."
        ) from None


@contextmanager
def translated(service: str) -> Iterator[None]:
    """boto3's errors as ours; AWS's own words stay out unless they are about our request alone.

    Raises:
        StoreUnavailable: the service does not answer, or asks us to come later.
        ConfigurationError: it refuses us.
    """
    try:
        yield
    except boto.ClientError as error:
        code = code_of(error)
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if status >= _SERVER_ERROR or code in _TRY_AGAIN:
            raise StoreUnavailable(f"{service} answers with {code} (status {status}).") from None
        raise ConfigurationError(
            f"{service} refuses with {code} (status {status}); check the AWS credentials, their rights, and the region."
        ) from None
    except _UNREACHABLE as error:
        raise StoreUnavailable(f"{service} does not answer ({type(error).__name__}).") from error
    except boto.BotoCoreError as error:
        raise ConfigurationError(
            f"{service} cannot be asked ({type(error).__name__}); look at the AWS credentials and the region."
        ) from None


def code_of(error: boto.ClientError) -> str:
    """The error code of a refusal."""
    return str(error.response.get("Error", {}).get("Code", ""))
