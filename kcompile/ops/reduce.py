"""Reductions over axes: sum, mean, max, min, prod, any, all, argmax, argmin, variance, std."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import AxisError, ShapeError, message
from kcompile.core.symbolic import Int, product
from kcompile.core.wholes import whole
from kcompile.ir import loops
from kcompile.ir.graph import Value
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample
from kcompile.ir.traits import NONE, Traits
from kcompile.ir.types import TensorType
from kcompile.ops import elementwise as ew
from kcompile.ops import movement

Axes = tuple[int, ...]


def normalize_axes(op: str, axis: Any, rank: int) -> Axes:
    """`axis` as sorted non-negative ints; None means all."""
    if axis is None:
        return tuple(range(rank))
    several = isinstance(axis, (tuple, list)) or (isinstance(axis, np.ndarray) and axis.ndim == 1)
    many = axis if several else (axis,)
    # A traced number says how it becomes one that is known.
    given = tuple(int(a) if isinstance(a, Value) else whole("axis", a, of=op, received=axis) for a in many)
    for a in given:
        if not -rank <= a < rank:
            range_of_axes = f"{op}: axis must lie in [{-rank}, {rank})."
            raise AxisError(message(range_of_axes, received=f"axis={axis}", expected=f"rank {rank}"))
    found = {a % rank for a in given}
    if len(found) < len(given):
        raise ShapeError(message(f"{op}: duplicate value in `axis`.", received=f"axis={axis}"))
    return tuple(sorted(found))


def _reduced(x: TensorType, axes: Axes, keepdims: bool, dtype: str) -> TensorType:
    if keepdims:
        return TensorType(tuple(1 if k in axes else d for k, d in enumerate(x.shape)), dtype)
    return TensorType(tuple(d for k, d in enumerate(x.shape) if k not in axes), dtype)


def split_index(i: Index, shape: tuple[int | Int, ...], axes: Axes, keepdims: bool) -> tuple[Index, Index]:
    """The operand's index for an output index, with new axes for the reduced dimensions; and those axes."""
    kept = iter(i if not keepdims else [k for n, k in enumerate(i) if n not in axes])
    bound = {a: loops.axis(shape[a], "r") for a in axes}
    return tuple(bound[n] if n in bound else next(kept) for n in range(len(shape))), tuple(bound.values())


def _expand(y: Any, x: Any, axes: Axes, keepdims: bool) -> Any:
    """A reduced tensor with its lost dimensions back as 1."""
    if keepdims:
        return y
    return movement.reshape(y, tuple(1 if k in axes else d for k, d in enumerate(x.shape)))


def _no_vjp(*_: Any) -> None:
    return None


def _sum_vjp(dy: Any, y: Any, x: Any, axes: Axes, keepdims: bool) -> Any:
    return movement.broadcast_to(_expand(dy, x, axes, keepdims), x.shape)


def _extreme_vjp(dy: Any, y: Any, x: Any, axes: Axes, keepdims: bool) -> Any:
    # Ties share the gradient evenly, as in JAX.
    hit = ew.cast(ew.equal(x, _expand(y, x, axes, keepdims)), dy.dtype)
    share = _expand(dy, x, axes, keepdims) / sum(hit, axis=axes, keepdims=True)
    return hit * share


def _prod_vjp(dy: Any, y: Any, x: Any, axes: Axes, keepdims: bool) -> Any:
    from kcompile.ops.other_factors import other_factors

    return ew.multiply(_expand(dy, x, axes, keepdims), other_factors(x, axes))


def _check_elements(name: str, x: TensorType, axes: Axes) -> None:
    """An extreme needs elements."""
    if 0 in [x.shape[k] for k in axes]:
        raise ShapeError(message(f"{name}: no element along the reduced axes.", received=f"{x!r}"))


