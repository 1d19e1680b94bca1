"""boto3 sessions that read boto's descriptions of the services once per process.

A session by itself reads megabytes of JSON for each client: 0.25 s of processor time for Glue in place of 0.02 s,
which a sensor would spend each minute.
"""

import threading
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.loaders import Loader, create_loader

from fraud_platform.settings import Settings

_making = threading.Lock()


def aws_session(settings: Settings) -> boto3.Session:
    """The session whose credentials the settings name: boto3's own chain, or `MY_AWS_*`.

    Raises:
        botocore.exceptions.BotoCoreError, ValueError: the AWS profile or region is none.
    """
    secret = settings.my_aws_secret_access_key
    return _session(
        botocore.session.Session(),
        aws_access_key_id=settings.my_aws_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        region_name=settings.my_aws_region or settings.aws_region,
    )


def embedded_session(settings: Settings, *, key: str, secret: str) -> boto3.Session:
    """A session for an embedded service: the shell's AWS keys and profile stay out of it."""
    return _session(
        botocore.session.Session(session_vars={"profile": (None, None, None, None)}),
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name=settings.aws_region,
    )


def _session(core: botocore.session.Session, **credentials: Any) -> boto3.Session:
    loader = _loader(core.get_config_variable("data_path"))
    core.register_component("data_loader", loader)
    with _making:
        made = boto3.Session(botocore_session=core, **credentials)
        # Each session adds boto3's own folder to what is now one list.
        loader.search_paths[:] = dict.fromkeys(loader.search_paths)
    return made


@cache
def _loader(data_path: str | None) -> Loader:
    return create_loader(data_path)
