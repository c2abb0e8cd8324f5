"""The order of a plan's kernels: large values are let go as soon as what remains to be read of them can run.

Graphs put all updates of weights behind the whole backward pass, and what the weights' gradients read would
lie in memory until then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kcompile.core.dtypes import itemsize
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Kernel, writes
from kcompile.ir.traits import Leaf
from kcompile.schedule.memory import lives
from kcompile.schedule.roles import hint

WORTH = 1 << 20  # bytes: plans that need less stay in their order
GAIN = 0.97  # and where that is not less by so much: gaps between buffers could take more
TOGETHER = 4  # so many readers of a value may run for the sake of letting it go


def lean_order(
    kernels: list[Kernel], aliases: Mapping[Value, Value], outside: Iterable[Value]
) -> list[Kernel]:
    """The kernels in an order that needs less memory at its peak, or as they are if there is none such.

    kernels: in an order that is right. aliases: values in a variable's own memory. outside: values that are
    not in the plan's memory (what its caller holds, and what is prepared).
    """
    touched = [_touched(k, aliases) for k in kernels]
    sizes = arena_sizes(touched, set(outside))
    before = peak(touched, sizes)
    if before < WORTH:
        return kernels
    order = _Scheduler(kernels, aliases, touched, sizes).run()
    is_lean = peak([touched[k] for k in order], sizes) <= GAIN * before
    return [kernels[k] for k in order] if is_lean else kernels


def peak(touched: list[set[Value]], sizes: Mapping[Value, int]) -> int:
    """Bytes needed at once, if each value lives from the first kernel that touches it to the last."""
    begins, ends = [0] * len(touched), [0] * len(touched)
    for v, (first, last) in lives([v for v in values if v in sizes] for values in touched).items():
        begins[first] += sizes[v]
        ends[last] += sizes[v]
    now = highest = 0
    for new, old in zip(begins, ends, strict=True):
        now += new
        highest = max(highest, now)
        now -= old
    return highest


def _touched(kernel: Kernel, aliases: Mapping[Value, Value]) -> set[Value]:
    return {aliases.get(v, v) for v in (*kernel.reads, *writes(kernel))}


def arena_sizes(touched: Iterable[Iterable[Value]], outside: set[Value]) -> dict[Value, int]:
    """Bytes of what lies in the plan's memory."""
    inner = {v for values in touched for v in values if v not in outside}
    return {
        v: hint(v.type.size) * itemsize(v.dtype)
        for v in inner
        if v.op.leaf not in (Leaf.CONSTANT, Leaf.VARIABLE)
    }


class _Scheduler:
    """Goes through the kernels in order, and puts forward those that let go of more than they need."""

    def __init__(
        self,
        kernels: list[Kernel],
        aliases: Mapping[Value, Value],
        touched: list[set[Value]],
        sizes: Mapping[Value, int],
    ):
        self.touched, self.sizes = touched, sizes
        self.after = _dependents(kernels, aliases)
        self.waiting_for = [0] * len(kernels)
        for later in self.after:
            for k in later:
                self.waiting_for[k] += 1
        self.readers: dict[Value, set[int]] = {}  # kernels to come that touch a value
        for k, values in enumerate(touched):
            for v in values:
                if v in sizes:
                    self.readers.setdefault(v, set()).add(k)
        self.living: set[Value] = set()
        self.done = [False] * len(kernels)
        self.order: list[int] = []

    def run(self) -> list[int]:
        """Numbers of the kernels."""
        for k in range(len(self.done)):
            if not self.done[k]:
                self._put(k)
        return self.order

    def _put(self, k: int) -> None:
        """Kernel k, and all that may come forward behind it."""
        stack = [k]
        while stack:
            k = stack.pop()
            if not self.done[k]:
                stack += sorted(self._forward(self._take(k)), reverse=True)

    def _take(self, k: int) -> set[Value]:
        """Run a kernel; the values whose readers may all be ready now."""
        self.done[k] = True
        self.order.append(k)
        changed = {v for v in self.touched[k] if v in self.sizes}
        self.living |= changed
        for v in changed:
            self.readers[v].discard(k)
        for later in self.after[k]:
            self.waiting_for[later] -= 1
            if not self.waiting_for[later]:
                changed |= {v for v in self.touched[later] if v in self.sizes}
        return changed

    def _forward(self, values: set[Value]) -> set[int]:
        """Ready kernels that together let go of more than they need."""
        found: set[int] = set()
        for v in values & self.living:
            group = self.readers[v]
            ready = 0 < len(group) <= TOGETHER and not any(self.waiting_for[k] for k in group)
            if ready and self._growth(group) < 0:
                found |= group
        return found

    def _growth(self, group: set[int]) -> int:
        """Bytes that are needed behind a group of kernels and were not before."""
        values = {v for k in group for v in self.touched[k] if v in self.sizes}
        new = sum(self.sizes[v] for v in values if v not in self.living)
        return new - sum(self.sizes[v] for v in values if self.readers[v] <= group)


def _dependents(kernels: list[Kernel], aliases: Mapping[Value, Value]) -> list[set[int]]:
    """Of each kernel, those that must come later: they read what it writes, or write what it touches."""
    writer: dict[Value, int] = {}
    readers: dict[Value, set[int]] = {}
    after: list[set[int]] = [set() for _ in kernels]
    for k, kernel in enumerate(kernels):
        written = {aliases.get(v, v) for v in writes(kernel)}
        for v in _touched(kernel, aliases):
            if v in writer:
                after[writer[v]].add(k)
            if v in written:
                for reader in readers.pop(v, ()):
                    after[reader].add(k)
                writer[v] = k
            else:
                readers.setdefault(v, set()).add(k)
    for later, own in enumerate(after):
        own.discard(later)
    return after
