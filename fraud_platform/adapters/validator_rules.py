"""Which rule set a running validator judges by."""

from urllib.parse import urljoin

import msgspec

from fraud_platform.adapters.validator_http import Budget, Exchange
from fraud_platform.errors import ConfigurationError, Retryable
from fraud_platform.settings import Settings

_ANSWER_S = 1.0


class _Health(msgspec.Struct):
    rule_set_version: str


def judges_by(settings: Settings) -> str | None:
    """The version; None when the validator does not answer, or is of another maker and does not say."""
    url = settings.validator_url
    if url is None:
        return None
    exchange = Exchange(url, None, connections=1, connect_timeout_s=_ANSWER_S, read_timeout_s=_ANSWER_S)
    try:
        reply = exchange.get(urljoin(url, "healthz"), Budget(_ANSWER_S, lambda: False))
        return msgspec.json.decode(reply.body, type=_Health).rule_set_version
    except (Retryable, ConfigurationError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    finally:
        exchange.close()
