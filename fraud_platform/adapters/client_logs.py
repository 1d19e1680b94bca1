"""Keeps what clients say about their payloads out of every log, whatever level the user has chosen."""

import logging

_TELL_PAYLOADS = ("pymongo", "boto3", "botocore", "s3transfer")
"""At DEBUG these write whole commands, documents and request bodies."""


def keep_payloads_out_of_logs() -> None:
    """Give the clients' loggers INFO as their lowest level, those below them too; called where a client is made."""
    for name in _TELL_PAYLOADS:
        _raise_level(logging.getLogger(name))
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in _TELL_PAYLOADS:
            _raise_level(logging.getLogger(name))


def _raise_level(logger: logging.Logger) -> None:
    is_family = "." not in logger.name
    if logger.level < logging.INFO and (is_family or logger.level != logging.NOTSET):
        logger.setLevel(logging.INFO)
