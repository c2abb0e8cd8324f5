"""What kernels make of weights alone: computed when a weight was written, not in every run."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from kcompile.core.dtypes import itemsize
from kcompile.core.symbolic import Atom, Int
from kcompile.ir import loops
from kcompile.ir.graph import Graph, Value
from kcompile.ir.kernels import Contract, Finish, Kernel, Loop, Pack, writes
from kcompile.ir.loops import Axis
from kcompile.schedule.contraction import Contraction, hint
from kcompile.schedule.fuse import stable_values
from kcompile.schedule.scatter import scatter_of


def prepared_by(kernels: Iterable[Kernel], graph: Graph, repeated: bool) -> set[Value]:
    """What kernels make of weights that do not change, in no more memory than these take. Packed weights, and
    transformed filters, may be larger; of a loop's body (repeated) nothing else is prepared.
    """
    kinds = (Pack,) if repeated else (Pack, Loop, Contract, Finish)
    known, roots, found = set(stable_values(graph)), set(graph.roots()), set[Value]()
    for kernel in kernels:
        if not isinstance(kernel, kinds) or not kernel.reads <= known:
            continue
        fits = _is_fixed(kernel.contraction) if isinstance(kernel, Pack) else _condenses(kernel)
        if fits and roots.isdisjoint(writes(kernel)):
            found.update(writes(kernel))
            known.update(writes(kernel))
    return found


def _is_fixed(c: Contraction) -> bool:
    """Is what is packed the same part of B whatever the run's extents are?"""
    numbers = [
        c.b.offset,
        c.groups.step if c.groups else 0,
        *(x for r in (c.n, *c.k, *c.outer) for x in (r.extent, r.b)),
    ]
    return all(isinstance(x, int) for x in numbers)


def _condenses(kernel: Kernel) -> bool:
    """Does it write no more bytes than it reads, each once, and the same whatever the run's extents are?

    Other runs may read while a thread prepares again: what they see must be no sum in the making.
    """
    written, read = _fixed_bytes(writes(kernel)), _fixed_bytes(kernel.reads)
    if written is None or read is None or written > read:
        return False
    stores = kernel.stores if isinstance(kernel, (Loop, Contract)) else ()
    if any(scatter_of(s.expr, True) is not None for s in stores):
        return False
    return not any(_names_extents(part.attr) for s in stores for part in loops.walk(s.expr))


def _names_extents(attr: object) -> bool:
    """Is there a symbol in what an expression has besides its arguments: indices, and axes with extents?"""
    if isinstance(attr, (tuple, list)):
        return any(map(_names_extents, attr))
    if isinstance(attr, Axis):
        return isinstance(attr.extent, Int)
    return isinstance(attr, Int) and any(
        _names_extents(atom) if isinstance(atom, Axis) else type(atom) is Atom for atom in attr.atoms()
    )


def _fixed_bytes(values: Collection[Value]) -> int | None:
    """Bytes of the values together; None where a run's extents decide."""
    sizes = [v.type.size for v in values]
    if not all(isinstance(size, int) for size in sizes):
        return None
    return sum(hint(v.type.size) * itemsize(v.dtype) for v in values)
