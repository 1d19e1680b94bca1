"""Readers, crashes and other compactors between any two steps of a compaction."""

from collections.abc import Callable
from typing import Any

import pytest

from fraud_platform.core.partitioning import CURATED_ROOT
from fraud_platform.curated.compaction import Compactor
from fraud_platform.errors import StoreUnavailable
from tests.curated.conftest import FIRST, USERS, World
from tests.curated.hour import EVERY, check, curated, run


class Steps:
    """Calls `look` before each write of a compaction, or dies at the `last` one."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch, look: Callable[[int], None]) -> None:
        self.count = 0
        self.last: int | None = None
        for owner, name in (
            (world.lake, "put"), (world.catalog, "put_table"),
            (world.catalog, "put_hours"), (world.catalog, "put_view"),
        ):  # fmt: skip
            monkeypatch.setattr(owner, name, self._watched(getattr(owner, name), look))

    def _watched(self, write: Callable[..., None], look: Callable[[int], None]) -> Callable[..., None]:
        def watched(*arguments: Any, **named: Any) -> None:
            look(self.count)
            if self.count == self.last:
                raise StoreUnavailable("killed on purpose")
            self.count += 1
            write(*arguments, **named)

        return watched


@pytest.fixture(params=[False, True], ids=["the first time", "after a late object"])
def compactor(world: World, request: pytest.FixtureRequest) -> Compactor:
    """One that has something to do."""
    made = world.compactor()
    if request.param:
        run(made)
        world.put("late", start=90)
    return made


def test_a_reader_between_any_two_steps_sees_each_row_once(
    world: World, compactor: Compactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = world.agreed(EVERY.format("raw_users"))
    steps = Steps(world, monkeypatch, lambda _: check(world, expected))
    run(compactor)
    check(world, expected)
    assert steps.count >= 4  # file, manifest, partition, view


def test_a_query_of_athena_that_began_at_any_step_and_ends_after_any_other_sees_each_row_once(
    world: World, compactor: Compactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads the views' texts first, and lists partitions and files some time later."""
    expected = world.agreed(EVERY.format("raw_users"))
    texts = {world.athena.texts(USERS)}

    def look(_: int) -> None:
        texts.add(world.athena.texts(USERS))
        for each in texts:
            with world.athena.open(USERS, texts=each) as connection:
                assert connection.execute(EVERY.format("raw_users")).fetchall() == expected

    Steps(world, monkeypatch, look)
    run(compactor)
    look(0)
    assert len(texts) == 2


@pytest.mark.parametrize("step", range(5))
def test_a_compaction_that_dies_at_any_step_is_taken_up_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    expected = world.agreed(EVERY.format("raw_users"))
    compactor = world.compactor()
    with monkeypatch.context() as patch:
        steps = Steps(world, patch, lambda _: None)
        steps.last = step
        with pytest.raises(StoreUnavailable, match="killed"):
            run(compactor)
    check(world, expected)
    world.lake.puts.clear()
    again = world.compactor()
    done = again.compact(FIRST)
    again.publish()
    assert done
    assert done.rows == 4
    assert done.built is (step < 2)  # files with a manifest are not built twice
    check(world, expected)
    assert world.agreed("SELECT count(*) FROM pending_users WHERE hr = '00'") == [(0,)]


def test_two_at_once_end_with_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = world.agreed(EVERY.format("raw_users"))
    begun = False

    def other(_: int) -> None:
        nonlocal begun
        check(world, expected)
        if not begun:
            begun = True
            second = world.compactor()
            second.compact(FIRST)
            second.publish()

    Steps(world, monkeypatch, other)
    first = world.compactor()
    first.compact(FIRST)
    first.publish()
    check(world, expected)
    folders = {key.rpartition("/")[0] for key in world.lake.objects if key.startswith(CURATED_ROOT)}
    assert len(folders) == 1


@pytest.mark.parametrize("rebuild", [False, True])
def test_a_slower_one_that_saw_less_never_takes_the_place_of_a_fuller_one(
    world: World, monkeypatch: pytest.MonkeyPatch, rebuild: bool
) -> None:
    begun = False

    def other(_: int) -> None:
        nonlocal begun
        if not begun:
            begun = True
            world.put("late", start=90)
            second = world.compactor()
            second.compact(FIRST)
            second.publish()

    Steps(world, monkeypatch, other)
    first = world.compactor()
    done = first.compact(FIRST, rebuild=rebuild)
    first.publish()
    assert done
    assert curated(world).rows == done.rows == 5
    assert world.agreed("SELECT count(*) FROM raw_users WHERE id = 'late'") == [(1,)]