def _reduction(
    name: str, kind: str, reference: Any, vjp: Any, dtype_rule: Any, onnx: str, traits: Traits = NONE
) -> Op:
    op = Op(name, traits=traits)

    @op.infer
    def infer(x: TensorType, *, axes: Axes, keepdims: bool) -> TensorType:
        if kind in ("max", "min"):
            _check_elements(name, x, axes)
        return _reduced(x, axes, keepdims, dtype_rule(x.dtype))

    @op.reference
    def evaluate(x: np.ndarray, *, axes: Axes, keepdims: bool) -> np.ndarray:
        return reference(x, axis=axes, keepdims=keepdims)

    @op.vjp
    def pull_back(dy: Any, y: Any, x: Any, *, axes: Axes, keepdims: bool) -> tuple[Any]:
        return (vjp(dy, y, x, axes, keepdims),)

    @op.scalar
    def at(i: Index, x: Any, *, out: TensorType, axes: Axes, keepdims: bool) -> Expr:
        where, bound = split_index(i, x.type.shape, axes, keepdims)
        return loops.reduce(kind, bound, loops.cast(x(where), out.dtype))

    @op.onnx
    def export(g: Any, x: str, *, axes: Axes, keepdims: bool) -> str:
        if dtype_rule is _bool_dtype:  # ONNX reduces numbers only
            return g.cast(g.reduce(onnx, g.cast(x, "int32"), axes, keepdims), "bool")
        return g.reduce(onnx, g.cast(x, dtype_rule(g.dtype(x))), axes, keepdims)

    @op.samples
    def samples(rng: np.random.Generator) -> Iterator[Sample]:
        for shape, axes in (
            ((3, 5), (1,)),
            ((3, 5), (0,)),
            ((3, 5), (0, 1)),
            ((2, 3, 4), (0, 2)),
            ((2, 3, 4), (1,)),
        ):
            x = rng.uniform(0.5, 2.0, shape).astype("float32")
            x = x > 1 if kind in ("any", "all") else x
            for keepdims in (False, True):
                yield Sample((x,), {"axes": axes, "keepdims": keepdims}, f"{shape}{axes}{keepdims}")

    return op


def _sum_dtype(dtype: str) -> str:
    if dtype in ("bool", "int8", "int16"):
        return "int32"
    return "uint32" if dtype in ("uint8", "uint16") else dtype


def _bool_dtype(_: str) -> str:
    return "bool"


def _same_dtype(dtype: str) -> str:
    return dtype


sum_op = _reduction("sum", "sum", np.sum, _sum_vjp, _sum_dtype, "ReduceSum", Traits(sums=True))


@sum_op.batch_sum
def _sum_batch_sum(out: TensorType, xs: Any, stacked: Any, steps: Any, *, axes: Axes, keepdims: bool) -> Any:
    return movement.reshape(sum(xs[0], axis=(0, *(a + 1 for a in axes))), out.shape)


prod_op = _reduction("prod", "prod", np.prod, _prod_vjp, _sum_dtype, "ReduceProd")
max_op = _reduction("max", "max", np.max, _extreme_vjp, _same_dtype, "ReduceMax")
min_op = _reduction("min", "min", np.min, _extreme_vjp, _same_dtype, "ReduceMin")
any_op = _reduction("any", "any", np.any, _no_vjp, _bool_dtype, "ReduceMax")
all_op = _reduction("all", "all", np.all, _no_vjp, _bool_dtype, "ReduceMin")


