"""A compiled graph whose kernels run on a device; called as `runtime.executable.Executable` is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kcompile.runtime.cuda.program import CudaBound, CudaProgram
from kcompile.runtime.executable import Executable
from kcompile.trace.variable import writes


class CudaExecutable(Executable):
    """Inputs and changed variables are copied to the device, outputs and assigned variables back, once per call.

    Variables keep their memory on the device between calls, and between programs.
    """

    program: Any  # CudaProgram

    def __init__(self, program: CudaProgram):
        super().__init__(program)  # type: ignore[arg-type]

    def __call__(self, *arrays: np.ndarray, symbols: Mapping[str, int] | None = None) -> list[np.ndarray]:
        results, _ = self._run(arrays, symbols, 1, None)
        return results

    def repeat(
        self, arrays: Sequence[np.ndarray], symbols: Mapping[str, int], steps: int, stop: np.ndarray | None = None
    ) -> int:
        """`steps` runs; inputs, outputs and variables are copied once. Returns the number of steps done."""
        return self._run(arrays, symbols, steps, stop)[1]

    def timed(self, arrays: Sequence[np.ndarray], symbols: Mapping[str, int], repeats: int) -> np.ndarray:
        """Nanoseconds of each launch in each of `repeats` runs: int64[repeats, 1, launches]."""
        prepared = self._prepared(arrays)
        bound: CudaBound = self._bind(tuple(prepared), symbols)  # type: ignore[assignment]
        with bound.lock:
            self._upload(bound, prepared)
            times = [self.program.timed_step(bound) for _ in range(repeats)]
            self._download(bound)
        return np.array(times, np.int64).reshape(repeats, 1, -1)

    def _run(
        self, arrays: Sequence[np.ndarray], symbols: Mapping[str, int] | None, steps: int, stop: np.ndarray | None
    ) -> tuple[list[np.ndarray], int]:
        prepared = self._prepared(arrays)
        bound: CudaBound = self._bind(tuple(prepared), symbols)  # type: ignore[assignment]
        done = 0
        with bound.lock:
            self._upload(bound, prepared)
            while done < steps and (stop is None or not stop[0]):
                self.program.step(bound)
                done += 1
            return (self._download(bound) if done else []), done

    def _upload(self, bound: CudaBound, arrays: Sequence[np.ndarray]) -> None:
        self.program.upload(bound, dict(zip(self.inputs, arrays, strict=True)), writes.count)

    def _download(self, bound: CudaBound) -> list[np.ndarray]:
        """Outputs as new arrays; variables in place, and word that they have changed."""
        results = [np.empty(s, d) for s, d in zip(bound.output_shapes, self._output_dtypes, strict=True)]
        if self.program.assigns:
            writes.count += 1
        self.program.download(bound, dict(zip(self.outputs, results, strict=True)), writes.count)
        return results
