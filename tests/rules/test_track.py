"""One window's cells, where no rule stands between."""

from fraud_platform.rules.track import CELLS, Joins, Track, room
from fraud_platform.rules.window import Kind

SPAN, KEPT = 64, 1000
"""A window of 64 microseconds: each cell of a crowd stands for one of them."""


def _crowd(kind: Kind = Kind.COUNT) -> Track:
    """Four transactions each microsecond, more than are kept single."""
    track = Track()
    for n in range(CELLS + 1):
        track.add(kind, n // 4, 1, n // 4 - KEPT, room(SPAN, SPAN))
    return track


def test_a_crowd_becomes_cells_that_know_how_many_they_stand_for() -> None:
    track = _crowd()
    assert isinstance(track.joins, Joins)
    assert len(track.times) == len(track.joins.begins) == len(track.joins.counts) < CELLS
    assert sum(track.joins.counts) == CELLS + 1


def test_what_is_read_is_what_is_left_when_something_had_to_go() -> None:
    """The first 16 of 64 microseconds are forgotten while the others are read."""
    track = _crowd()
    seen = track.read(Kind.COUNT, SPAN, 0, 15, SPAN)
    assert (seen.count, track.floor, track.times[0]) == (CELLS + 1 - 16 * 4, 15, 16)


def test_cells_of_single_transactions_say_no_more_than_their_time() -> None:
    track = _crowd()
    single = track.times[-10]
    track.forget(single)
    assert (track.joins, len(track.times)) == (None, 9)


def test_a_joined_sum_is_that_of_its_parts() -> None:
    track = _crowd(Kind.SUM)
    seen = track.read(Kind.SUM, SPAN, 0, -KEPT, 2 * SPAN)
    assert (seen.count, seen.value) == (CELLS + 1, CELLS + 1)
