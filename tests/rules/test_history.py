"""Which rule set is active, and which one a name or a rollback means."""

import msgspec
import pytest

from fraud_platform.errors import ConfigurationError
from fraud_platform.rules.history import History
from tests.rules.publishing import AT, limit, published

FIRST = published(limit(1))
SECOND = published(limit(2), FIRST)
THIRD = published(limit(3), SECOND)
ALL = History((FIRST, SECOND, THIRD))


def test_the_last_publication_is_active() -> None:
    assert History.of([FIRST.encode(), b"foreign", SECOND.encode(), None]) == History((FIRST, SECOND), refused=2)
    assert ALL.require_active() == THIRD


def test_without_any_nothing_is_active() -> None:
    assert History().active is None
    with pytest.raises(ConfigurationError, match="No rule set was ever published"):
        History().require_active()


def test_a_version_is_found_by_its_first_letters_in_either_case() -> None:
    assert ALL.find(SECOND.version) == ALL.find(SECOND.version[:6].upper()) == SECOND


@pytest.mark.parametrize("name", ["", "f", "0000000000000000", "nonsense"])
def test_a_version_that_is_none_is_one_sentence(name: str) -> None:
    with pytest.raises(ConfigurationError, match="There is no rule set of version"):
        ALL.find(name)


def test_letters_that_begin_several_versions_are_not_enough() -> None:
    twins = [msgspec.structs.replace(FIRST, version=f"abcd{end}") for end in ("1", "2")]
    with pytest.raises(ConfigurationError, match="begins several versions"):
        History(tuple(twins)).find("abcd")


def test_a_rollback_goes_to_what_the_active_one_replaced() -> None:
    assert ALL.before_active() == SECOND


def test_a_second_rollback_must_say_where_to_so_that_it_brings_nothing_bad_back() -> None:
    back = SECOND.again(THIRD, by="ada", at=AT)
    with pytest.raises(ConfigurationError, match=f"{SECOND.version} was rolled back to by ada at .*; name the version"):
        History((FIRST, SECOND, THIRD, back)).before_active()


def test_before_the_first_there_is_nothing() -> None:
    with pytest.raises(ConfigurationError, match="is the first rule set here"):
        History((FIRST,)).before_active()
