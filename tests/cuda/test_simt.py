"""The emulated device itself: it computes what a device computes, and sees what is wrong on one."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest

from kcompile.runtime.cuda import simt
from kcompile.runtime.cuda.arrays import GlobalArray
from kcompile.runtime.cuda.faults import DeviceFault

THREADS = 8


def array(data: np.ndarray, written: np.ndarray | None = None, may_write: bool = True) -> GlobalArray:
    return GlobalArray("x", data, written, may_write, THREADS)


def run(text: str, *arguments, blocks: int = 2) -> None:
    simt.run(textwrap.dedent(text).strip(), arguments, blocks, THREADS)


SUM = """
def kernel(x0, x1):
    share = cuda.shared.array(8, f32)
    t = i64(cuda.threadIdx.x)
    share[at(t)] = x0[at(i64(cuda.blockIdx.x) * 8 + t)]
    cuda.syncthreads()
    half = 4
    while half > 0:
        if t < half:
            share[at(t)] = share[at(t)] + share[at(t + half)]
        cuda.syncthreads()
        half = half >> 1
    if t == 0:
        x1[at(i64(cuda.blockIdx.x))] = share[at(0)]
"""


def test_a_block_sums_together():
    x, y = np.arange(16, dtype=np.float32), np.zeros(2, np.float32)
    run(SUM, array(x, may_write=False), array(y))
    assert y.tolist() == [28.0, 92.0]


def test_a_missing_barrier_is_a_race():
    x, y = np.arange(16, dtype=np.float32), np.zeros(2, np.float32)
    broken = SUM.replace("        cuda.syncthreads()\n        half", "        half")
    with pytest.raises(DeviceFault, match=r"race: shared share\[\d\].*\n  at line 9: share\[at\(t\)\] ="):
        run(broken, array(x, may_write=False), array(y))


def test_writing_what_others_still_read_is_a_race():
    text = """
    def kernel(x0):
        share = cuda.shared.array(8, f32)
        t = i64(cuda.threadIdx.x)
        share[at(t)] = f32(1.0)
        cuda.syncthreads()
        v = share[at(0)]
        share[at(t)] = v
    """
    with pytest.raises(DeviceFault, match=r"race: shared share\[0\] is written"):
        run(text, array(np.zeros(1, np.float32)))


def test_a_barrier_that_some_threads_miss():
    text = """
    def kernel(x0):
        t = i64(cuda.threadIdx.x)
        if t < 3:
            cuda.syncthreads()
    """
    with pytest.raises(DeviceFault, match="barrier reached by 3 of 8 threads"):
        run(text, array(np.zeros(1, np.float32)))


def test_a_barrier_in_a_loop_that_some_threads_leave_early():
    text = """
    def kernel(x0):
        t = i64(cuda.threadIdx.x)
        for k in range(0, t):
            cuda.syncthreads()
    """
    with pytest.raises(DeviceFault, match="barrier reached by 7 of 8 threads"):
        run(text, array(np.zeros(1, np.float32)))


def test_a_barrier_in_a_branch_that_whole_blocks_take():
    text = """
    def kernel(x0):
        if i64(cuda.blockIdx.x) == 1:
            cuda.syncthreads()
            if i64(cuda.threadIdx.x) == 0:
                x0[at(0)] = f32(1.0)
    """
    x = np.zeros(1, np.float32)
    run(text, array(x))
    assert x[0] == 1


STORE = """
def kernel(x0, n0):
    i = i64(cuda.blockIdx.x) * 8 + i64(cuda.threadIdx.x)
    x0[at(i + n0)] = f32(1.0)
"""


@pytest.mark.parametrize(("size", "shift", "said"), [(15, 0, "15"), (16, -1, "-1"), (16, 1, "16")])
def test_memory_out_of_bounds(size, shift, said):
    with pytest.raises(DeviceFault, match=rf"x\[{said}\] lies outside of {size} elements"):
        run(STORE, array(np.zeros(size, np.float32)), shift)


def test_two_threads_that_write_one_element():
    with pytest.raises(DeviceFault, match=r"race: x\[0\] is written"):
        run(STORE.replace("i + n0", "n0"), array(np.zeros(4, np.float32)), 0)


def test_blocks_that_communicate_through_memory():
    """A barrier orders the threads of one block only."""
    text = """
    def kernel(x0):
        t = i64(cuda.threadIdx.x)
        if (i64(cuda.blockIdx.x) == 0) & (t == 0):
            x0[at(0)] = f32(1.0)
        cuda.syncthreads()
        if (i64(cuda.blockIdx.x) == {block}) & (t == 1):
            x0[at(1)] = x0[at(0)]
    """
    run(text.format(block=0), array(np.zeros(2, np.float32)))
    with pytest.raises(DeviceFault, match=r"race: x\[0\] is read"):
        run(text.format(block=1), array(np.zeros(2, np.float32)))


def test_memory_read_before_it_is_written():
    text = """
    def kernel(x0, x1):
        i = i64(cuda.blockIdx.x) * 8 + i64(cuda.threadIdx.x)
        x1[at(i)] = x0[at(i)]
    """
    written = np.ones(16, np.uint8)
    x, y = np.zeros(16, np.float32), np.zeros(16, np.float32)
    run(text, array(x, written), array(y))
    written[11] = 0
    with pytest.raises(DeviceFault, match=r"x\[11\] is read before it is written"):
        run(text, array(x, written), array(y))


def test_shared_memory_read_before_it_is_written():
    with pytest.raises(DeviceFault, match=r"shared share\[4\] is read before it is written"):
        run(
            SUM.replace("    share[at(t)] = x0", "    if t < 4:\n        share[at(t)] = x0"),
            array(np.zeros(16, np.float32)),
            array(np.zeros(2, np.float32)),
        )


def test_an_argument_that_may_only_be_read():
    with pytest.raises(DeviceFault, match="the plan says that it is only read"):
        run(STORE, array(np.zeros(16, np.float32), may_write=False), 0)


def test_float64_in_a_float32_kernel():
    text = """
    def kernel(x0):
        i = i64(cuda.blockIdx.x) * 8 + i64(cuda.threadIdx.x)
        x0[at(i)] = x0[at(i)] * {factor}
    """
    for factor in ("0.1", "i", "f64(0.1)"):
        with pytest.raises(DeviceFault, match="float64 arithmetic"):
            run(text.format(factor=factor), array(np.ones(16, np.float32)))
    x = np.ones(16, np.float32)
    run(text.format(factor="f32(0.1)"), array(x))
    assert (x == np.float32(0.1)).all()


def test_integers_are_computed_in_64_bits():
    text = """
    def kernel(x0, x1):
        i = i64(cuda.threadIdx.x)
        if i64(cuda.blockIdx.x) == 0:
            v = x0[at(i)]
            x1[at(i)] = v * v
    """
    x, y = np.full(8, 1 << 20, np.int32), np.zeros(8, np.int64)
    run(text, array(x), array(y))
    assert (y == 1 << 40).all()


def test_what_the_emulator_does_not_know_is_named():
    with pytest.raises(DeviceFault, match=r"cuda.shfl_sync is no function of kernels\n  at line 2"):
        run("def kernel(x0):\n    v = cuda.shfl_sync(1, 2, 3)", array(np.zeros(1, np.float32)))
    with pytest.raises(DeviceFault, match="cannot run del x0"):
        run("def kernel(x0):\n    del x0", array(np.zeros(1, np.float32)))
