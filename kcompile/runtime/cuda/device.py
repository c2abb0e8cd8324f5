"""What a program asks of a device, and which device a target names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np

from kcompile.codegen.cuda_source import CudaSource

TARGETS = ("cuda", "cuda-emulated")


class Device(Protocol):
    """A device with memory of its own. A view is a typed range of allocated memory, an array to kernels."""

    name: str

    def allocate(self, size: int) -> Any:
        """Memory of `size` bytes."""

    def view(self, memory: Any, offset: int, elements: int, dtype: str) -> Any:
        """`elements` numbers from byte `offset` on."""

    def upload(self, view: Any, array: np.ndarray) -> None:
        """Copy a C-contiguous array of the view's dtype to the device."""

    def download(self, view: Any, array: np.ndarray) -> None:
        """Copy from the device into a C-contiguous array of the view's dtype."""

    def begin(self, view: Any) -> None:
        """The view's memory now belongs to a new value."""

    def end(self, view: Any) -> None:
        """The value in the view's memory is not needed any more."""

    def load(self, source: CudaSource) -> Any:
        """A kernel, ready to be launched."""

    def launch(
        self, kernel: Any, grid: int, arrays: Sequence[Any], written: Sequence[bool], numbers: Sequence[int]
    ) -> None:
        """Queue a kernel over `grid` blocks; `written` says which arrays it may write."""

    def synchronize(self) -> None:
        """Wait until all that was queued is done."""


@cache
def device_of(target: str) -> Device:
    """The device of a target.

    Raises: CompileError in one line that names what is missing, for "cuda" without a device.
    """
    if target == "cuda-emulated":
        from kcompile.runtime.cuda.emulated import EmulatedDevice

        return EmulatedDevice()
    from kcompile.runtime.cuda.numba_device import NumbaDevice  # imports numba.cuda

    return NumbaDevice()
