"""The thread team: runs command lists natively on the cores of this process.

Workers are Python threads that sleep outside native code. A run opens, workers that are awake join it,
sleeping ones are woken, the caller takes part as thread 0. While one Python thread uses the team, another's
run goes ahead on its own thread alone. What a tile computes never depends on the thread, so the results are
the same bits.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import threading
import time
import weakref
from collections.abc import Callable
from functools import cache

import numpy as np

from kcompile.core.addresses import address_of
from kcompile.core.config import current
from kcompile.runtime.cores import default_threads
from kcompile.runtime.executor import (
    COMMAND_WORDS,
    LINE_WORDS,
    NEEDS_WAKING,
    TO_WAKE,
    WAKING,
    Control,
    Mode,
    Request,
    executor_source,
)
from kcompile.runtime.kernels import get_kernels

SPIN_SECONDS = 200e-6  # how long an idle worker spins for the next run before it sleeps
_LONGEST_STEP = 5.0  # seconds: a run that is under way when the process ends stops after its step
_LINE_BYTES = 8 * LINE_WORDS
_PACK_REQUEST = struct.Struct(f"{Request.THREADS + 1}q").pack_into
_teams: weakref.WeakSet[Team] = weakref.WeakSet()


class CommandList:
    """A command list checked once, for programs that run often.

    commands  int64[n, 8], rows of [function, args, tiles, grain, flags, slices, 0, 0] (see `executor`).
    Later changes of its content count. stop      int64[1] or None: once it is not 0, no further step begins.
    """

    def __init__(self, commands: np.ndarray, stop: np.ndarray | None = None) -> None:
        if commands.ndim != 2 or commands.shape[1] != COMMAND_WORDS:
            raise ValueError(f"a command list is int64[n, {COMMAND_WORDS}], not {commands.shape}")
        self.commands = _checked(commands)
        self.stop = None if stop is None else _checked(stop)
        self.length = len(commands)
        self.address = address_of(commands)
        self.stop_address = 0 if stop is None else address_of(stop)


class Team:
    """`threads` threads, the calling one included, that run command lists.

    threads: default as `cores.default_threads` says. Workers start with the first
    run that wants them and end with `close` or the process. Safe to use from several Python threads, and
    after a fork.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or default_threads()
        self._reset()
        _teams.add(self)

    def run(
        self,
        commands: CommandList | np.ndarray,
        steps: int = 1,
        stop: np.ndarray | None = None,
        *,
        threads: int | None = None,
        scratch: int = 0,
        profile: np.ndarray | None = None,
    ) -> int:
        """Run the whole list `steps` times; the number of steps done.

        commands, stop  as in `CommandList`, or a CommandList alone.
        threads         how many may take part (default: all). With 1, nothing is shared and nobody is woken.
        scratch         bytes of private memory, 64-byte aligned, that each thread's kernels need.
        profile         int64[threads, n]: the nanoseconds that each thread spends in each command are added
        to it.
        """
        listed = commands if isinstance(commands, CommandList) else CommandList(commands, stop)
        wanted = self.threads if threads is None else min(threads, self.threads)
        caller = self._callers.__dict__.get("caller") or self._new_caller()
        if wanted > 1 and not self._workers:
            self._start_workers(caller)
        if profile is None:
            return self._run(caller, listed, steps, wanted, scratch, 0)
        return self._profiled(caller, listed, steps, wanted, scratch, profile)

    def poison_scratch(self, size: int, byte: int) -> None:
        """Fill the scratch memory of the calling thread's runs, `size` bytes for each of the threads."""
        caller = self._callers.__dict__.get("caller") or self._new_caller()
        caller.reserve(0, self.threads, size)
        ctypes.memset(caller.scratch, byte, self.threads * caller.stride)

    def close(self) -> None:
        """End the workers; a later run starts them anew. A run that is under way stops after its step."""
        self._finalizer()
        self._reset()

    def _run(
        self, caller: _Caller, listed: CommandList, steps: int, wanted: int, scratch: int, profile: int
    ) -> int:
        caller.reserve(listed.length, wanted, scratch)
        _PACK_REQUEST(
            caller.request, 0, listed.address, listed.length, steps, listed.stop_address, caller.scratch,
            caller.stride, profile, self._flush, caller.lines, wanted,
        )  # fmt: skip
        self._execute(self._control_address, 0, Mode.RUN, caller.address)
        done = caller.request[Request.RESULT]
        if done == NEEDS_WAKING:
            self._wake_workers()
            self._execute(self._control_address, 0, Mode.RESUME, caller.address)
            done = caller.request[Request.RESULT]
        return done

    def _profiled(
        self, caller: _Caller, listed: CommandList, steps: int, wanted: int, scratch: int, profile: np.ndarray
    ) -> int:
        if profile.shape != (self.threads, listed.length):
            raise ValueError(f"profile is int64[{self.threads}, {listed.length}], not {profile.shape}")
        ticks = np.zeros_like(_checked(profile))
        began, began_ticks = time.perf_counter_ns(), self._now(caller)
        done = self._run(caller, listed, steps, wanted, scratch, address_of(ticks))
        elapsed, elapsed_ticks = time.perf_counter_ns() - began, self._now(caller) - began_ticks
        profile += np.rint(ticks * (elapsed / elapsed_ticks)).astype(np.int64)
        return done

    def _now(self, caller: _Caller) -> int:
        self._execute(self._control_address, 0, Mode.CLOCK, caller.address)
        return caller.request[Request.RESULT]

    def _ticks_per_second(self, caller: _Caller) -> float:
        self._now(caller)  # the first call loads the executor
        began, began_ticks = time.perf_counter(), self._now(caller)
        time.sleep(0.0005)
        return (self._now(caller) - began_ticks) / (time.perf_counter() - began)

    def _reset(self) -> None:
        """New control block, no workers: at the start, after `close`, and in a forked child."""
        self._control = _aligned(Control.SLEEPING + self.threads)
        self._control_address = address_of(self._control)
        self._callers = threading.local()
        self._starting = threading.Lock()
        self._workers: list[threading.Thread] = []
        self._wakers: list[threading.Lock] = []
        self._flush = int(current().flush_subnormals)
        self._finalizer = weakref.finalize(self, _shut_down, self._control, self._workers, self._wakers)

    def _new_caller(self) -> _Caller:
        caller = self._callers.caller = _Caller()
        return caller

    @property
    def _execute(self) -> Callable[[int, int, int, int], None]:
        return _executor()

    def _start_workers(self, caller: _Caller) -> None:
        with self._starting:
            if self._workers:
                return
            self._control[Control.SPIN] = int(SPIN_SECONDS * self._ticks_per_second(caller))
            wakers = [threading.Lock() for _ in range(1, self.threads)]
            for thread, waker in enumerate(wakers, start=1):
                waker.acquire()
                arguments = (self._execute, self._control, waker, thread)
                worker = threading.Thread(
                    target=_serve, args=arguments, name=f"kcompile-{thread}", daemon=True
                )
                worker.start()
                self._workers.append(worker)
            self._wakers += wakers

    def _wake_workers(self) -> None:
        for thread, waker in enumerate(self._wakers, start=Control.SLEEPING + 1):
            if self._control[thread] == TO_WAKE:
                self._control[thread] = WAKING
                _wake(waker)