def _apply(op: Op, x: Any, axis: Any, keepdims: bool) -> Any:
    x = ew.as_tensor(x)
    axes = normalize_axes(op.name, axis, len(x.shape))
    if axes or op in (any_op, all_op):
        return op(x, axes=axes, keepdims=bool(keepdims))
    number = TensorType((), dtypes.standardize(x.dtype))
    return ew.cast(x, op.infer_types((number,), {"axes": (), "keepdims": False})[0].dtype)


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Sum of elements over `axis` (an int, a tuple, or None for all).

    >>> sum(np.ones((2, 3), "float32"), axis=0).tolist()
    [2.0, 2.0, 2.0]
    """
    return _apply(sum_op, x, axis, keepdims)


def prod(x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """Product of elements over `axis`."""
    if dtype is None:
        return _apply(prod_op, ew.as_tensor(x), axis, keepdims)
    name = dtypes.standardize(dtype)
    return ew.cast(_apply(prod_op, ew.as_tensor(x, name), axis, keepdims), name)


def max(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """Largest element over `axis`; NaN where one is NaN. `initial`, in x's dtype, is a least result, and the
    result of no elements."""
    return _extreme(max_op, ew.maximum, x, axis, keepdims, initial)


def min(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """Smallest element over `axis`; NaN where one is NaN. `initial`, in x's dtype, is a greatest result, and
    the result of no elements."""
    return _extreme(min_op, ew.minimum, x, axis, keepdims, initial)


def _extreme(op: Op, better: Any, x: Any, axis: Any, keepdims: bool, initial: Any) -> Any:
    x = ew.as_tensor(x)
    if initial is None:
        return _apply(op, x, axis, keepdims)
    start = ew.as_tensor(initial, dtypes.standardize(x.dtype))
    if 0 in [x.shape[k] for k in normalize_axes(op.name, axis, len(x.shape))]:
        return movement.broadcast_to(start, sum(x, axis=axis, keepdims=keepdims).shape)
    return better(_apply(op, x, axis, keepdims), start)


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Does any element hold over `axis`?"""
    return _apply(any_op, ew.as_tensor(x, "bool"), axis, keepdims)


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Do all elements hold over `axis`?"""
    return _apply(all_op, ew.as_tensor(x, "bool"), axis, keepdims)


# --- mean and variance --------------------------------------------------------------------------------------

mean_op = Op("mean")
variance_op = Op("variance")


def _moment_infer(x: TensorType, *, axes: Axes, keepdims: bool) -> TensorType:
    return _reduced(x, axes, keepdims, x.dtype)


def _moment_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shape, axes in (((3, 5), (1,)), ((3, 5), (0, 1)), ((2, 3, 4), (0, 2)), ((4, 1), (1,))):
        x = rng.normal(size=shape).astype("float32")
        yield Sample((x,), {"axes": axes, "keepdims": False}, f"{shape}{axes}")
    yield Sample((x + 100,), {"axes": (0,), "keepdims": True}, "keepdims")


def _count(x: Any, axes: Axes) -> Any:
    return ew.as_tensor(product(x.shape[a] for a in axes), dtypes.standardize(x.dtype))


mean_op.infer(_moment_infer)


@mean_op.reference
def _mean_reference(x: np.ndarray, *, axes: Axes, keepdims: bool) -> np.ndarray:
    return np.mean(x, axis=axes, keepdims=keepdims)


@mean_op.decompose
def _mean_decompose(x: Any, *, axes: Axes, keepdims: bool) -> Any:
    return ew.true_divide(sum(x, axis=axes, keepdims=keepdims), _count(x, axes))


@mean_op.onnx
def _mean_onnx(g: Any, x: str, *, axes: Axes, keepdims: bool) -> str:
    return g.reduce("ReduceMean", x, axes, keepdims)


mean_op.samples(_moment_samples)
variance_op.infer(_moment_infer)


@variance_op.reference
def _variance_reference(x: np.ndarray, *, axes: Axes, keepdims: bool) -> np.ndarray:
    return np.var(x, axis=axes, keepdims=keepdims)


@variance_op.vjp
def _variance_vjp(dy: Any, y: Any, x: Any, *, axes: Axes, keepdims: bool) -> tuple[Any]:
    # What flows through the mean cancels: the deviations sum to zero.
    share = ew.true_divide(ew.multiply(_expand(dy, x, axes, keepdims), 2), _count(x, axes))
    return (ew.multiply(share, ew.subtract(x, mean(x, axis=axes, keepdims=True))),)


@variance_op.decompose
def _variance_decompose(x: Any, *, axes: Axes, keepdims: bool) -> Any:
    centred = ew.subtract(x, mean(x, axis=axes, keepdims=True))
    return mean(ew.square(centred), axis=axes, keepdims=keepdims)


variance_op.samples(_moment_samples)


def _moment(op: Op, x: Any, axis: Any, keepdims: bool) -> Any:
    x = ew.as_tensor(x)
    x = ew.as_tensor(x, ew.float_of(dtypes.standardize(x.dtype)))
    return op(x, axes=normalize_axes(op.name, axis, len(x.shape)), keepdims=bool(keepdims))


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Arithmetic mean over `axis`; ints become the default float.

    >>> mean(np.array([1, 2], "int32")).item()
    1.5
    """
    return _moment(mean_op, x, axis, keepdims)


