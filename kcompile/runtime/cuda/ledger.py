"""Who read and wrote each cell of memory, and when.

Two threads that meet at a cell, one of them writing, with no barrier between them are a race.
"""

from __future__ import annotations

import numpy as np

_NOBODY = np.iinfo(np.int32).max


class Ledger:
    """Per cell: the last writer, the lowest and highest reader, and the barriers that their blocks had passed
    then.

    Threads are numbered over the whole grid; a barrier orders the threads of one block only.
    """

    def __init__(self, cells: int, threads: int):
        self.threads = threads  # of a block
        self.writer = np.full(cells, -1, np.int32)
        self.written_at = np.zeros(cells, np.int32)
        self.low = np.full(cells, _NOBODY, np.int32)
        self.high = np.full(cells, -1, np.int32)
        self.read_at = np.zeros(cells, np.int32)

    def read(self, cells: np.ndarray, who: np.ndarray, when: np.ndarray) -> np.ndarray:
        """Note reads; returns which of them race with a write."""
        race = self._unordered_write(cells, who, when)
        old = self._is_ordered(cells, who // self.threads, when)
        self.low[cells[old]], self.high[cells[old]] = _NOBODY, -1
        np.minimum.at(self.low, cells, who)
        np.maximum.at(self.high, cells, who)
        np.maximum.at(self.read_at, cells, when)
        return race

    def write(self, cells: np.ndarray, who: np.ndarray, when: np.ndarray) -> np.ndarray:
        """Note writes; returns which of them race with a write or a read."""
        race = self._unordered_write(cells, who, when)
        alone = (self.low[cells] == who) & (self.high[cells] == who)
        nobody = self.high[cells] < 0
        race |= ~(alone | nobody | self._is_ordered(cells, who // self.threads, when))
        self.writer[cells], self.written_at[cells] = who, when
        return race | (self.writer[cells] != who)  # two threads in one statement

    def _unordered_write(self, cells: np.ndarray, who: np.ndarray, when: np.ndarray) -> np.ndarray:
        writer = self.writer[cells]
        ordered = (writer // self.threads == who // self.threads) & (self.written_at[cells] < when)
        return (writer >= 0) & (writer != who) & ~ordered

    def _is_ordered(self, cells: np.ndarray, block: np.ndarray, when: np.ndarray) -> np.ndarray:
        """Were all readers of this block, and before its last barrier?"""
        same = (self.low[cells] // self.threads == block) & (self.high[cells] // self.threads == block)
        return same & (self.read_at[cells] < when)