class _Caller:
    """What one Python thread brings to its runs: its request, and memory for claim lines and scratch."""

    def __init__(self) -> None:
        words = _aligned(len(Request))
        self.address = address_of(words)
        self.request = memoryview(words)  # type: ignore[arg-type]  # faster than NumPy, word by word
        self._line_count = self._scratch_bytes = 0
        self.scratch = self.stride = self.lines = 0

    def reserve(self, commands: int, threads: int, scratch: int) -> None:
        """Have claim lines for each command, and `scratch` bytes for each thread, cache lines apart."""
        if threads > 1 and commands * (threads + 1) > self._line_count:
            self._line_count = commands * (threads + 1)
            self._lines = _aligned(self._line_count * LINE_WORDS)
            self.lines = address_of(self._lines)
        if scratch > self.stride or threads * self.stride > self._scratch_bytes:
            self.stride = max(self.stride, -(-scratch // _LINE_BYTES) * _LINE_BYTES)
            self._scratch_bytes = threads * self.stride
            self._scratch = _aligned(self._scratch_bytes // 8)
            self.scratch = address_of(self._scratch)


_of_process: list[Team] = []


def team() -> Team:
    """The process's team."""
    if not _of_process:
        _of_process.append(Team())
    return _of_process[0]


def set_num_threads(threads: int) -> None:
    """Let programs run on so many threads from now on, whatever the environment says.

    What runs already, in other Python threads, ends with the threads that it began with. Results are the same
    bits for any number.

    Raises:  ValueError for a number below 1.

    >>> before = get_num_threads()
    >>> set_num_threads(1)
    >>> get_num_threads()
    1
    >>> set_num_threads(before)
    """
    if isinstance(threads, bool) or not hasattr(threads, "__index__") or threads < 1:
        raise ValueError(f"set_num_threads: a number from 1 on is needed. Received: {threads!r}")
    if not _of_process or _of_process[0].threads != threads:
        _of_process[:] = [Team(int(threads))]  # the one before ends when nothing runs on it any more


def get_num_threads() -> int:
    """On how many threads programs run, the calling one included."""
    return team().threads


def _serve(execute: Callable[..., None], control: np.ndarray, waker: threading.Lock, thread: int) -> None:
    """A worker's life: native code returns when there was nothing to do for a while."""
    address = address_of(control)
    while not control[Control.ENDING]:
        execute(address, thread, Mode.SERVE, 0)
        if not control[Control.ENDING]:
            waker.acquire()


def _shut_down(control: np.ndarray, workers: list[threading.Thread], wakers: list[threading.Lock]) -> None:
    control[Control.ENDING] = 1
    for waker in wakers:
        _wake(waker)
    for worker in workers:
        worker.join(_LONGEST_STEP)


def _wake(waker: threading.Lock) -> None:
    with contextlib.suppress(RuntimeError):  # woken already
        waker.release()


@cache
def _executor() -> Callable[[int, int, int, int], None]:
    (address,) = get_kernels([executor_source()])
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(address)


def _checked(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.int64 or not array.flags.c_contiguous:
        raise ValueError(f"expected a contiguous int64 array, not {array.dtype}{list(array.shape)}")
    return array


def _aligned(words: int) -> np.ndarray:
    """Zeroed int64 words that begin at a cache line and share none with other memory."""
    spare = LINE_WORDS + -words % LINE_WORDS
    memory = np.zeros(words + spare, np.int64)
    skipped = -address_of(memory) % _LINE_BYTES // 8
    return memory[skipped : skipped + words]


def _after_fork() -> None:
    for one in list(_teams):
        one._finalizer.detach()
        one._reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
