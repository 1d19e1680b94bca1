import tempfile
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.commands.send_lines import Message
from fraud_platform.commands.send_sorted import epoch_us, in_order
from fraud_platform.errors import ConfigurationError

times = st.datetimes(timezones=st.timezones() | st.just(UTC)) | st.datetimes()


def _message(at: str, n: int) -> Message:
    return Message(b"key-%d" % n, b"\n\x00value-%d\n" % n, at)


@given(st.lists(times.map(datetime.isoformat), max_size=30), st.integers(1, 200))
def test_records_come_by_time_and_equal_times_as_they_came_however_little_fits_into_memory(moments, run_bytes):
    given_ = [_message(at, n) for n, at in enumerate(moments)]
    assert list(in_order(given_, run_bytes=run_bytes)) == sorted(given_, key=lambda message: epoch_us(message.at))


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T01:00:00.000001+01:00", 1),
        ("1969-12-31T23:59:59.999999", -1),
        ("0001-01-01T00:00:00+23:59", -62_135_596_800_000_000 - 86_340_000_000),
        ("9999-12-31T23:59:59-23:59", 253_402_300_799_000_000 + 86_340_000_000),
    ],
)
def test_a_time_is_exact_even_where_no_calendar_has_it(text, us):
    assert epoch_us(text) == us


def test_a_full_disk_is_one_sentence(monkeypatch):
    def full():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    messages = [_message("2026-01-01", n) for n in range(3)]
    with pytest.raises(ConfigurationError, match=r"cannot hold what is being sorted: no space left on device; TMPDIR"):
        list(in_order(messages, run_bytes=1))
