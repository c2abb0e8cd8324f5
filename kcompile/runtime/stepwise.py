"""Executables that run one kernel at a time and do something between them: for debugging and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kcompile.runtime.executable import Executable
from kcompile.runtime.program import Bound


class StepwiseExecutable(Executable):
    """The base of what looks at a program kernel by kernel."""

    def __call__(self, *arrays: np.ndarray, symbols: Mapping[str, int] | None = None) -> list[np.ndarray]:
        prepared = self._prepared(arrays)
        bound = self._bind(prepared, symbols)
        results = [np.empty(s, d) for s, d in zip(bound.output_shapes, self._output_dtypes, strict=True)]
        with bound.lock:
            self._before(bound, prepared, results)
            self._run_each(bound, prepared, results, self.symbols_of(prepared, symbols or {}))
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

    def _run_each(
        self,
        bound: Bound,
        arrays: Sequence[np.ndarray],
        results: Sequence[np.ndarray],
        symbols: Mapping[str, int],
    ) -> None:
        """All commands, one after another."""
        raise NotImplementedError
