"""KCOMPILE_POISON: memory that no value owns is full of NaN, so that whoever reads it shows.

The arena is poisoned before each run, and after each kernel (or chain of kernels) the buffers that no
later one needs; each finds its scratch memory poisoned. A value that is read before it was written, or that
the planner gave up too early, turns results into NaN (integers into -1).
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence

import numpy as np

from kcompile.runtime.program import Bound
from kcompile.runtime.stepwise import StepwiseExecutable
from kcompile.runtime.team import team

BYTE = 0xFF  # every float made of it is NaN


class PoisonedExecutable(StepwiseExecutable):
    """An executable that poisons what is free."""

    def _run_once(
        self,
        bound: Bound,
        arrays: Sequence[np.ndarray],
        results: Sequence[np.ndarray],
        symbols: Mapping[str, int] | None,
    ) -> None:
        arena = bound.arena.ctypes.data
        for memory in (bound.arena, *results):
            ctypes.memset(memory.ctypes.data, BYTE, memory.nbytes)
        for chain in bound.chains:
            commands = bound.commands[chain.first : chain.last + 1].copy()
            team().poison_scratch(bound.scratch, BYTE)
            team().run(commands, 1, threads=bound.threads, scratch=bound.scratch)
            for last, offset, size in bound.ends:
                if last == chain.last:
                    ctypes.memset(arena + offset, BYTE, size)
