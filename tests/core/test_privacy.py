import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.core.privacy import Tokenizer

SSN = "900-12-3456"


def test_a_token_names_its_key_and_holds_the_hmac() -> None:
    token = Tokenizer(["secret"]).token(SSN)
    assert token is not None
    prefix, key_id, digest = token.split("_")
    assert (prefix, len(key_id)) == ("tok", 8)
    assert digest == hmac.new(b"secret", SSN.encode(), hashlib.sha256).hexdigest()


@given(st.text(min_size=1), st.text())
def test_the_same_number_has_the_same_token_everywhere(key: str, ssn: str) -> None:
    tokenizer = Tokenizer([key])
    assert tokenizer.token(ssn) == tokenizer.token(ssn) == Tokenizer([key]).token(ssn)


@given(st.lists(st.text(), min_size=2, max_size=20, unique=True))
def test_different_numbers_have_different_tokens(numbers: list[str]) -> None:
    tokenizer = Tokenizer(["secret"])
    assert len({tokenizer.token(number) for number in numbers}) == len(numbers)


def test_the_token_tells_neither_the_number_nor_the_key() -> None:
    token = Tokenizer(["the secret"]).token(SSN) or ""
    assert SSN not in token
    assert "secret" not in token
    assert hashlib.sha256(b"the secret").hexdigest()[:8] not in token


def test_no_number_stays_none() -> None:
    assert Tokenizer(["secret"]).token(None) is None


def test_an_empty_number_is_a_token_too() -> None:
    assert (Tokenizer(["secret"]).token("") or "").startswith("tok_")


def test_after_a_rotation_a_number_still_matches_its_old_token() -> None:
    before, after = Tokenizer(["old"]), Tokenizer(["new", "old"])
    assert after.token(SSN) == Tokenizer(["new"]).token(SSN) != before.token(SSN)
    assert after.tokens(SSN) == [after.token(SSN), before.token(SSN)]


@pytest.mark.parametrize("keys", [[], [""], ["good", ""]])
def test_a_missing_key_is_refused(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="non-empty key"):
        Tokenizer(keys)


def test_the_memory_of_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tokenizer, "_CACHE_LIMIT", 10)
    tokenizer = Tokenizer(["secret"])
    first = tokenizer.token("0")
    for number in range(1, 100):
        tokenizer.token(str(number))
    assert len(tokenizer._known) <= 10
    assert tokenizer.token("0") == first
