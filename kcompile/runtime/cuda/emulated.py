"""A CUDA device made of NumPy arrays, with memory of its own. Needs neither driver nor CUDA packages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kcompile.codegen.cuda_source import CudaSource
from kcompile.core import dtypes
from kcompile.core.errors import CompileError
from kcompile.runtime.cuda import simt
from kcompile.runtime.cuda.arrays import GlobalArray, Touched
from kcompile.runtime.cuda.faults import DeviceFault

POISON = 0xFF  # NaN in floats, and no sensible position in integers


@dataclass(frozen=True)
class Memory:
    """Bytes, and which of them were written."""

    data: np.ndarray
    written: np.ndarray


@dataclass(frozen=True)
class View:
    """A typed range of memory; the flag of an element is that of its first byte."""

    memory: Memory
    offset: int
    elements: int
    dtype: np.dtype

    @property
    def bytes(self) -> slice:
        return slice(self.offset, self.offset + self.elements * self.dtype.itemsize)

    @property
    def data(self) -> np.ndarray:
        return self.memory.data[self.bytes].view(self.dtype)

    @property
    def flags(self) -> np.ndarray:
        return self.memory.written[self.bytes][:: self.dtype.itemsize]


@dataclass
class Launched:
    """What one launch did, for tests: the elements of each array that it used."""

    name: str
    touched: list[Touched]


@dataclass(eq=False)
class EmulatedDevice:
    """Everything runs at once and in order. `record` collects launches while it is a list."""

    name: str = "cuda-emulated"
    record: list[Launched] | None = field(default=None)

    def allocate(self, size: int) -> Memory:
        return Memory(np.full(size, POISON, np.uint8), np.zeros(size, np.uint8))

    def view(self, memory: Memory, offset: int, elements: int, dtype: str) -> View:
        return View(memory, offset, elements, storage_dtype(dtype))

    def upload(self, view: View, array: np.ndarray) -> None:
        view.data[...] = array.reshape(-1).view(view.dtype)
        view.memory.written[view.bytes] = 1

    def download(self, view: View, array: np.ndarray) -> None:
        if not view.flags.all():
            raise DeviceFault(
                f"element {int(view.flags.argmin())} is copied to the host before it is written"
            )
        array.reshape(-1).view(view.dtype)[...] = view.data

    def begin(self, view: View) -> None:
        view.memory.data[view.bytes] = POISON
        view.memory.written[view.bytes] = 0

    end = begin

    def load(self, source: CudaSource) -> CudaSource:
        simt.parse(source.text)
        return source

    def launch(
        self,
        kernel: CudaSource,
        grid: int,
        arrays: Sequence[View],
        written: Sequence[bool],
        numbers: Sequence[int],
    ) -> None:
        globals_ = [
            GlobalArray(f"x{k}", v.data, None if v.flags.all() else v.flags, may_write, kernel.threads)
            for k, (v, may_write) in enumerate(zip(arrays, written, strict=True))
        ]
        try:
            simt.run(kernel.text, [*globals_, *numbers], grid, kernel.threads)
        except DeviceFault as fault:
            raise CompileError(f"kernel {kernel.name} on an emulated device: {fault}") from fault
        if self.record is not None:
            self.record.append(Launched(kernel.name, [g.touched for g in globals_]))

    def synchronize(self) -> None:
        pass


def storage_dtype(dtype: str) -> np.dtype:
    """How kernels see memory: a bfloat16 is the upper half of a float32."""
    return np.dtype(np.uint16) if dtype == "bfloat16" else dtypes.numpy_dtype(dtype)
