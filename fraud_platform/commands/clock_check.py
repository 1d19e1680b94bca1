"""The doctor's look at this machine's clock: services elsewhere say what time it is in the head of each answer."""

import time
from collections.abc import Callable, Collection, Mapping
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from fraud_platform.commands.finding import Finding, note, ok, problem
from fraud_platform.settings import Settings

TIMEOUT_S = 2.0
NOTE_S = 5.0
"""The head tells whole seconds, and an answer takes a while."""
PROBLEM_S = 15 * 60.0
"""S3 refuses signatures that are older or newer; Kafka refuses records an hour ahead."""
_ABOUT = "Clock"


def clock(settings: Settings, elsewhere: Collection[str], *, now: Callable[[], float] = time.time) -> list[Finding]:
    """How far this machine's clock is from those of the services that run elsewhere; nothing when none tells.

    Args:
        settings: where they are.
        elsewhere: their names in the catalogue; embedded services have this machine's clock.
        now: this machine's clock, in Unix seconds.
    """
    seen = {name: ahead_s(url, now=now) for name, url in _addresses(settings).items() if name in elsewhere}
    told = {name: ahead for name, ahead in seen.items() if ahead is not None}
    if not told:
        return []
    name, ahead = max(told.items(), key=lambda each: abs(each[1]))
    if abs(ahead) <= NOTE_S:
        return [ok(_ABOUT, f"as that of {', '.join(told)}")]
    says = f"This machine is {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} the clock of {name}."
    mend = "Set it by a time service (`timedatectl set-ntp true`), or that machine's clock if it is the wrong one."
    return [problem(_ABOUT, says, mend) if abs(ahead) > PROBLEM_S else note(_ABOUT, says, mend)]


def ahead_s(url: str, *, now: Callable[[], float] = time.time) -> float | None:
    """Seconds that this machine is ahead of the server's clock; None when that cannot be known."""
    before = now()
    try:
        with urlopen(Request(url, method="HEAD"), timeout=TIMEOUT_S) as answer:  # noqa: S310 - the user's own address
            date = answer.headers["Date"]
    except HTTPError as refused:
        date = refused.headers["Date"]
    except (OSError, HTTPException, ValueError):
        return None
    try:
        return (before + now()) / 2 - parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None


def _addresses(settings: Settings) -> Mapping[str, str]:
    aws = f"https://s3.{settings.aws_region}.amazonaws.com" if settings.aws == "aws" else None
    found = {
        "s3": settings.s3_endpoint or aws,
        "registry": settings.schema_registry_url,
        "validator": settings.validator_url,
    }
    return {name: url for name, url in found.items() if url}
