"""The native executor: the function that runs a command list, and the memory it shares with `team.py`.

It is a kernel by ABI, so it is compiled and cached like any other: `args` is the team's control block
(`Control` names its words), `begin` the thread's number, `end` the `Mode`, `scratch` the caller's request
(`Request`).
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache

from kcompile.codegen.source import KernelSource

COMMAND_WORDS = 8  # function, arguments, tiles, grain, flags, 0, 0, 0
LINE_WORDS = 16  # two cache lines: prefetchers fetch them in pairs, and would fetch another thread's
BARRIER = 1  # flag: all earlier commands are finished before this one begins
SERIAL = 2  # flag: one thread runs all tiles

SPINS_BEFORE_YIELD = 2000  # about 50 microseconds; then a waiting thread offers its core to others
SUMMONED_SPIN = 256  # a worker that is told to stay awake spins so many times longer than an idle one


class Mode(IntEnum):
    """What the caller of the executor wants."""

    RUN = 0  # run the request with the team if it is free, else alone
    RESUME = 1  # the same after a NEEDS_WAKING
    SERVE = 2  # a worker: take part in runs until there has been none for a while
    CLOCK = 3  # only tell the time, in ticks


class Request(IntEnum):
    """Words of a request: one Python thread's wish to run a list, and memory for it."""

    PROGRAM = 0  # address of the command list
    COMMANDS = 1  # its length
    STEPS = 2  # how often the list is to run
    STOP = 3  # address of the stop word, or 0
    SCRATCH = 4  # address of thread 0's scratch
    SCRATCH_STRIDE = 5  # bytes from one thread's scratch to the next
    PROFILE = 6  # address of int64[threads, commands] to which ticks are added, or 0
    FLUSH = 7  # 1: subnormals are flushed to zero during the run
    LINES = 8  # address of 1 + threads lines of LINE_WORDS for each command
    THREADS = 9  # threads that may take part
    RESULT = 10  # answer: steps done, or NEEDS_WAKING, or the time


class Control(IntEnum):
    """Words of a team's control block.

    Those that threads write during a run have a pair of cache lines to themselves.
    """

    REQUEST = 0  # address of the request being run
    UNITS = 1  # chunks in one step of it
    RUNS = 2  # runs opened so far
    THREADS = 3  # threads that may take part in the open run
    SPIN = 4  # ticks that an idle worker spins before it sleeps
    ENDING = 5  # 1: the team ends; a run stops after its step
    GATE = 16  # number of the run that workers may join, CLOSED or SUMMONING
    BUSY = 32  # 1: a Python thread uses the team
    ACTIVE = 48  # workers inside the run
    COMPLETED = 64  # chunks finished since the run began
    DECIDED = 80  # steps allowed to begin; -1 - n: stopped after n steps
    SLEEPING = 96  # and the words after it: AWAKE ... WAKING, one per thread


NEEDS_WAKING = -1  # Request.RESULT: nothing ran; wake the workers marked TO_WAKE, then RESUME
CLOSED, SUMMONING = 0, -1  # Control.GATE: nothing to do; stay awake, a run is about to open
AWAKE, ASLEEP, TO_WAKE, WAKING = 0, 1, 2, 3  # Control.SLEEPING + thread

_START = """
if end == {Mode.CLOCK}:
    buffer_i64(scratch, 2)[{Request.RESULT}] = ticks()
    return
gate = address(args, {Control.GATE})
busy = address(args, {Control.BUSY})
active = address(args, {Control.ACTIVE})
completed = address(args, {Control.COMPLETED})
decided = address(args, {Control.DECIDED})
ending = address(args, {Control.ENDING})
asleep_at = address(args, {Control.SLEEPING} + begin)
started = 0
joined = 0
together = end == {Mode.SERVE}
if together:
    atomic_store(asleep_at, {AWAKE})
"""

