"""NumPy's matrix product."""

from __future__ import annotations

import numpy as np

from benchmarks.contenders import Contender
from benchmarks.kernel_cases import Case, operands, sample_of
from benchmarks.peers import Call


def open_session(contender: Contender, case: Case, threads: int) -> NumpyKernel:
    del contender, threads
    return NumpyKernel(case)


class NumpyKernel:
    """``np.matmul`` into an array that is there already."""

    def __init__(self, case: Case) -> None:
        self.case = case

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__}

    def variants(self, measure: str) -> tuple[str, ...]:
        return ("matmul",)

    def runner(self, measure: str, variant: str) -> Call:
        left, right = operands(self.case)
        out = np.empty(self.case.result, np.float32)
        return lambda: np.matmul(left, right, out=out)

    def sample(self) -> list[float]:
        return sample_of(self.case, np.matmul(*operands(self.case)))
