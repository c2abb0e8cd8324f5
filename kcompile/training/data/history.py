"""Where the global random generators stood when a source of batches drew from them, so that it can do so
again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from kcompile.core.random_states import global_states, set_global_states


class History:
    """Numbers of moments, and `random` and `np.random` as they were then.

    A data set that mixes its samples after each epoch, and an iterator between two passes, come to where
    they are only if they draw the same numbers again. rows: what `states` of another history gave.
    """

    def __init__(self, rows: Iterable[np.ndarray] = ()):
        self._rows = {int(row[0]): row[1:] for row in rows}
        self._last: np.ndarray | None = None
        self.replays: History | None = None  # the one whose hooks are called again

    def __len__(self) -> int:
        return len(self._rows)

    def take_over(self, other: History) -> None:
        """Know what another history knows."""
        self._rows = {**other._rows, **self._rows}

    def numbers(self) -> list[int]:
        """The moments that are known."""
        return sorted(self._rows)

    def states(self) -> np.ndarray:
        """A row for each moment, uint32: its number and the states."""
        rows = [np.concatenate([np.array([number], np.uint32), row]) for number, row in self._rows.items()]
        return np.array(rows, np.uint32)

    def go_back(self, number: int) -> None:
        """Put the generators where they were at this moment, if it is known."""
        if number in self._rows:
            set_global_states(self._rows[number])

    def note(self, number: int) -> None:
        """Keep the generators' states, unless nothing was drawn since the last time."""
        states = global_states()
        if self._last is None or not np.array_equal(states, self._last):
            self._rows[number] = self._last = states

    def told(self, number: int, hook: Callable[[], None]) -> None:
        """Call a hook; keep the states before it if it draws."""
        if self.replays is not None:
            self.replays.go_back(number)
        before = global_states()
        hook()
        if not np.array_equal(before, global_states()):
            self._rows[number] = before
