"""The affine contraction, and what is made of it: matmul, einsum, tensordot.

`contract` computes  y[o] = sum over r of x[X(o, r)] * w[W(o, r)],  where X and W map the axes to element
positions by integer linear combinations. Matrix products, einsums, convolutions and the gradients of all of
them are this one primitive.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import BroadcastError, ShapeError, message
from kcompile.core.open_extents import joined
from kcompile.core.symbolic import Int
from kcompile.ir import loops
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample
from kcompile.ir.traits import Traits
from kcompile.ir.types import Shape, TensorType
from kcompile.ops import cutting, movement, phases
from kcompile.ops import elementwise as ew
from kcompile.ops.contract_onnx import contract_onnx

# A map gives, per dimension of an operand, terms (coefficient, axis number) whose sum is the position there.
Terms = tuple[tuple[int, int], ...]
Map = tuple[Terms, ...]

contract_op = Op("contract", traits=Traits(contraction=True))


@contract_op.infer
def _contract_infer(
    x: TensorType, w: TensorType, *, shape: Shape, over: Shape, x_map: Map, w_map: Map
) -> TensorType:
    return TensorType(tuple(shape), x.dtype)


def _view(array: np.ndarray, mapping: Map, extents: Any) -> np.ndarray:
    """`array` as seen over all axes: a strided view in which absent axes have stride 0."""
    strides = [0] * len(extents)
    for terms, stride in zip(mapping, array.strides, strict=True):
        for coefficient, axis in terms:
            strides[axis] += coefficient * stride
    return np.lib.stride_tricks.as_strided(array, extents, strides, writeable=False)


@contract_op.reference
def _contract_reference(
    x: np.ndarray, w: np.ndarray, *, shape: Any, over: Any, x_map: Map, w_map: Map
) -> np.ndarray:
    extents = (*shape, *over)
    if 0 in extents:
        return np.zeros(shape, x.dtype)
    letters = list(range(len(extents)))
    used_x = sorted({a for terms in x_map for _, a in terms})
    used_w = sorted({a for terms in w_map for _, a in terms})
    xv = _view(np.asarray(x, order="C"), x_map, extents)[
        tuple(slice(None) if a in used_x else 0 for a in letters)
    ]
    wv = _view(np.asarray(w, order="C"), w_map, extents)[
        tuple(slice(None) if a in used_w else 0 for a in letters)
    ]
    shown = [a for a in range(len(shape)) if a in used_x or a in used_w]
    y = np.einsum(xv, used_x, wv, used_w, shown, optimize=True)
    y = y.reshape([extents[a] if a in shown else 1 for a in range(len(shape))])
    return np.broadcast_to(y, shape)


@contract_op.scalar
def _contract_scalar(
    i: Index, x: Any, w: Any, *, out: TensorType, shape: Shape, over: Shape, x_map: Map, w_map: Map
) -> Expr:
    bound = tuple(loops.axis(d, "r") for d in over)
    axes = (*i, *bound)
    at_x, at_w = (position(m, axes) for m in (x_map, w_map))
    return loops.reduce("sum", bound, loops.apply("mul", x(at_x), w(at_w)))


def position(mapping: Map, axes: Index) -> Index:
    """The element position that a map gives for these axes."""
    at: list[int | Int] = []
    for terms in mapping:
        total: int | Int = 0
        for coefficient, axis in terms:
            total = total + coefficient * axes[axis]
        at.append(total)
    return tuple(at)


contract_op.onnx(contract_onnx)


@contract_op.samples
def _contract_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for m, k, n in ((4, 5, 3), (1, 7, 17), (13, 1, 5), (70, 33, 65)):
        x, w = (rng.normal(size=s).astype("float32") for s in ((m, k), (k, n)))
        attrs = {
            "shape": (m, n),
            "over": (k,),
            "x_map": (((1, 0),), ((1, 2),)),
            "w_map": (((1, 2),), ((1, 1),)),
        }
        yield Sample((x, w), attrs, f"{m}x{k}x{n}")


@contract_op.vjp
def _contract_vjp(
    dy: Any, y: Any, x: Any, w: Any, *, shape: Shape, over: Shape, x_map: Map, w_map: Map
) -> tuple[Any, Any]:
    dx = operand_gradient(dy, w, x.shape, shape, over, x_map, w_map)
    dw = operand_gradient(dy, x, w.shape, shape, over, w_map, x_map)
    return dx, dw


def operand_gradient(
    dy: Any, other: Any, shape: Shape, out: Shape, over: Shape, mapping: Map, other_map: Map
) -> Any:
    """Gradient of the operand with `mapping`, again a contraction.

    A dimension that follows one axis becomes an output axis. A windowed one, at position s o + d r, becomes
    an output axis p too: dy is spread by s and padded, the other operand is flipped along r, and then dy is
    read at p + d r' (a transposed convolution written as a convolution). Where s > 1, most of the spread dy
    is zeros; `ops.phases` avoids it where it can.
    """
    extents = (*out, *over)
    windows = {k: _window(terms, len(out)) for k, terms in enumerate(mapping) if len(terms) == 2}
    kept = [terms[0][1] for k, terms in enumerate(mapping) if k not in windows]
    if len(set(kept)) != len(kept) or any(
        len(t) not in (1, 2) or (len(t) == 1 and t[0][0] != 1) for t in mapping
    ):
        raise NotImplementedError("contract: this operand map has no gradient rule")
    strided = {k: w for k, w in windows.items() if phases.has_phases(w, shape[k], extents, other_map)}
    if strided:
        apart = phases.differ(strided, extents, shape, out, mapping)
        gradient = phases.gradient_of_part if apart else phases.gradient_in_groups
        return gradient(operand_gradient, dy, other, shape, out, over, mapping, other_map, strided)
    replaced = {o: k for k, (_, o, _, _) in windows.items()}  # output axis of y -> dimension of the operand
    summed = [a for a in range(len(extents)) if a not in kept and a not in replaced]
    number: dict[int, int] = {a: len(shape) + k for k, a in enumerate(summed)}
    number.update({terms[0][1]: k for k, terms in enumerate(mapping) if k not in windows})
    dy_map: list[Terms] = []
    before: list[Any] = [0] * len(out)
    after, inner = list(before), list(before)
    for a in range(len(out)):
        if a not in replaced:
            dy_map.append(((1, number[a]),))
            continue
        k = replaced[a]
        s, _, d, r = windows[k]
        dy_map.append(((1, k), (d, number[r])))
        reach = d * (extents[r] - 1)
        before[a], inner[a] = reach, s - 1
        after[a] = shape[k] - 1 - (out[a] - 1) * s
    if windows:
        dy = cutting.pad_op(dy, before=tuple(before), after=tuple(after), inner=tuple(inner), value=0.0)
        other = _flip_axes(other, other_map, {r for _, _, _, r in windows.values()})
    renamed: Map = tuple(tuple((c, number[a]) for c, a in terms) for terms in other_map)
    return contract_op(
        dy,
        other,
        shape=tuple(shape),
        over=tuple(extents[a] for a in summed),
        x_map=tuple(dy_map),
        w_map=renamed,
    )


def _window(terms: Terms, outputs: int) -> phases.Window:
    """(s, output axis, d, reduced axis) of a windowed dimension."""
    (s, o), (d, r) = sorted(terms, key=lambda term: term[1])
    if o >= outputs or r < outputs:
        raise NotImplementedError("contract: a window must join an output axis and a reduced axis")
    return s, o, d, r


def _flip_axes(operand: Any, mapping: Map, axes: set[int]) -> Any:
    """The operand reversed along the dimensions that follow `axes`."""
    dims = tuple(k for k, terms in enumerate(mapping) if terms and terms[0][1] in axes)
    return cutting.flip(operand, dims) if dims else operand


# --- einsum and matmul --------------------------------------------------------------------------------------

einsum_op = Op("einsum")


def _letters(subscripts: str) -> tuple[list[str], str]:
    inputs, _, output = subscripts.partition("->")
    return inputs.split(","), output


@einsum_op.infer
def _einsum_infer(*xs: TensorType, subscripts: str) -> TensorType:
    inputs, output = _letters(subscripts)
    sizes: dict[str, Any] = {}
    for letters, x in zip(inputs, xs, strict=True):
        if len(letters) != x.rank:
            raise ShapeError(message(f"einsum: '{letters}' needs rank {len(letters)}.", received=f"{x!r}"))
        for letter, d in zip(letters, x.shape, strict=True):
            known = sizes.setdefault(letter, d)
            both = joined((known, d))
            if both is None:
                raise BroadcastError(
                    message(
                        f"einsum '{subscripts}': dimension {letter} does not agree.",
                        expected=f"{known}",
                        received=f"{d} in {x!r}",
                    )
                )
            sizes[letter] = both
    return TensorType(tuple(sizes[c] for c in output), xs[0].dtype)


@einsum_op.reference
def _einsum_reference(*xs: np.ndarray, subscripts: str) -> np.ndarray:
    return np.einsum(subscripts, *xs, optimize=True)


@einsum_op.decompose
def _einsum_decompose(*xs: Any, subscripts: str) -> Any:
    inputs, output = _letters(subscripts)
    diagonals = [_diagonal_free(x, letters) for x, letters in zip(xs, inputs, strict=True)]
    xs, inputs = tuple(x for x, _ in diagonals), [letters for _, letters in diagonals]
    if len(xs) == 1:
        x, letters = xs[0], inputs[0]
        from kcompile.ops import reduce

        gone = tuple(k for k, c in enumerate(letters) if c not in output)
        y = ew.cast(reduce.sum(x, axis=gone), dtypes.standardize(x.dtype)) if gone else x  # sums widen
        left = [c for c in letters if c in output]
        return movement.transpose(y, tuple(left.index(c) for c in output))
    x, letters = xs[0], inputs[0]
    for k in range(1, len(xs)):
        needed = set(output).union(*inputs[k + 1 :])
        last = k == len(xs) - 1
        kept = output if last else "".join(sorted((set(letters) | set(inputs[k])) & needed))
        x, letters = pair(x, letters, xs[k], inputs[k], kept), kept
    return x


def _diagonal_free(x: Any, letters: str) -> tuple[Any, str]:
    """x with its diagonal in place of axes that share a letter."""
    from kcompile.ops import arrange

    for letter in dict.fromkeys(letters):
        while letters.count(letter) > 1:
            first, last = letters.index(letter), letters.rindex(letter)
            x = arrange.diagonal(x, 0, first, last)
            letters = letters[:first] + letters[first + 1 : last] + letters[last + 1 :] + letter
    return x, letters


def pair(x: Any, x_letters: str, w: Any, w_letters: str, output: str) -> Any:
    """One contraction of two operands; letters name axes. Dimensions of size 1 broadcast."""
    sizes: dict[str, Any] = {}
    for letters, shape in ((x_letters, x.shape), (w_letters, w.shape)):
        for c, d in zip(letters, shape, strict=True):
            sizes[c] = d if sizes.get(c, 1) == 1 else sizes[c]
    over = [c for c in dict.fromkeys(x_letters + w_letters) if c not in output]
    number = {c: k for k, c in enumerate([*output, *over])}

    def mapped(letters: str, shape: Shape) -> Map:
        return tuple(
            ((1, number[c]),) if d == sizes[c] and d != 1 else () for c, d in zip(letters, shape, strict=True)
        )

    def squeezed(t: Any, letters: str) -> tuple[Any, str]:
        """Without the dimensions of size 1, so that every map is a projection."""
        gone = [k for k, d in enumerate(t.shape) if d == 1]
        return movement.squeeze(t, gone) if gone else t, "".join(
            c for k, c in enumerate(letters) if k not in gone
        )

    (x, x_letters), (w, w_letters) = squeezed(x, x_letters), squeezed(w, w_letters)
    out = tuple(sizes[c] for c in output)
    return contract_op(
        x, w, shape=out, over=tuple(sizes[c] for c in over),
        x_map=mapped(x_letters, x.shape), w_map=mapped(w_letters, w.shape),
    )  # fmt: skip


@einsum_op.onnx
def _einsum_onnx(g: Any, *xs: str, subscripts: str) -> str:
    return g.node("Einsum", *xs, equation=subscripts)


@einsum_op.samples
def _einsum_samples(rng: np.random.Generator) -> Iterator[Sample]:
    def arrays(*shapes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
        return tuple(rng.normal(size=s).astype("float32") for s in shapes)

    yield Sample(arrays((3, 4), (4, 5)), {"subscripts": "ab,bc->ac"}, "matmul")
    yield Sample(arrays((2, 3, 4), (2, 4, 5)), {"subscripts": "nab,nbc->nac"}, "batched")
    yield Sample(arrays((2, 3, 4, 5), (2, 6, 4, 5)), {"subscripts": "aecd,abcd->acbe"}, "attention")
    yield Sample(arrays((3,), (4,)), {"subscripts": "a,b->ab"}, "outer")
    yield Sample(
        arrays(
            (3, 4),
        ),
        {"subscripts": "ab->b"},
        "sum",
    )
    yield Sample(arrays((3, 4), (4, 5), (5, 2)), {"subscripts": "ab,bc,cd->ad"}, "chain")


_EINSUM_OPTIONS = {"optimize", "precision", "preferred_element_type", "out_sharding", "_dot_general"}  # JAX's


def einsum(subscripts: str, *operands: Any, **kwargs: Any) -> Any:
    """Sum of products over named axes; `...` broadcasts.

    >>> einsum("ij,jk->ik", np.ones((2, 3), "float32"), np.ones((3, 4), "float32")).shape
    (2, 4)
    """
    from kcompile.ops.products import widened

    if unknown := kwargs.keys() - _EINSUM_OPTIONS:
        raise TypeError(f"einsum: unexpected arguments {sorted(unknown)}")
    xs = widened(*operands)
    return einsum_op(*xs, subscripts=explicit(subscripts, [len(x.shape) for x in xs]))


def explicit(subscripts: str, ranks: list[int]) -> str:
    """Subscripts with `...` spelled out in capital letters and with an output part."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(ranks):
        raise ValueError(f"einsum: '{subscripts}' names {len(inputs)} operands, but {len(ranks)} were given.")
    free = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in text]
    widths = [
        rank - len(s.replace("...", "")) if "..." in s else 0 for s, rank in zip(inputs, ranks, strict=True)
    ]
    widest = "".join(free[: max([0, *widths])])
    spelled = [s.replace("...", widest[len(widest) - n :]) for s, n in zip(inputs, widths, strict=True)]
    if not arrow:
        joined = "".join(spelled)
        right = "..." * bool(widest) + "".join(
            sorted(c for c in set(joined) if joined.count(c) == 1 and c not in widest)
        )
    output = right.replace("...", widest)
    if unknown := sorted(set(output) - set("".join(spelled))):
        raise ValueError(f"einsum: the output of '{subscripts}' has indices that no operand has: {unknown}")
    return ",".join(spelled) + "->" + output
