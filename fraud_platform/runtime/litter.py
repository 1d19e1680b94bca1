"""Keeps Python's search for cyclic garbage away from what a process remembers.

The search looks at every list and object there is, again and again; a slot that remembers 100,000 accounts would spend
half of its time in it. What it remembers holds no cycles: it goes when its last reference does.
"""

import gc

YOUNG = 100_000
"""New objects until the young are searched; the default is 700."""
FULL_EVERY = 10_000
"""Calls of `sweep` between two searches of everything: minutes, of a busy slot."""


class Litter:
    """`sweep` after each transaction: what is left of it is not searched again until the next search of everything."""

    def __init__(self) -> None:
        self._before: tuple[int, int, int] | None = None
        self._sweeps = 0

    def sweep(self) -> None:
        """Put what there is aside."""
        if self._before is None:
            self._before = gc.get_threshold()
            gc.set_threshold(YOUNG, *self._before[1:])
        self._sweeps += 1
        if self._sweeps % FULL_EVERY == 0:
            gc.unfreeze()
            gc.collect()
        gc.freeze()

    def close(self) -> None:
        """As it was before the first `sweep`."""
        if self._before is not None:
            gc.unfreeze()
            gc.set_threshold(*self._before)
            self._before = None
