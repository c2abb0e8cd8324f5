"""The contraction as ONNX operators: Conv where one operand is read through windows, MatMul, else Einsum.

This is how gradients of products and convolutions are written. Both gradients of a convolution are
convolutions: that of the kernel has the summed batch as its channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kcompile.core.symbolic import floordiv
from kcompile.ir.types import Shape, TensorType

Terms = tuple[tuple[int, int], ...]
Map = tuple[Terms, ...]
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
CONV_RANK = 3  # spatial dimensions that runtimes have a Conv for


def contract_onnx(g: Any, x: str, w: str, *, shape: Shape, over: Shape, x_map: Map, w_map: Map) -> str:
    """Nodes that compute y[o] = sum_r x[X(o, r)] w[W(o, r)]; `g` is the builder."""
    sides = ((x, x_map), (w, w_map))
    for (a, a_map), (b, b_map) in (sides, sides[::-1]):
        found = _conv(g, a, a_map, b, b_map, tuple(shape), tuple(over))
        if found is not None:
            return _as_conv(g, a, b, found, tuple(shape), tuple(over))
    extents = (*shape, *over)
    (x, x_axes), (w, w_axes) = (_plain(g, name, mapping, extents) for name, mapping in sides)
    y, shown = _product(g, x, x_axes, w, w_axes, len(shape))
    if len(shown) == len(shape):
        return y
    y = g.reshape(y, tuple(d if k in shown else 1 for k, d in enumerate(shape)))
    return str(g.node("Expand", y, g.dims(tuple(shape))))


# --- products -----------------------------------------------------------------------------------------------


def _product(
    g: Any, x: str, x_axes: list[int], w: str, w_axes: list[int], rank: int
) -> tuple[str, list[int]]:
    """The product over plain axes, and which output axes it has, in order."""
    both = [a for a in x_axes if a in w_axes]
    shown = [a for a in range(rank) if a in x_axes or a in w_axes]
    summed, kept = [a for a in both if a >= rank], [a for a in both if a < rank]
    rows, columns = ([a for a in axes if a not in both] for axes in (x_axes, w_axes))
    if len(rows) == len(columns) == len(summed) == 1 and rows[0] < rank and columns[0] < rank:
        left = g.transpose(x, [x_axes.index(a) for a in (*kept, *rows, *summed)])
        right = g.transpose(w, [w_axes.index(a) for a in (*kept, *summed, *columns)])
        made = [*kept, *rows, *columns]
        return g.transpose(g.node("MatMul", left, right), [made.index(a) for a in shown]), shown
    texts = ["".join(LETTERS[a] for a in axes) for axes in (x_axes, w_axes, shown)]
    return str(g.node("Einsum", x, w, equation=f"{texts[0]},{texts[1]}->{texts[2]}")), shown


def _plain(g: Any, x: str, mapping: Map, extents: Shape) -> tuple[str, list[int]]:
    """The operand with one dimension per axis that it is read along, and these axes in order."""
    axes: list[int] = []
    for k in reversed(range(len(mapping))):
        terms = mapping[k]
        axes = [a for _, a in terms] + axes
        plain = len(terms) == 1 and terms[0][0] == 1 and g.shape(x)[k] == extents[terms[0][1]]
        if not plain:
            x = g.node("Gather", x, _positions(g, terms, extents), axis=k)
    if len(set(axes)) != len(axes):
        raise NotImplementedError("a diagonal is read")
    return x, axes


def _positions(g: Any, terms: Terms, extents: Shape) -> str:
    """The positions along a dimension, one axis per term."""
    total = g.constant(np.array(0, np.int64))
    for number, (coefficient, axis) in enumerate(terms):
        counted = _counted(g, extents[axis], coefficient)
        total = g.node("Add", total, g.reshape(counted, (extents[axis], *(1,) * (len(terms) - 1 - number))))
    return str(total)


def _counted(g: Any, extent: Any, coefficient: int) -> str:
    if isinstance(extent, int):
        return str(g.constant(np.arange(extent, dtype=np.int64) * coefficient))
    zero, one = (g.constant(np.array(n, np.int64)) for n in (0, 1))
    counted = g.node("Range", zero, g.reshape(g.dims((extent,)), ()), one)
    g.types[counted] = TensorType((extent,), "int64")
    return str(g.node("Mul", counted, g.constant(np.array(coefficient, np.int64))))


# --- convolutions -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Conv:
    """a: dimensions of the windowed operand that are batch, channel, window; b: features, channels, window.

    made: output axes in the order in which Conv gives them. steps, dilations: of each window.
    """

    a: tuple[list[int], list[int], list[int]]
    b: tuple[list[int], list[int], list[int]]
    made: list[int]
    steps: list[int]
    dilations: list[int]
    taps: list[int]


def _conv(g: Any, a: str, a_map: Map, b: str, b_map: Map, shape: Shape, over: Shape) -> _Conv | None:
    """The contraction as a convolution of a with b; None if it is none."""
    rank, extents = len(shape), (*shape, *over)
    windows = [k for k, terms in enumerate(a_map) if len(terms) == 2]
    rest = [k for k in range(len(a_map)) if k not in windows]
    if not 1 <= len(windows) <= CONV_RANK:
        return None
    if not all(_whole(g, a, a_map, k, extents) for k in rest):
        return None
    if not all(_whole(g, b, b_map, k, extents) for k in range(len(b_map))):
        return None
    pairs = [sorted(a_map[k], key=lambda term: term[1]) for k in windows]  # (s, output), (d, summed)
    outs, taps = [p[0][1] for p in pairs], [p[1][1] for p in pairs]
    of_a, of_b = {a_map[k][0][1]: k for k in rest}, {terms[0][1]: k for k, terms in enumerate(b_map)}
    if any(o >= rank or o in of_b for o in outs) or any(r < rank or r not in of_b for r in taps):
        return None
    features = [x for x in of_b if x not in of_a and x not in taps]
    batch, channels = [x for x in of_a if x not in of_b], [x for x in of_a if x in of_b]
    made = [*batch, *features, *outs]
    if sorted(made) != list(range(rank)) or any(x < rank for x in channels):
        return None
    if any(s < 1 or d < 1 for (s, _), (d, _) in pairs):
        return None
    return _Conv(
        ([of_a[x] for x in batch], [of_a[x] for x in channels], windows),
        ([of_b[x] for x in features], [of_b[x] for x in channels], [of_b[r] for r in taps]),
        made, [p[0][0] for p in pairs], [p[1][0] for p in pairs], taps,
    )  # fmt: skip


def _whole(g: Any, x: str, mapping: Map, k: int, extents: Shape) -> bool:
    """Does dimension k follow one axis, from end to end?"""
    terms = mapping[k]
    return len(terms) == 1 and terms[0][0] == 1 and g.shape(x)[k] == extents[terms[0][1]]


def _as_conv(g: Any, a: str, b: str, conv: _Conv, shape: Shape, over: Shape) -> str:
    extents = (*shape, *over)
    image, kernel = _joined(g, a, conv.a), _joined(g, b, conv.b)
    y = g.node("Conv", image, kernel, strides=conv.steps, dilations=conv.dilations)
    spatial = len(conv.steps)
    outs = [extents[o] for o in conv.made[-spatial:]]
    full = [
        floordiv(x - d * (extents[r] - 1) - 1, s) + 1
        for x, d, s, r in zip(g.shape(image)[2:], conv.dilations, conv.steps, conv.taps, strict=True)
    ]
    front = (g.shape(image)[0], g.shape(kernel)[0])
    dtype = g.dtype(image)  # ONNX infers nothing of an image whose size is known at run time
    g.types[y] = TensorType((*front, *full), dtype)
    if full != outs:  # a stride that leaves a rest: windows that nothing asked for
        axes = np.arange(2, 2 + spatial, dtype=np.int64)
        y = g.node("Slice", y, g.constant(np.zeros(spatial, np.int64)), g.dims(tuple(outs)), g.constant(axes))
        g.types[y] = TensorType((*front, *outs), dtype)
    y = g.reshape(y, tuple(extents[k] for k in conv.made))
    return str(g.transpose(y, [conv.made.index(k) for k in range(len(shape))]))


def _joined(g: Any, x: str, parts: tuple[list[int], list[int], list[int]]) -> str:
    """x as Conv reads it: the first two groups of dimensions joined to one each."""
    dims = g.shape(x)
    joined = [_size([dims[k] for k in part]) for part in parts[:2]]
    x = g.transpose(x, [k for part in parts for k in part])
    return str(g.reshape(x, (*joined, *(dims[k] for k in parts[2]))))


def _size(dims: list[Any]) -> Any:
    total: Any = 1
    for d in dims:
        total = total * d
    return total
