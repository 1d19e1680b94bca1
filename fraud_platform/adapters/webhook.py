"""One POST of JSON to a webhook, every wait bounded. The address is a secret: no error holds it."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from fraud_platform.adapters.bounded import call_once
from fraud_platform.errors import BrokerUnavailable, ChannelUnavailable

CONNECT_S, READ_S = 3.0, 10.0
"""A receiver that has got the message may take its time to say so; asked again, it would show it twice."""
TOTAL_S = 12.0
"""Socket timeouts bound each read, not their sum, and no name look-up at all."""
_REDIRECT = 300
_TOO_LARGE = frozenset({400, 413})
"""Slack answers 400 to a post that is too long."""
_LONGEST_NUMBER = 6
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def post_json(url: str, body: Mapping[str, Any], *, total_s: float = TOTAL_S) -> None:
    """Send `body`; any answer of 2xx means that it arrived.

    Raises:
        ChannelUnavailable: no connection, no answer in time, or another status.
    """
    try:
        call_once(lambda: _post(url, body), total_s)
    except BrokerUnavailable:
        raise ChannelUnavailable(f"no answer within {total_s:g} s") from None
    except requests.exceptions.SSLError:
        raise ChannelUnavailable("its certificate is not trusted, or TLS failed") from None
    except requests.Timeout:
        raise ChannelUnavailable("no answer in time") from None
    except requests.ConnectionError:
        raise ChannelUnavailable("no connection") from None
    except (requests.RequestException, OSError, ValueError) as error:
        raise ChannelUnavailable(f"no proper exchange ({type(error).__name__})") from None


def _post(url: str, body: Mapping[str, Any]) -> None:
    with requests.Session() as session:
        # A proxy of the environment is no way to this machine itself.
        session.trust_env = urlsplit(url).hostname not in _LOOPBACK
        # The body of the answer is never read: Slack's is `ok`, and another's may be endless.
        answer = session.post(
            url,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            timeout=(CONNECT_S, READ_S),
            allow_redirects=False,
            stream=True,
        )
        answer.close()
    if answer.status_code >= _REDIRECT:
        why, is_too_large = f"it answers with status {answer.status_code}", answer.status_code in _TOO_LARGE
        raise ChannelUnavailable(why, _retry_after(answer), is_too_large=is_too_large)


def _retry_after(answer: requests.Response) -> float:
    asked = answer.headers.get("Retry-After", "")
    return float(asked) if asked.isascii() and asked.isdigit() and len(asked) < _LONGEST_NUMBER else 0.0
