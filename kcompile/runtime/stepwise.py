"""Executables that run one kernel at a time and do something between them: for debugging and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kcompile.runtime.executable import Executable


class StepwiseExecutable(Executable):
    """The base of what looks at a program kernel by kernel, in `_run_once`: many runs are many calls."""

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