# Each command gets a line [group, chunks before it, grain, chunks up to its end], and for each thread a line
# [claim counter, first chunk, chunks]: a thread takes the chunks of its own part first, so that the same rows
# stay in the same core's cache from one command to the next, and then helps the others.
# Consecutive commands that one thread runs, each after a barrier, form a group: one chunk, claimed once,
# without a barrier inside. A group must end where a barrier follows, because who passes the next command's
# missing barrier could see the group unfinished.
_PREPARE = """
if end != {Mode.SERVE}:
    request = buffer_i64(scratch, 2)
    commands = request[{Request.COMMANDS}]
    threads = request[{Request.THREADS}]
    if threads > 1:
        if compare_exchange(busy, 0, 1) == 0:
            program = buffer_i64(request[{Request.PROGRAM}], 0)
            lines = buffer_i64(request[{Request.LINES}], 1)
            units = 0
            command = 0
            group = 0
            while command < commands:
                row = command * 8
                group = 0
                chunks = 1
                grain = max(program[row + 3], 1)
                after_barrier = command == 0 or program[row + 4] & 1 != 0
                if program[row + 4] & 2 != 0 or program[row + 2] <= grain:
                    group = 1
                    if after_barrier:
                        row += 8
                        while command + group < commands and program[row + 4] & 1 != 0:
                            if program[row + 4] & 2 == 0 and program[row + 2] > max(program[row + 3], 1):
                                break
                            group += 1
                            row += 8
                        if group > 1 and command + group < commands and program[row + 4] & 1 == 0:
                            group -= 1
                else:
                    chunks = index_div(program[row + 2] + grain - 1, grain)
                first_line = command * (threads + 1) * {LINE_WORDS}
                line = first_line
                lines[line] = group
                lines[line + 1] = units if after_barrier else 0
                lines[line + 2] = grain
                for part in range(threads):
                    line += {LINE_WORDS}
                    start = index_div(part * chunks + threads - 1, threads)
                    lines[line] = 0
                    lines[line + 1] = start
                    lines[line + 2] = index_div((part + 1) * chunks + threads - 1, threads) - start
                units += chunks
                lines[first_line + 3] = units
                command += max(group, 1)
            if group == commands:
                atomic_store(busy, 0)
            else:
                together = True
                args[{Control.UNITS}] = units
"""

# Workers are told to stay awake before anyone looks who sleeps; a worker that goes to sleep says so before it
# looks at the gate. So one of them sees the other.
_OPEN = """
    if together:
        if end == {Mode.RUN}:
            atomic_store(gate, {SUMMONING})
            asleep = 0
            for other in range(1, request[{Request.THREADS}]):
                state = compare_exchange(address(args, {Control.SLEEPING} + other), {ASLEEP}, {TO_WAKE})
                if state == {ASLEEP} or state == {TO_WAKE}:
                    asleep += 1
            if asleep > 0:
                request[{Request.RESULT}] = {NEEDS_WAKING}
                atomic_store(busy, 0)
                return
        args[{Control.REQUEST}] = scratch
        args[{Control.RUNS}] += 1
        atomic_store(completed, 0)
        atomic_store(decided, 0)
        atomic_store(address(args, {Control.THREADS}), request[{Request.THREADS}])
        atomic_store(gate, args[{Control.RUNS}])
"""

_ALONE = """
if not together:
    request = buffer_i64(scratch, 2)
    program = buffer_i64(request[{Request.PROGRAM}], 0)
    times = buffer_i64(request[{Request.PROFILE}], 3)
    commands = request[{Request.COMMANDS}]
    profiled = request[{Request.PROFILE}] != 0
    mode = float_mode()
    if request[{Request.FLUSH}] != 0:
        set_float_mode(flushing(mode))
    step = 0
    while step < request[{Request.STEPS}]:
        for command in range(commands):
            row = command * 8
            if profiled:
                started = ticks()
            call_kernel(program[row], program[row + 1], 0, program[row + 2], request[{Request.SCRATCH}])
            if profiled:
                times[command] += ticks() - started
        step += 1
        if request[{Request.STOP}] != 0:
            if atomic_load(request[{Request.STOP}]) != 0:
                break
    if request[{Request.FLUSH}] != 0:
        set_float_mode(mode)
    request[{Request.RESULT}] = step
    return
"""

_JOIN = """
if end == {Mode.SERVE}:
    spins = 0
    patience = args[{Control.SPIN}]
    started = ticks()
    run = atomic_load(gate)
    while run == joined or run <= 0 or begin >= atomic_load(address(args, {Control.THREADS})):
        pause()
        spins += 1
        if spins & 15 == 0:
            if atomic_load(ending) != 0:
                return
            patience = args[{Control.SPIN}] * {SUMMONED_SPIN} if run == {SUMMONING} else args[{Control.SPIN}]
            if ticks() - started > patience:
                atomic_store(asleep_at, {ASLEEP})
                if atomic_load(gate) == run:
                    return
                if compare_exchange(asleep_at, {ASLEEP}, {AWAKE}) != {ASLEEP}:
                    return
                started = ticks()
        run = atomic_load(gate)
    joined = run
    atomic_add(active, 1)
    if atomic_load(gate) != run:
        atomic_add(active, -1)
        continue
"""