def variance(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Population variance over `axis`, as the mean square of the deviations from the mean."""
    return _moment(variance_op, x, axis, keepdims)


var = variance


def std(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Population standard deviation over `axis`."""
    return ew.sqrt(variance(x, axis=axis, keepdims=keepdims))


# --- argmax, argmin -----------------------------------------------------------------------------------------


def _arg_reduction(name: str, kind: str, reference: Any, onnx: str) -> Op:
    op = Op(name)

    @op.infer
    def infer(x: TensorType, *, axis: int, keepdims: bool) -> TensorType:
        _check_elements(name, x, (axis,))
        return _reduced(x, (axis,), keepdims, "int32")

    @op.reference
    def evaluate(x: np.ndarray, *, axis: int, keepdims: bool) -> np.ndarray:
        return reference(x, axis=axis, keepdims=keepdims)

    @op.vjp
    def pull_back(dy: Any, y: Any, x: Any, *, axis: int, keepdims: bool) -> tuple[None]:
        return (None,)

    @op.scalar
    def at(i: Index, x: Any, *, out: TensorType, axis: int, keepdims: bool) -> Expr:
        # The first position whose element equals the extreme, or is NaN: two passes over a row in cache.
        where, bound = split_index(i, x.type.shape, (axis,), keepdims)
        best = loops.reduce(kind, bound, x(where))
        again, (position,) = split_index(i, x.type.shape, (axis,), keepdims)
        element = x(again)
        hit = loops.apply("eq", element, best, dtype="bool")
        if dtypes.is_float(element.dtype):
            hit = loops.apply("or", hit, loops.apply("ne", element, element, dtype="bool"), dtype="bool")
        last = loops.index(x.type.shape[axis] - 1, "int32")
        return loops.reduce("min", (position,), loops.select(hit, loops.index(position, "int32"), last))

    @op.onnx
    def export(g: Any, x: str, *, axis: int, keepdims: bool) -> str:
        return g.cast(g.node(onnx, x, axis=axis, keepdims=int(keepdims), select_last_index=0), "int32")

    @op.samples
    def samples(rng: np.random.Generator) -> Iterator[Sample]:
        x = rng.normal(size=(3, 7)).astype("float32")
        yield Sample((x,), {"axis": 1, "keepdims": False})
        yield Sample((x,), {"axis": 0, "keepdims": True}, "axis0")
        yield Sample((np.zeros((2, 4), "float32"),), {"axis": 1, "keepdims": False}, "ties", False)

    return op


argmax_op = _arg_reduction("argmax", "max", np.argmax, "ArgMax")
argmin_op = _arg_reduction("argmin", "min", np.argmin, "ArgMin")


def _arg(op: Op, x: Any, axis: int | None, keepdims: bool) -> Any:
    x = ew.as_tensor(x)
    if axis is None:
        flat = op(movement.reshape(x, (-1,)), axis=0, keepdims=False)
        return movement.reshape(flat, (1,) * len(x.shape)) if keepdims else flat
    (position,) = normalize_axes(op.name, axis, len(x.shape))
    return op(x, axis=position, keepdims=bool(keepdims))


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Position (int32) of the first largest element over `axis`; over the flattened tensor for None.

    >>> argmax(np.array([[1., 3., 3.]]), axis=-1).tolist()
    [1]
    """
    return _arg(argmax_op, x, axis, keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Position (int32) of the first smallest element over `axis`; over the flattened tensor for None."""
    return _arg(argmin_op, x, axis, keepdims)


def count_nonzero(x: Any, axis: Any = None) -> Any:
    """How many elements differ from zero over `axis`, int32."""
    differs = x if ew.common_dtype(x) == "bool" else ew.not_equal(x, 0)
    return sum(ew.cast(differs, "int32"), axis=axis)


assert builtins.sum is not sum
