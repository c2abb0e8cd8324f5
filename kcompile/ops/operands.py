"""What elementwise ops share: operands and their dtype, broadcasting, registration of an op as one row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import ArgumentError, ComplexNumbersError
from kcompile.core.symbolic import Int
from kcompile.ir import loops
from kcompile.ir.graph import Value
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample, unwrap
from kcompile.ir.traits import NONE, Traits
from kcompile.ir.types import TensorType, broadcast_shapes

Rule = Callable[..., Any]


def aligned(i: Index, shape: tuple[int | Int, ...]) -> Index:
    """The index of an operand of `shape` that broadcasts to an output index."""
    tail = i[len(i) - len(shape) :] if shape else ()
    return tuple(0 if d == 1 else k for d, k in zip(shape, tail, strict=True))


def unbroadcast(dy: Any, shape: tuple[int | Int, ...]) -> Any:
    """Sum a cotangent over the axes along which an operand of `shape` was broadcast."""
    from kcompile.ops import movement, reduce

    if tuple(dy.shape) == tuple(shape):
        return dy
    extra = len(dy.shape) - len(shape)
    axes = [k for k in range(len(dy.shape)) if k < extra or (shape[k - extra] == 1 and dy.shape[k] != 1)]
    summed = reduce.sum(dy, axis=tuple(axes)) if axes else dy
    return movement.reshape(summed, shape)


def dtype_of(x: Any) -> str | None:
    """The dtype of an operand; None for Python numbers, which adapt to the other operand."""
    if isinstance(x, bool):
        return "bool"
    if isinstance(x, (int, float)) and not isinstance(x, np.generic):
        return None
    if isinstance(x, Value):
        return x.dtype
    return dtypes.standardize(np.asarray(x).dtype) if isinstance(x, (np.ndarray, np.generic)) else None


def common_dtype(*xs: Any) -> str:
    """The dtype that operands meet in; Python ints never widen, Python floats make ints the default float."""
    xs = tuple(map(unwrap, xs))
    known = [d for d in map(dtype_of, xs) if d is not None]
    if not known:
        known = [dtypes.standardize(python_array(x).dtype) for x in xs]
    result = known[0]
    for d in known[1:]:
        result = dtypes.promote(result, d)
    weak = [x for x in xs if dtype_of(x) is None]
    if any(np.asarray(x).dtype.kind == "f" for x in weak) and not dtypes.is_float(result):
        return dtypes.standardize(None)
    if result == "bool" and any(np.asarray(x).dtype.kind in "iu" for x in weak):
        return "int32"
    return result


_NO_NUMBERS = "OUSMm"  # the kinds of NumPy's dtypes of objects, text and times


def _not_numeric(x: Any) -> ArgumentError:
    kind = (
        "Text" if np.asarray(x).dtype.kind in "US" else f"A {type(x).__name__} of something else than numbers"
    )
    return ArgumentError(f"{kind} is no operand of a numeric op. Received: {x!r:.200}")


def python_array(x: Any) -> np.ndarray:
    if x is None:
        raise ArgumentError("None is not a valid operand; tensors, arrays, numbers and lists of them are.")
    array = np.asarray(x)
    if array.dtype.kind in _NO_NUMBERS:
        raise _not_numeric(x)
    if isinstance(x, (np.ndarray, np.generic)):
        return array
    if array.dtype == np.float64:
        return array.astype(dtypes.numpy_dtype(dtypes.standardize(None)))
    return array.astype(np.int32) if array.dtype == np.int64 else array


def as_tensor(x: Any, dtype: str | None = None) -> Any:
    """An operand as a Value or array of `dtype`."""
    x = unwrap(x)
    if isinstance(x, Value):
        return x if dtype is None or x.dtype == dtype else cast(x, dtype)
    if isinstance(x, Int):
        from kcompile.ops.movement import extent

        return as_tensor(extent(x), dtype)
    if holds_values(x):
        from kcompile.ops.joining import stack

        return as_tensor(stack([as_tensor(part) for part in x]), dtype)
    if dtype is None or x is None:
        return python_array(x)
    array = np.asarray(x)  # a Python float keeps all its digits until it becomes `dtype`
    if array.dtype.kind in _NO_NUMBERS:
        raise _not_numeric(x)
    if array.dtype.kind == "c":
        raise ComplexNumbersError("kernels have no complex numbers; keep real and imaginary parts apart")
    wanted = dtypes.numpy_dtype(dtype)
    return array if array.dtype == wanted else array.astype(wanted)


NUMBERS = (float, int, bool, np.ndarray)  # looked at first: lists of numbers may be long


def holds_values(x: Any) -> bool:
    """Is this a list with values of a trace in it, which stand for one tensor, side by side?"""
    if not isinstance(x, (list, tuple)):
        return False
    others = [part for part in x if type(part) not in NUMBERS]
    return any(isinstance(unwrap(part), Value) or holds_values(part) for part in others)


def operand(x: Any) -> Any:
    """What stands for an operand: an array, a value or Python's numbers."""
    x = unwrap(x)
    return as_tensor(x) if isinstance(x, Int) or holds_values(x) else x


