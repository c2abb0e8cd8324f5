"""What the CUDA generator hands to the runtime: a kernel's text, launch and buffers. No Numba here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kcompile.codegen.expressions import Names
from kcompile.codegen.writer import Writer
from kcompile.core.lazy import lazy
from kcompile.core.symbolic import Int
from kcompile.ir.graph import Value


@dataclass(frozen=True)
class CudaSource:
    """Text of one kernel.

    text     defines `def kernel(x0, ..., n0, ...)`: arrays of one dimension, then int64 numbers. It may use
    `cuda`, `np`
             and the public names of kernels.math.cuda, kernels.math.cuda_primitives and kernels.random.cuda.
    name     for people; not part of the identity.
    arrays   dtypes of the arrays.
    numbers  how many numbers follow.
    threads  of a block, in one dimension, as the grid is.
    """

    text: str
    name: str
    arrays: tuple[str, ...]
    numbers: int
    threads: int

    @lazy
    def key(self) -> str:
        """SHA-256, in hex, of all but the name."""
        parts = [self.text, *self.arrays, str(self.numbers), str(self.threads)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class CudaKernel:
    """A kernel of a plan.

    buffers: values whose memory the arrays are. numbers: symbolic integers. blocks: of the grid, known when
    the symbols are; none are launched where it is 0. shared: bytes of shared memory of a block.
    """

    source: CudaSource
    buffers: tuple[Value, ...]
    numbers: tuple[int | Int, ...]
    blocks: int | Int
    shared: int
    writes: tuple[Value, ...]
    loads: tuple[Value, ...]
    name: str
    flops: int | Int = 0
    work: int | Int = 0
    fused: tuple[str, ...] = ()

    @property
    def tiles(self) -> int | Int:
        return self.blocks

    @property
    def reads(self) -> tuple[Value, ...]:
        """Buffers that the kernel only reads."""
        return tuple(v for v in self.buffers if v not in self.writes)


def source_of(names: Names, shared: Sequence[str], body: Writer, name: str, threads: int) -> CudaSource:
    """The whole text: arguments in the order of `names`, shared arrays, statements."""
    arguments = ", ".join([*names.buffers.values(), *names.numbers.values()])
    head = [f"def kernel({arguments}):", *(f"    {line}" for line in shared)]
    arrays = tuple(v.dtype for v in names.buffers)
    return CudaSource("\n".join(head) + "\n" + body.text(), name, arrays, len(names.numbers), threads)


def loaded_memory(names: Names, values: Iterable[Value]) -> tuple[Value, ...]:
    """The buffers that loads of these values read, in the order of the arguments."""
    found = {names.memory(v) for v in values}
    return tuple(v for v in names.buffers if v in found)
