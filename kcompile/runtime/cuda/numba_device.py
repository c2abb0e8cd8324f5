"""A real CUDA device through numba-cuda; everything is queued in order. Importing this imports numba.cuda."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numba import cuda

from kcompile.codegen.cuda_build import is_simulated, launchable
from kcompile.codegen.cuda_source import CudaSource
from kcompile.core.errors import CompileError
from kcompile.runtime.cuda.emulated import storage_dtype

_FAILED = "target 'cuda' cannot be used:"


class NumbaDevice:
    """The current CUDA device, or Numba's simulator of one where NUMBA_ENABLE_CUDASIM is set.

    Raises: CompileError in one line that says which package or driver is missing.
    """

    name = "cuda"

    def __init__(self) -> None:
        if find_spec("numba_cuda") is None and not is_simulated:
            raise CompileError(
                f'{_FAILED} numba-cuda is not installed: pip install "kcompile[cuda13]" (or cuda12)'
            )
        try:
            cuda.current_context()
        except Exception as error:  # numba-cuda has kinds of its own for a missing library, driver or device
            said = [line.strip() for line in str(error).splitlines() if len(line.strip()) > 1]
            raise CompileError(f"{_FAILED} {' '.join(said) or type(error).__name__}") from error

    def allocate(self, size: int) -> Any:
        return cuda.device_array(max(size, 1), np.uint8)

    def view(self, memory: Any, offset: int, elements: int, dtype: str) -> Any:
        kind = storage_dtype(dtype)
        return memory[offset : offset + elements * kind.itemsize].view(kind)

    def upload(self, view: Any, array: np.ndarray) -> None:
        if array.size:
            view.copy_to_device(array.reshape(-1).view(view.dtype))

    def download(self, view: Any, array: np.ndarray) -> None:
        if array.size:
            view.copy_to_host(array.reshape(-1).view(view.dtype))

    def begin(self, view: Any) -> None:
        """Memory on a device is not watched."""

    end = begin

    def load(self, source: CudaSource) -> Any:
        return launchable(source), source.threads

    def launch(
        self, kernel: Any, grid: int, arrays: Sequence[Any], written: Sequence[bool], numbers: Sequence[int]
    ) -> None:
        function, threads = kernel
        function[grid, threads](*arrays, *(np.int64(n) for n in numbers))

    def synchronize(self) -> None:
        cuda.synchronize()
