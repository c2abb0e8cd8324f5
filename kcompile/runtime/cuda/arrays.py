"""Arrays of emulated threads: every access is within bounds, of written memory, and free of races."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from kcompile.runtime.cuda.faults import DeviceFault
from kcompile.runtime.cuda.ledger import Ledger
from kcompile.runtime.cuda.numbers import convert, is_uniform


class Threads(Protocol):
    """The threads that run in lock step: their numbers in the grid and in the group, passed barriers, and who
    is active.
    """

    count: int
    mask: np.ndarray | None
    number: np.ndarray
    block_in_group: np.ndarray
    passed: np.ndarray


@dataclass
class Touched:
    """The lowest and highest element that a launch used."""

    low: int = -1
    high: int = -1

    def note(self, low: int, high: int) -> None:
        self.low = low if self.low < 0 else min(self.low, low)
        self.high = max(self.high, high)


class GlobalArray:
    """An argument of a kernel. written: one flag per element, or None where all are."""

    def __init__(
        self, name: str, data: np.ndarray, written: np.ndarray | None, may_write: bool, threads: int
    ):
        self.name, self.data, self.written, self.may_write = name, data, written, may_write
        self.ledger = Ledger(data.size, threads) if may_write else None
        self.touched = Touched()

    def load(self, index: Any, t: Threads) -> Any:
        cells = self._cells(index, t)
        if self.written is not None and not self.written[cells].all():
            raise DeviceFault(
                f"{self.name}[{_first(cells, self.written[cells] == 0)}] is read before it is written"
            )
        if self.ledger is not None:
            who, when = _active(t.number, t), _active(t.passed, t)
            _check(self.ledger.read(_spread(cells, who), who, when), cells, who, self.name, "read")
        return _scattered(self.data[cells], index, t)

    def store(self, index: Any, value: Any, t: Threads) -> None:
        if self.ledger is None:
            raise DeviceFault(f"{self.name} is written, but the plan says that it is only read")
        cells, who = self._cells(index, t), _active(t.number, t)
        spread = _spread(cells, who)
        _check(self.ledger.write(spread, who, _active(t.passed, t)), spread, who, self.name, "written")
        self.data[spread] = _values(value, self.data.dtype, t)
        if self.written is not None:
            self.written[spread] = 1

    def _cells(self, index: Any, t: Threads) -> np.ndarray:
        cells = np.asarray(index if is_uniform(index) else _active(index, t)).astype(np.int64)
        low, high = int(cells.min()), int(cells.max())
        if low < 0 or high >= self.data.size:
            raise DeviceFault(
                f"{self.name}[{low if low < 0 else high}] lies outside of {self.data.size} elements"
            )
        self.touched.note(low, high)
        return cells


class SharedArray:
    """Shared memory of a group of blocks, `size` elements each; poisoned until it is written."""

    def __init__(self, name: str, size: int, dtype: Any, blocks: int, threads: int):
        self.name, self.size = name, size
        self.data = np.full(size * blocks, np.nan if np.dtype(dtype).kind == "f" else 0, dtype)
        self.written = np.zeros(self.data.size, bool)
        self.ledger = Ledger(self.data.size, threads)

    def load(self, index: Any, t: Threads) -> Any:
        cells, who = self._cells(index, t), _active(t.number, t)
        if not self.written[cells].all():
            place = _first(cells, ~self.written[cells]) % self.size
            raise DeviceFault(f"shared {self.name}[{place}] is read before it is written")
        race = self.ledger.read(cells, who, _active(t.passed, t))
        _check(race, cells % self.size, who, f"shared {self.name}", "read")
        return _scattered(self.data[cells], None, t)

    def store(self, index: Any, value: Any, t: Threads) -> None:
        cells, who = self._cells(index, t), _active(t.number, t)
        race = self.ledger.write(cells, who, _active(t.passed, t))
        _check(race, cells % self.size, who, f"shared {self.name}", "written")
        self.data[cells] = _values(value, self.data.dtype, t)
        self.written[cells] = True

    def _cells(self, index: Any, t: Threads) -> np.ndarray:
        places = _active(np.broadcast_to(index, t.count), t).astype(np.int64)
        low, high = int(places.min()), int(places.max())
        if low < 0 or high >= self.size:
            raise DeviceFault(
                f"shared {self.name}[{low if low < 0 else high}] lies outside of {self.size} elements"
            )
        return _active(t.block_in_group, t) * self.size + places


def _active(x: np.ndarray, t: Threads) -> np.ndarray:
    return x if t.mask is None else x[t.mask]


def _spread(cells: np.ndarray, who: np.ndarray) -> np.ndarray:
    return np.broadcast_to(cells, who.shape)


def _values(value: Any, dtype: Any, t: Threads) -> Any:
    value = convert(value, dtype)
    return value if is_uniform(value) else _active(value, t)


def _scattered(values: Any, index: Any, t: Threads) -> Any:
    """Loaded values in their threads' places; one number stays one."""
    if index is not None and is_uniform(index):
        return values[()]
    if t.mask is None:
        return values
    result = np.zeros(t.count, values.dtype)
    result[t.mask] = values
    return result


def _first(cells: np.ndarray, wrong: np.ndarray) -> int:
    return int(np.atleast_1d(cells)[np.atleast_1d(wrong).argmax()])


def _check(race: np.ndarray, cells: np.ndarray, who: np.ndarray, name: str, verb: str) -> None:
    if race.any():
        k = int(race.argmax())
        cell = int(np.broadcast_to(cells, race.shape)[k])
        raise DeviceFault(
            f"race: {name}[{cell}] is {verb} by thread {int(who[k])} "
            "and used by another with no barrier between"
        )