def operands(*xs: Any, dtype: str | None = None) -> tuple[Any, ...]:
    """Operands brought to their common dtype."""
    xs = tuple(operand(x) for x in xs)
    common = dtype or common_dtype(*xs)
    return tuple(as_tensor(x, common) for x in xs)


def float_of(dtype: str) -> str:
    return dtype if dtypes.is_float(dtype) else dtypes.standardize(None)


def number_of(dtype: str) -> str:
    """int32 for bools."""
    return "int32" if dtype == "bool" else dtype


COMPUTED_IN: dict[str, Callable[[str], str]] = {
    "any": lambda dtype: dtype, "number": number_of, "int": lambda dtype: dtype, "float": float_of,
    "bool": lambda dtype: "bool",
}  # fmt: skip


def elementwise(
    name: str,
    reference: Rule,
    scalar: Rule | str,
    vjp: Rule | None,
    *,
    onnx: str | Rule | None = None,
    domain: tuple[float, float] = (-3.0, 3.0),
    arity: int = 1,
    result: str = "same",
    inputs: str = "any",
    cheap: bool = False,
    traits: Traits = NONE,
) -> Callable[..., Any]:
    """Register an elementwise op and return its public function.

    onnx: the name of an ONNX operator, or a rule. result: "same", or "bool" for predicates.
    inputs: "any", "int", "number" (bools become int32), "float" (ints are converted, too) or "bool".
    """
    op = Op(name, cheap=cheap, traits=traits)

    @op.infer
    def infer(*types: TensorType) -> TensorType:
        shape = broadcast_shapes(*(t.shape for t in types), op=name)
        return TensorType(shape, "bool" if result == "bool" else types[-1].dtype)

    op.reference(reference)

    if vjp is not None:
        rule = vjp

        @op.vjp
        def pull_back(dy: Any, y: Any, *xs: Any) -> tuple[Any, ...]:
            found = rule(dy, y, *xs)
            found = found if isinstance(found, tuple) else (found,)
            return tuple(
                None if d is None else unbroadcast(d, x.shape) for d, x in zip(found, xs, strict=True)
            )

    @op.scalar
    def at(i: Index, *xs: Any, out: TensorType) -> Expr:
        args = [x(aligned(i, x.type.shape)) for x in xs]
        if callable(scalar):
            return scalar(*args)
        return loops.apply(scalar, *args, dtype=out.dtype)

    if callable(onnx):
        op.onnx(onnx)
    elif onnx is not None:
        op.onnx(lambda g, *names: g.node(onnx, *names))

    @op.samples
    def samples(rng: np.random.Generator) -> Iterator[Sample]:
        shapes: list[list[Any]] = [
            [(3, 5)] * arity,
            [()] * arity,
            [(0, 2)] * arity,
            [(17,)] * arity,
        ]
        if arity > 1:
            shapes += [[(4, 1)] + [(1, 5)] * (arity - 1), [(2, 3, 4)] + [(4,)] * (arity - 1)]
        for case in shapes:
            yield Sample(
                tuple(sample_array(rng, s, domain, inputs) for s in case), {}, "x".join(map(str, case[0]))
            )

    def function(*xs: Any) -> Any:
        xs = tuple(operand(x) for x in xs)
        dtype = COMPUTED_IN[inputs](common_dtype(*xs))
        return op(*(as_tensor(x, dtype) for x in xs))

    function.__name__ = function.__qualname__ = name
    return function


