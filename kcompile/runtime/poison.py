"""KCOMPILE_POISON: memory that no value owns is full of NaN, so that whoever reads it shows.

The arena is poisoned before each run, and after each kernel the buffers that no later kernel needs; each
kernel finds its scratch memory poisoned. A value that is read before it was written, or that the planner gave
up too early, turns results into NaN (integers into -1).
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence

import numpy as np

from kcompile.runtime.executable import Executable
from kcompile.runtime.program import Bound
from kcompile.runtime.team import team

BYTE = 0xFF  # every float made of it is NaN


class PoisonedExecutable(Executable):
    """An executable that runs kernel by kernel and poisons what is free: slow, and for tests only."""

    def __call__(self, *arrays: np.ndarray, symbols: Mapping[str, int] | None = None) -> list[np.ndarray]:
        prepared = self._prepared(arrays)
        bound = self._bind(prepared, symbols)
        results = [np.empty(s, d) for s, d in zip(bound.output_shapes, self._output_dtypes, strict=True)]
        with bound.lock:
            for result in results:
                ctypes.memset(result.ctypes.data, BYTE, result.nbytes)
            self._before(bound, prepared, results)
            self._run_each(bound)
            self._after()
        return results

    def repeat(
        self,
        arrays: Sequence[np.ndarray],
        symbols: Mapping[str, int],
        steps: int,
        stop: np.ndarray | None = None,
    ) -> int:
        for done in range(steps):
            if stop is not None and stop[0]:
                return done
            self(*arrays, symbols=symbols)
        return steps

    def _run_each(self, bound: Bound) -> None:
        arena = bound.arena.ctypes.data
        ctypes.memset(arena, BYTE, bound.arena.nbytes)
        for number in range(len(bound.commands)):
            command = bound.commands[number : number + 1].copy()
            team().poison_scratch(bound.scratch, BYTE)
            team().run(command, 1, threads=bound.threads, scratch=bound.scratch)
            for last, offset, size in bound.ends:
                if last == number:
                    ctypes.memset(arena + offset, BYTE, size)
