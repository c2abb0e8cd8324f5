"""A compiled graph whose kernels run on a device; called as `runtime.executable.Executable` is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kcompile.ir.shape_rules import OpenRules
from kcompile.runtime.cuda.program import CudaBound, CudaProgram
from kcompile.runtime.executable import Executable, new_arrays
from kcompile.trace.variable import writes


class CudaExecutable(Executable):
    """Inputs and changed variables are copied to the device, outputs and assigned variables back, once per
    call.

    Variables keep their memory on the device between calls, and between programs.
    """

    program: Any  # CudaProgram

    def __init__(self, program: CudaProgram, rules: OpenRules):
        super().__init__(program, rules)  # type: ignore[arg-type]

    def __call__(self, *arrays: np.ndarray, symbols: Mapping[str, int] | None = None) -> list[np.ndarray]:
        return self._run(arrays, symbols, self.program.step)

    def repeat(
        self,
        arrays: Sequence[np.ndarray],
        symbols: Mapping[str, int],
        steps: int,
        stop: np.ndarray | None = None,
    ) -> int:
        """`steps` runs; inputs, outputs and variables are copied once. Returns the number of steps done.

        stop: int64[1]; once it is not 0, no further step begins.
        """
        done = 0

        def run(bound: CudaBound) -> None:
            nonlocal done
            while done < steps and (done == 0 or stop is None or not stop[0]):
                self.program.step(bound)
                done += 1

        if steps > 0 and (stop is None or not stop[0]):
            self._run(arrays, symbols, run)
        return done

    def timed(self, arrays: Sequence[np.ndarray], symbols: Mapping[str, int], repeats: int) -> np.ndarray:
        """Nanoseconds of each launch in each of `repeats` runs: int64[repeats, 1, launches]."""
        times: list[list[int]] = []
        self._run(
            arrays, symbols, lambda bound: times.extend(map(self.program.timed_step, [bound] * repeats))
        )
        return np.array(times, np.int64).reshape(repeats, 1, -1)

    def _run(
        self,
        arrays: Sequence[np.ndarray],
        symbols: Mapping[str, int] | None,
        steps: Callable[[CudaBound], None],
    ) -> list[np.ndarray]:
        """Copies to the device, steps, copies back: outputs as new arrays, variables in place."""
        prepared = self._prepared(arrays)
        bound: CudaBound = self._bind(tuple(prepared), symbols)  # type: ignore[assignment]
        results = new_arrays(bound.results)
        with bound.lock:
            before = writes.count
            self.program.upload(bound, dict(zip(self.inputs, prepared, strict=True)), before)
            steps(bound)
            undisturbed = writes.count == before
            if self.program.assigns:
                writes.note()
            now = writes.count if undisturbed else None
            self.program.download(bound, dict(zip(self.outputs, results, strict=True)), now)
        return results
