"""The native executor: the function that runs a command list, and the memory it shares with `team.py`.

It is a kernel by ABI, so it is compiled and cached like any other: `args` is the team's control block
(`Control` names its words), `begin` the thread's number, `end` the `Mode`, `scratch` the caller's request
(`Request`).
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache

from kcompile.codegen.source import KernelSource

COMMAND_WORDS = 8  # function, arguments, tiles, grain, flags, private slices or 0, 0, 0
LINE_WORDS = 16  # two cache lines: prefetchers fetch them in pairs, and would fetch another thread's
BARRIER = 1  # flag: all earlier commands are finished before this one begins
SERIAL = 2  # flag: one thread runs all tiles
CHAINED = 4  # flag: a chunk runs as soon as the same chunk of the command before it, on the same thread

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

# Each command gets a line [group, chunks before it, whole, chunks up to its end], and for each thread a line
# [claim counter, first chunk, chunks]: a thread takes the chunks of its own part first, so that the same rows
# stay in the same core's cache from one command to the next, and then helps the others.
# Consecutive commands that one thread runs, each after a barrier, form a group: one chunk, claimed once,
# without a barrier inside. A group must end where a barrier follows, because who passes the next command's
# missing barrier could see the group unfinished. A chain is a group, too: as many chunks as its first command
# has, each of them a chunk of every member. whole: a chunk is all of the command.
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
            whole = 1
            while command < commands:
                row = command * 8
                group = 1
                chunks = 1
                whole = 0
                grain = max(program[row + 3], 1)
                after_barrier = command == 0 or program[row + 4] & 1 != 0
                if command + 1 < commands and program[row + 12] & {CHAINED} != 0:
                    chunks = index_div(program[row + 2] + grain - 1, grain)
                    while command + group < commands and program[(command + group) * 8 + 4] & {CHAINED} != 0:
                        group += 1
                elif program[row + 4] & 2 != 0 or program[row + 2] <= grain:
                    whole = 1
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
                lines[line + 2] = whole
                for part in range(threads):
                    line += {LINE_WORDS}
                    start = index_div(part * chunks + threads - 1, threads)
                    lines[line] = 0
                    lines[line + 1] = start
                    lines[line + 2] = index_div((part + 1) * chunks + threads - 1, threads) - start
                units += chunks
                lines[first_line + 3] = units
                command += group
            if whole != 0 and group == commands:
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

# A chunk of each command of a group. A command may have a slice of its own for each thread, in the thread's
# scratch memory: its argument block is copied there, with an address by which slice `chunk` is the thread's.
# private: [words of the block, where the copy begins, slices, and for each the word of its address, where it
# begins, its bytes].
_CALLS = """
for one in range(group):
    row = (command + one) * 8
    low = 0 if whole != 0 else chunk * max(program[row + 3], 1)
    high = program[row + 2] if whole != 0 else min(low + max(program[row + 3], 1), program[row + 2])
    arguments = program[row + 1]
    if program[row + 5] != 0:
        private = buffer_i64(program[row + 5], 4)
        given = buffer_i64(arguments, 5)
        arguments = memory + private[1]
        copy = buffer_i64(arguments, 6)
        for word in range(private[0]):
            copy[word] = given[word]
        for k in range(private[2]):
            copy[private[3 + 3 * k]] = memory + private[4 + 3 * k] - chunk * private[5 + 3 * k]
    if profiled:
        started = ticks()
    call_kernel(program[row], arguments, low, high, memory)
    if profiled:
        times[begin * commands + command + one] += ticks() - started
"""

_ALONE = """
if not together:
    request = buffer_i64(scratch, 2)
    program = buffer_i64(request[{Request.PROGRAM}], 0)
    times = buffer_i64(request[{Request.PROFILE}], 3)
    commands = request[{Request.COMMANDS}]
    profiled = request[{Request.PROFILE}] != 0
    memory = request[{Request.SCRATCH}]
    mode = float_mode()
    if request[{Request.FLUSH}] != 0:
        set_float_mode(flushing(mode))
    step = 0
    while step < request[{Request.STEPS}]:
        command = 0
        while command < commands:
            group = 1
            while command + group < commands and program[(command + group) * 8 + 4] & {CHAINED} != 0:
                group += 1
            whole = 1 if group == 1 else 0
            chunks = 1
            if group > 1:
                grain = max(program[command * 8 + 3], 1)
                chunks = index_div(program[command * 8 + 2] + grain - 1, grain)
            for chunk in range(chunks):
                CALLS
            command += group
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
        whole = lines[line + 2]
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
                chunk = start + next - taken
                CALLS
                done += 1
                next += 1
            if done > 0:
                if atomic_add(completed, done) + done >= all_done:
                    break
            part = 0 if part + 1 == threads else part + 1
        command += group
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
        "CHAINED": CHAINED,
        "AWAKE": AWAKE,
        "ASLEEP": ASLEEP,
        "TO_WAKE": TO_WAKE,
        "SPINS_BEFORE_YIELD": SPINS_BEFORE_YIELD,
        "SUMMONED_SPIN": SUMMONED_SPIN,
    }
    head = "def kernel(args, begin, end, scratch):\n"
    alone, walk = (part.replace("CALLS", _indented(_CALLS, 4).strip()) for part in (_ALONE, _WALK))
    body = _indented(_START + _PREPARE + _OPEN + alone + "while True:\n", 1)
    loop = _indented(_JOIN + walk + _LEAVE, 2)
    text = head + (body + loop).format(Mode=Mode, Request=Request, Control=Control, **constants)
    modules = ("kcompile.codegen.native",)
    return KernelSource(text, "executor", externals=("sched_yield",), modules=modules, is_brief=True)


def _indented(text: str, levels: int) -> str:
    return "".join("    " * levels + line + "\n" for line in text.splitlines() if line)
