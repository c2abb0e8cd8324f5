"""Measured figures of each kernel of a program: time, FLOPs, bytes, share of the machine's peak."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from kcompile.core import dtypes, symbolic
from kcompile.runtime.executable import Executable
from kcompile.runtime.program import Program
from kcompile.runtime.team import team
from kcompile.trace.variable import writes

REPEATS = 11


@dataclass(frozen=True)
class KernelProfile:
    """One kernel: nanoseconds are summed over the threads that worked on it, the median of several runs.

    units: into how many slices it is cut if each of them follows that of the kernel before it, else 1.
    """

    name: str
    fused: tuple[str, ...]
    nanoseconds: float
    flops: int
    bytes: int
    tiles: int
    units: int = 1

    @property
    def gflops(self) -> float:
        """Billions of floating-point operations per second and core."""
        return self.flops / self.nanoseconds if self.nanoseconds else 0.0

    @property
    def gbytes(self) -> float:
        """Billions of bytes read and written per second and core."""
        return self.bytes / self.nanoseconds if self.nanoseconds else 0.0


def profile(
    executable: Executable,
    arrays: Sequence[np.ndarray],
    symbols: Mapping[str, int] | None = None,
    repeats: int = REPEATS,
) -> list[KernelProfile]:
    """Run the program `repeats` times and time every kernel; variables are put back as they were."""
    program = executable.program
    with variables_restored(program):
        ticks = executable.timed(arrays, symbols or {}, repeats)
    found = executable.symbols_of(arrays, symbols or {})
    times = np.median(ticks.sum(axis=1), axis=0)
    units = [c.units if k > c.first else 1 for c in program.chains(found) for k in c.numbers]
    result = []
    for spec, nanoseconds, cut in zip(program.specs, times, units, strict=True):
        moved = sum(
            symbolic.evaluate(v.type.size, found) * dtypes.itemsize(v.dtype)
            for v in dict.fromkeys(spec.buffers)
        )
        flops, tiles = (symbolic.evaluate(x, found) for x in (spec.flops, spec.tiles))
        result.append(KernelProfile(spec.name, spec.fused, float(nanoseconds), flops, moved, tiles, cut))
    return result


@contextmanager
def variables_restored(program: Program) -> Iterator[None]:
    """What runs inside leaves no trace in the program's variables."""
    saved = {leaf: array.copy() for leaf, array in program.variables.items()}
    try:
        yield
    finally:
        for leaf, array in saved.items():
            program.variables[leaf][...] = array
        writes.note()


def threads() -> int:
    return team().threads