# How a thread goes through the list. Any thread may lag behind by any amount, or never come: work is claimed,
# and a barrier waits for finished work, never for a thread. A claim counter only grows (step s of a part of n
# chunks takes it from s * n to (s + 1) * n), so a late thread finds everything taken and catches up.
_WALK = """
request = buffer_i64(args[{Control.REQUEST}], 2)
program = buffer_i64(request[{Request.PROGRAM}], 0)
lines = buffer_i64(request[{Request.LINES}], 1)
times = buffer_i64(request[{Request.PROFILE}], 3)
commands = request[{Request.COMMANDS}]
threads = request[{Request.THREADS}]
units = args[{Control.UNITS}]
memory = request[{Request.SCRATCH}] + begin * request[{Request.SCRATCH_STRIDE}]
profiled = request[{Request.PROFILE}] != 0
mode = float_mode()
if request[{Request.FLUSH}] != 0:
    set_float_mode(flushing(mode))
step = 0
while step < request[{Request.STEPS}]:
    allowed = atomic_load(decided)
    if allowed == step:
        allowed = step + 1
        if atomic_load(ending) != 0:
            allowed = -1 - step
        if step > 0 and request[{Request.STOP}] != 0:
            if atomic_load(request[{Request.STOP}]) != 0:
                allowed = -1 - step
        before = compare_exchange(decided, step, allowed)
        if before != step:
            allowed = before
    if allowed < 0:
        break
    command = 0
    while command < commands:
        line = command * (threads + 1) * {LINE_WORDS}
        group = lines[line]
        goal = lines[line + 1] + step * units
        grain = lines[line + 2]
        size = program[command * 8 + 2]
        spins = 0
        while atomic_load(completed) < goal:
            spins += 1
            if spins < {SPINS_BEFORE_YIELD}:
                pause()
            else:
                call_external("sched_yield")
        all_done = lines[line + 3] + step * units
        part = begin
        for turn in range(threads):
            done = 0
            part_line = line + (1 + part) * {LINE_WORDS}
            claim = address(lines, part_line)
            start = lines[part_line + 1]
            chunks = lines[part_line + 2]
            taken = step * chunks
            next = atomic_load(claim)
            while next < taken + chunks:
                before = compare_exchange(claim, next, next + 1)
                if before != next:
                    next = before
                    continue
                for one in range(max(group, 1)):
                    row = (command + one) * 8
                    low = 0 if group > 0 else (start + next - taken) * grain
                    high = program[row + 2] if group > 0 else min(low + grain, size)
                    if profiled:
                        started = ticks()
                    call_kernel(program[row], program[row + 1], low, high, memory)
                    if profiled:
                        times[begin * commands + command + one] += ticks() - started
                done += 1
                next += 1
            if done > 0:
                if atomic_add(completed, done) + done >= all_done:
                    break
            part = 0 if part + 1 == threads else part + 1
        command += max(group, 1)
    step += 1
if request[{Request.FLUSH}] != 0:
    set_float_mode(mode)
"""

_LEAVE = """
if end == {Mode.SERVE}:
    atomic_add(active, -1)
    continue
allowed = atomic_load(decided)
step = request[{Request.STEPS}] if allowed >= 0 else -1 - allowed
atomic_store(gate, {CLOSED})
spins = 0
while atomic_load(completed) < step * units or atomic_load(active) > 0:
    spins += 1
    if spins < {SPINS_BEFORE_YIELD}:
        pause()
    else:
        call_external("sched_yield")
request[{Request.RESULT}] = step
atomic_store(busy, 0)
return
"""


@cache
def executor_source() -> KernelSource:
    """Source of the executor."""
    constants = {
        "LINE_WORDS": LINE_WORDS,
        "NEEDS_WAKING": NEEDS_WAKING,
        "CLOSED": CLOSED,
        "SUMMONING": SUMMONING,
        "AWAKE": AWAKE,
        "ASLEEP": ASLEEP,
        "TO_WAKE": TO_WAKE,
        "SPINS_BEFORE_YIELD": SPINS_BEFORE_YIELD,
        "SUMMONED_SPIN": SUMMONED_SPIN,
    }
    head = "def kernel(args, begin, end, scratch):\n"
    body = _indented(_START + _PREPARE + _OPEN + _ALONE + "while True:\n", 1)
    loop = _indented(_JOIN + _WALK + _LEAVE, 2)
    text = head + (body + loop).format(Mode=Mode, Request=Request, Control=Control, **constants)
    return KernelSource(text, "executor", externals=("sched_yield",), modules=("kcompile.codegen.native",))


def _indented(text: str, levels: int) -> str:
    return "".join("    " * levels + line + "\n" for line in text.splitlines() if line)
