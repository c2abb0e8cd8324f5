"""Kernels and command lists for the tests of the thread team."""

import numpy as np

from kcompile.runtime.executor import BARRIER

KERNELS = {
    # y[i] += 1 for the tiles i
    "count": """
    y = buffer_i64(args[0], 0)
    for i in range(begin, end):
        y[i] += 1
""",
    # y[i] = 2 y[i - 1] + 1 for all tiles: wrong in any other order
    "chain": """
    y = buffer_i64(args[0], 0)
    n = args[1]
    for i in range(begin, end):
        y[i] = y[(i + 1) % n] * 3 % 1000003 + i
""",
    # y[i] = i for the tiles i
    "fill": """
    y = buffer_i64(args[0], 0)
    for i in range(begin, end):
        y[i] = i
""",
    # total[0] = sum of y: sees every tile of the command before it, or none
    "total": """
    y = buffer_i64(args[0], 0)
    t = buffer_i64(args[2], 1)
    s = 0
    for i in range(args[1]):
        s += y[i]
    t[0] = t[0] * 7 % 1000003 + s
""",
    # marks[i] = address of the scratch block of whoever ran tile i; fills the block
    "scratch": """
    marks = buffer_i64(args[0], 0)
    mine = buffer_u8(scratch, 1)
    for i in range(begin, end):
        marks[i] = scratch
        for j in range(args[1]):
            mine[j] = u8(7)
""",
    # y[i] = number of calls so far with this begin and end
    "chunks": """
    sizes = buffer_i64(args[0], 0)
    for i in range(begin, end):
        sizes[i] = end - begin
""",
    "stop_at": """
    y = buffer_i64(args[0], 0)
    stop = buffer_i64(args[1], 1)
    y[0] += 1
    if y[0] >= args[2]:
        stop[0] = 1
""",
    "spin": """
    y = buffer_i64(args[0], 0)
    for i in range(begin, end):
        x = i
        for j in range(args[1]):
            x = (x * 1103515245 + 12345) % 2147483648
        y[i] += x
""",
    # y[j] = 3 y[j] + the x of the same chunk: args[2] tiles of y and args[3] of x each
    "second": """
    y = buffer_i64(args[0], 0)
    x = buffer_i64(args[1], 1)
    for j in range(begin, end):
        chunk = j // args[2]
        s = 0
        for i in range(chunk * args[3], (chunk + 1) * args[3]):
            s += x[i]
        y[j] = y[j] * 3 % 1000003 + s
""",
    # slow: then y[0] += 1
    "late": """
    y = buffer_i64(args[0], 0)
    x = args[1]
    for j in range(args[1]):
        x = (x * 1103515245 + 12345) % 2147483648
    y[0] += 1 if x >= 0 else 2
""",
    # each tile counts its calls, and those in which y[0] was behind the count
    "behind": """
    y = buffer_i64(args[0], 0)
    seen = buffer_i64(args[1], 1)
    for i in range(begin, end):
        seen[2 * i] += 1
        if y[0] < seen[2 * i]:
            seen[2 * i + 1] += 1
""",
    "subnormal": """
    y = buffer_f32(args[0], 0)
    for i in range(begin, end):
        y[i] = y[i] * f32(0.5)
""",
}


KEPT = []  # arrays and argument blocks stay alive as long as any command list


class Commands:
    """A command list under construction."""

    def __init__(self):
        self.rows = []

    def add(self, function, *arguments, tiles=1, grain=1, flags=BARRIER, private=None):
        values = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
        block = np.array([*values, 0, 0, 0], np.int64)
        KEPT.extend([block, private, *arguments])
        own = 0 if private is None else private.ctypes.data
        self.rows.append([function, block.ctypes.data, tiles, grain, flags, own, 0, 0])
        return self

    @property
    def array(self):
        return np.array(self.rows, np.int64).reshape(-1, 8)
