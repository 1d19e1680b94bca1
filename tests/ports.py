"""Ports for what a test starts itself."""

from fraud_platform.local.ports import Claims, choose

_CLAIMS = Claims()


def free_port(*, claimed: bool = True) -> int:
    """A port that the system gives to nobody by itself, so that no other test gets it meanwhile.

    Unless it is not `claimed`, no stack that starts now takes it either, as long as this process lives.
    """
    free = {"free": _CLAIMS.take} if claimed else {}
    return choose(["s3"], kept={}, prefer_defaults=False, **free)["s3"]