def sample_array(
    rng: np.random.Generator, shape: Any, domain: tuple[float, float], inputs: str = "any"
) -> np.ndarray:
    if inputs == "bool":
        return rng.random(shape) < 0.5
    if inputs == "int":
        return rng.integers(0, 9, shape).astype(np.int32)
    return rng.uniform(*domain, size=shape).astype(np.float32)


def unary(name: str, reference: Rule, scalar: Rule | str, vjp: Rule | None = None, **options: Any) -> Any:
    call = elementwise(name, reference, scalar, vjp, arity=1, **options)

    def function(x: Any) -> Any:
        return call(x)

    function.__name__ = function.__qualname__ = name
    return function


def binary(name: str, reference: Rule, scalar: Rule | str, vjp: Rule | None = None, **options: Any) -> Any:
    call = elementwise(name, reference, scalar, vjp, arity=2, **options)

    def function(x1: Any, x2: Any) -> Any:
        return call(x1, x2)

    function.__name__ = function.__qualname__ = name
    return function


def const_like(value: float, like: Expr) -> Expr:
    return loops.const(value, like.dtype)


def onnx_number(g: Any, value: Any, like: str) -> str:
    """A number as an ONNX constant with the dtype of tensor `like`."""
    return g.constant(np.array(value, g.dtype(like)))


def zero_like(x: Any) -> Any:
    return as_tensor(0, x.dtype)


# --- casts --------------------------------------------------------------------------------------------------

cast_op = Op("cast", cheap=True, traits=Traits(converts=True))


@cast_op.infer
def _cast_infer(x: TensorType, *, dtype: str) -> TensorType:
    return TensorType(x.shape, dtype)


@cast_op.reference
def _cast_reference(x: np.ndarray, *, dtype: str) -> np.ndarray:
    if not (dtypes.is_float(dtypes.standardize(x.dtype)) and dtypes.is_int(dtype)):
        return x.astype(dtypes.numpy_dtype(dtype))
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    above, below = x >= float(high) + 1, x < low
    inside = np.where(above | below | np.isnan(x), 0, x).astype(dtype)
    return np.where(above, np.array(high, dtype), np.where(below, np.array(low, dtype), inside))


@cast_op.vjp
def _cast_vjp(dy: Any, y: Any, x: Any, *, dtype: str) -> tuple[Any]:
    return (cast(dy, x.dtype) if dtypes.is_float(x.dtype) else None,)


@cast_op.scalar
def _cast_scalar(i: Index, x: Any, *, out: TensorType, dtype: str) -> Expr:
    value = x(i)
    if not (dtypes.is_float(value.dtype) and dtypes.is_int(dtype)) or value.op == "const":
        return loops.cast(value, dtype)
    if dtypes.is_half(value.dtype):
        value = loops.cast(value, "float32")
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    above = loops.apply("ge", value, const_like(float(high) + 1, value), dtype="bool")
    below = loops.apply("lt", value, const_like(float(low), value), dtype="bool")
    number = loops.apply("eq", value, value, dtype="bool")
    inside = loops.select(number, loops.cast(value, dtype), loops.const(0, dtype))
    inside = loops.select(below, loops.const(low, dtype), inside)
    return loops.select(above, loops.const(high, dtype), inside)


@cast_op.onnx
def _cast_onnx(g: Any, x: str, *, dtype: str) -> str:
    return g.cast(x, dtype)


@cast_op.samples
def _cast_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(3, 4)).astype("float32"),), {"dtype": "float64"})
    yield Sample((rng.integers(0, 255, (7,)).astype("uint8"),), {"dtype": "float32"}, "uint8", False)
    yield Sample((rng.normal(size=(5,)).astype("float32") * 9,), {"dtype": "int32"}, "to_int", False)
    yield Sample((rng.normal(size=(5,)).astype("float32") > 0,), {"dtype": "float32"}, "bool", False)


def cast(x: Any, dtype: Any) -> Any:
    """x converted to `dtype`; floats are truncated towards zero when they become ints, those outside of the
    ints' range become the nearest one, and NaN 0. Ints outside of the range wrap around.

    >>> cast(np.array([1.7, -1.7, 3e9], "float32"), "int32").tolist()
    [1, -1, 2147483647]
    """
    x = as_tensor(x)
    name = dtypes.standardize(dtype)
    return x if dtypes.standardize(x.dtype) == name else cast_op(x, dtype=name)
