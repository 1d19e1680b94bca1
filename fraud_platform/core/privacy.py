"""Keyed tokens in place of social security numbers.

An ssn has only 10^9 values, so a plain hash is reversed by trying them all; an HMAC is not without its key.
"""

import hashlib
import hmac
from collections.abc import Sequence


class Tokenizer:
    """Replaces an ssn by `tok_<key id>_<HMAC-SHA256>`.

    `keys` are secrets, the current one first; older ones stay listed so that a given ssn can still be
    matched with tokens made before a rotation. The key id is the start of the key's own hash.
    """

    _CACHE_LIMIT = 100_000

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys or not all(keys):
            raise ValueError("at least one non-empty key is needed")
        self._keys = [(_key_id(key), key.encode()) for key in keys]
        self._known: dict[str, str] = {}

    def token(self, ssn: str | None) -> str | None:
        """The token of `ssn` under the current key; None stays None."""
        if ssn is None:
            return None
        known = self._known.get(ssn)
        if known is None:
            if len(self._known) >= self._CACHE_LIMIT:
                self._known.clear()
            known = self._known[ssn] = _token(self._keys[0], ssn)
        return known

    def tokens(self, ssn: str) -> list[str]:
        """The token of `ssn` under each listed key, the current one first."""
        return [_token(key, ssn) for key in self._keys]


def _key_id(key: str) -> str:
    return hashlib.sha256(b"key id of " + key.encode()).hexdigest()[:8]


def _token(key: tuple[str, bytes], ssn: str) -> str:
    key_id, secret = key
    return f"tok_{key_id}_{hmac.digest(secret, ssn.encode(), 'sha256').hex()}"
