"""What a partition's marker says, and who believes it."""

import pytest
from confluent_kafka import murmur2

from fraud_platform.core.statement import canonical_key
from fraud_platform.monitoring.marker import Fill, Marker, is_marker, key_of, read
from fraud_platform.monitoring.warmth import Warmth
from tests.monitoring import rig

RULES = rig.engine()
IDS = tuple(sorted(RULES.layout.ids))
KEYS = [b"an account"]


@pytest.mark.parametrize("count", [1, 4, 12])
def test_each_partition_has_a_key_for_it_that_no_account_has(count: int) -> None:
    for number in range(count):
        key = key_of(number, lambda each: murmur2(each, count))
        assert murmur2(key, count) == number
        assert is_marker(key)
    assert not is_marker(canonical_key("windows-0", "windows-0"))


def test_what_was_begun_is_done_over_the_same_lines() -> None:
    marker = Marker(IDS[:1], Fill(IDS[1:], 5, 6, 7))
    warmth = Warmth()
    warmth.take(marker.encode())
    assert warmth.needs(RULES, KEYS, 99) == marker.fill
    other = Warmth()
    other.take(Marker((), Fill(IDS[1:], 5, 6, 7)).encode())
    assert other.needs(RULES, KEYS, 99) == Fill(IDS, int(RULES.layout.lateness), 0, 99)


@pytest.mark.parametrize("value", [None, b"", b"\xc1", b"{}", b"\x93\x01\x02\x03"])
def test_without_a_marker_that_we_understand_nothing_is_read_and_nothing_claimed(value: bytes | None) -> None:
    warmth = Warmth()
    assert read(value) is None
    warmth.take(value)
    assert warmth.needs(RULES, KEYS, 99) is None


def test_a_partition_without_accounts_needs_nothing() -> None:
    warmth = Warmth()
    warmth.take(Marker(()).encode())
    assert warmth.needs(RULES, [], 99) is None
