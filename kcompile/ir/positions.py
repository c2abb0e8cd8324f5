"""Which whole numbers the inputs of a graph may be, as far as it looks something up at them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from kcompile.core import dtypes, symbolic
from kcompile.ir.evaluate import bind_symbols, evaluate
from kcompile.ir.graph import Graph, Value, topological
from kcompile.ir.traits import Leaf

CAREFUL = 2  # a position that is computed in ways unknown may lie anywhere; with 0 and 1 it mostly fits
ANY = 256  # whole numbers below it are as good as any
MOST = 2**20  # positions below which all numbers lie that are below this are taken to be limited
TRIED = 8  # every open dimension, while positions are computed to see where they lie


def limits(graph: Graph) -> list[int | None]:
    """For each input: below which number it must be so that it is a position in all that is looked up at it.

    Elements may have been moved and converted on the way; what is computed of them is tried. None where
    nothing is looked up.
    """
    places = {value: k for k, value in enumerate(graph.inputs)}
    same: dict[Value, set[int]] = defaultdict(set)  # inputs whose elements these are
    of: dict[Value, set[int]] = defaultdict(set)  # inputs that these are computed from
    found: list[int | None] = [None] * len(places)
    careful: set[int] = set()
    computed: list[tuple[Value, int]] = []  # positions, and below what they must lie
    known = True
    for node in topological([*graph.outputs, *graph.assignments.values()]):
        op = node.op
        keeps = op.traits.moves or op.traits.converts or op.traits.transparent
        for value in node.values:
            own = {places[value]} if value in places else set()
            same[value] = own | (same[node.inputs[0]] if keeps else set())
            of[value] = own.union(*(of[x] for x in node.inputs))
        if op.has_bodies:
            careful.update(*(of[x] for x in node.inputs))
            known = known and not careful
        elif op.has("positions"):
            k, extent = op.rules["positions"](*(x.type for x in node.inputs), **node.attrs)
            looked_up = node.inputs[k]
            careful |= of[looked_up] - same[looked_up]
            most = extent if isinstance(extent, int) else 1  # an open extent, as that of a batch, may be 1
            computed.append((looked_up, most))
            for place in same[looked_up]:
                found[place] = min(found[place] or most, most)
    whole = [k for k in careful if dtypes.is_int(graph.inputs[k].dtype)]
    computed = [(value, most) for value, most in computed if of[value].intersection(whole)]
    tried = _largest(graph.inputs, computed, found, whole) if known and whole else CAREFUL
    return [
        (min(limit or tried, tried) if tried > CAREFUL else limit or CAREFUL) if k in whole else limit
        for k, limit in enumerate(found)
    ]


def lie_within(graph: Graph, arrays: Sequence[np.ndarray]) -> bool:
    """Do positions lie in what is looked up at them, as far as they follow from inputs and sizes alone?

    arrays: for the graph's inputs. Where positions cannot be computed, nothing is said against them.
    """
    symbols, known = bind_symbols(list(graph.inputs), list(arrays)), set(graph.inputs)
    computed: list[tuple[Value, int]] = []  # positions, and below what they must lie
    for node in topological(graph.roots()):
        if node.op.traits.leaf in (None, Leaf.CONSTANT) and known.issuperset(node.inputs):
            known.update(node.values)
        if node.op.has("positions"):
            k, extent = node.op.rules["positions"](*(x.type for x in node.inputs), **node.attrs)
            if node.inputs[k] in known:
                with suppress(KeyError):
                    computed.append((node.inputs[k], symbolic.evaluate(extent, symbols)))
    leaves = dict(zip(graph.inputs, arrays, strict=True))
    try:
        with np.errstate(all="ignore"):
            found = evaluate([value for value, _ in computed], leaves, symbols)
    except (ValueError, TypeError, LookupError, ArithmeticError):
        return True
    return all(((at >= -most) & (at < most)).all() for at, (_, most) in zip(found, computed, strict=True))


def _largest(
    inputs: Sequence[Value], computed: list[tuple[Value, int]], found: Sequence[int | None], whole: list[int]
) -> int:
    """The number below which all whole numbers may be, so that computed positions lie where they must.

    It takes for granted that smaller numbers fit where larger ones do, and that a few draws tell whether they
    do. Neither holds of every model (100 // x fits from 2 on), so whoever draws asks `lie_within`.
    """
    roots = [value for value, _ in computed]
    leaves = [node for node in topological(roots) if node.op.traits.leaf not in (None, Leaf.CONSTANT)]
    if not {v for node in leaves for v in node.values} <= {inputs[k] for k in whole}:  # of weights, say
        return CAREFUL
    opened = [d for value in inputs for d in value.shape if isinstance(d, symbolic.Int)]
    symbols = {atom.name: TRIED for d in opened for atom in d.atoms()}

    def fits(limit: int) -> bool:
        rng, below = np.random.default_rng(limit), {}
        for k in whole:
            kind = dtypes.numpy_dtype(inputs[k].dtype)
            shape = [symbolic.evaluate(d, symbols) for d in inputs[k].shape]
            most = min(found[k] or limit, limit, np.iinfo(kind).max + 1)
            below[inputs[k]] = [rng.integers(0, most, shape), np.full(shape, most - 1), np.zeros(shape)]
        for way in range(3):
            given = {v: arrays[way].astype(dtypes.numpy_dtype(v.dtype)) for v, arrays in below.items()}
            try:
                positions = evaluate(roots, given, symbols)
            except (ValueError, LookupError, ArithmeticError):  # of a size that does not go, say
                return False
            if not all(((at >= 0) & (at < m)).all() for at, (_, m) in zip(positions, computed, strict=True)):
                return False
        return True

    low, high = CAREFUL, MOST
    with np.errstate(all="ignore"):
        if fits(high):
            return max([ANY, *(2 * most for _, most in computed)])
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(middle) else (low, middle)
    return low
