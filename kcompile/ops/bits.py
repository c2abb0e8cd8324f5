"""The bits of numbers read as numbers of another dtype."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import ShapeError, message
from kcompile.ir import loops
from kcompile.ir.graph import Value
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import bitwise, joining, movement, reduce, subscript
from kcompile.ops import elementwise as ew

# A float dtype -> the unsigned ints of its bits, the scalar operations there and back.
BITS = {"float32": ("uint32", "f32_bits", "bits_f32"), "float64": ("uint64", "f64_bits", "bits_f64")}
FLOATS = {bits: dtype for dtype, (bits, *_) in BITS.items()}
HALF_UNITS = {"float16": 1 << 13, "bfloat16": 1 << 16}  # their last places, among the bits of a float32
INFINITY, SMALLEST = 0x7F800000, 0x38800000  # float32's bits of infinity, of float16's least normal number
REBIAS = (127 - 15) << 10  # float16's exponents count from elsewhere

to_bits_op = Op("to_bits", cheap=True)
"""The bits of a float as an unsigned int."""
from_bits_op = Op("from_bits", cheap=True)
"""The float that the bits of an unsigned int stand for."""


@to_bits_op.infer
def _to_infer(x: TensorType) -> TensorType:
    return TensorType(x.shape, BITS[x.dtype][0])


@to_bits_op.reference
def _to_reference(x: np.ndarray) -> np.ndarray:
    return x.view(BITS[dtypes.standardize(x.dtype)][0])


@to_bits_op.vjp
def _to_vjp(dy: Any, y: Any, x: Any) -> tuple[None]:
    return (None,)


@to_bits_op.scalar
def _to_scalar(i: Index, x: Any, *, out: TensorType) -> Expr:
    value = x(i)
    return loops.apply(BITS[value.dtype][1], value, dtype=out.dtype)


@to_bits_op.onnx
def _to_onnx(g: Any, x: str) -> str:
    return g.bit_cast(x, BITS[g.dtype(x)][0])


@to_bits_op.samples
def _to_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((np.array([0.0, -0.0, 1.5, -2.25, np.inf, 1e-42], "float32"),), {}, "float32")
    yield Sample((rng.normal(size=(2, 3)),), {}, "float64")


@from_bits_op.infer
def _from_infer(x: TensorType) -> TensorType:
    return TensorType(x.shape, FLOATS[x.dtype])


@from_bits_op.reference
def _from_reference(x: np.ndarray) -> np.ndarray:
    return x.view(FLOATS[x.dtype.name])


@from_bits_op.vjp
def _from_vjp(dy: Any, y: Any, x: Any) -> tuple[None]:
    return (None,)


@from_bits_op.scalar
def _from_scalar(i: Index, x: Any, *, out: TensorType) -> Expr:
    return loops.apply(BITS[out.dtype][2], x(i), dtype=out.dtype)


@from_bits_op.onnx
def _from_onnx(g: Any, x: str) -> str:
    return g.bit_cast(x, FLOATS[g.dtype(x)])


@from_bits_op.samples
def _from_samples(rng: np.random.Generator) -> Iterator[Sample]:
    numbers = np.array([0.0, -0.0, 1.5, -2.25, np.inf, 3e38], "float32")
    yield Sample((numbers.view("uint32"),), {}, "uint32")
    yield Sample((rng.normal(size=(2, 3)).view("uint64"),), {}, "uint64")


# --- view ---------------------------------------------------------------------------------------------------


def view(x: Any, dtype: Any = None) -> Any:
    """x with its bits read as another dtype.

    Shapes:  a dtype of the same width keeps the shape; of a smaller one there are more along the last axis,
             of a wider one fewer.
    Raises:  ValueError if the last axis does not come out even.

    >>> view(np.array([1.0, 2.0], "float32"), "int32").tolist()
    [1065353216, 1073741824]
    """
    x = ew.as_tensor(x)
    own = dtypes.standardize(x.dtype)
    name = own if dtype is None else dtypes.standardize(dtype)
    if name == own:
        return x
    _check_widths(x, own, name)
    if name == "bool":
        return ew.not_equal(view(x, "uint8"), 0)
    if not isinstance(x, Value):
        return np.ascontiguousarray(x).view(dtypes.numpy_dtype(name)) if x.ndim else x.view(name)
    return _from_unsigned(_resized(_as_unsigned(x, own), name), name)


def _check_widths(x: Any, own: str, name: str) -> None:
    before, after = dtypes.itemsize(own), dtypes.itemsize(name)
    if before == after:
        return
    if not x.shape:
        raise ValueError(
            f"view: a 0-d tensor can only be viewed as a dtype of the same width. Received: {own} as {name}"
        )
    last = x.shape[-1]
    if after > before and isinstance(last, int) and last * before % after:
        raise ValueError(
            f"view: the bytes of the last axis must be a multiple of {after} to be viewed as {name}. "
            f"Received: {own} of shape {tuple(x.shape)}"
        )


def _unsigned(dtype: str) -> str:
    return f"uint{8 * dtypes.itemsize(dtype)}"


def _as_unsigned(x: Any, own: str) -> Any:
    if own in HALF_UNITS:
        wide = to_bits_op(ew.cast(x, "float32"))
        return ew.cast(_float16_bits(wide) if own == "float16" else _bfloat16_bits(wide), "uint16")
    return to_bits_op(x) if dtypes.is_float(own) else ew.cast(x, _unsigned(own))


def _from_unsigned(x: Any, name: str) -> Any:
    if name in HALF_UNITS:
        word = ew.cast(x, "uint32")
        wide = _of_float16_bits(word) if name == "float16" else bitwise.left_shift(word, 16)
        return ew.cast(from_bits_op(wide), name)
    return from_bits_op(x) if dtypes.is_float(name) else ew.cast(x, name)


def _rounded(bits: Any, places: int) -> Any:
    """Without the last places, ties to even: what a kernel has not stored may have more of them."""
    odd = bitwise.bitwise_and(bitwise.right_shift(bits, places), 1)
    return bitwise.right_shift(ew.add(bits, ew.add(odd, (1 << places - 1) - 1)), places)


def _bfloat16_bits(bits: Any) -> Any:
    """From the bits of a float32. A NaN keeps its upper ones: the half that it was has no more."""
    is_nan = ew.greater(bitwise.bitwise_and(bits, 0x7FFFFFFF), INFINITY)
    return ew.where(is_nan, bitwise.right_shift(bits, 16), _rounded(bits, 16))


def _float16_bits(bits: Any) -> Any:
    """From the bits of a float32."""
    sign = bitwise.bitwise_and(bitwise.right_shift(bits, 16), 0x8000)
    size = bitwise.bitwise_and(bits, 0x7FFFFFFF)
    tiny = ew.cast(ew.round(ew.multiply(from_bits_op(size), 2.0**24)), "uint32")  # a multiple of 2**-24
    normal = ew.minimum(ew.subtract(_rounded(size, 13), REBIAS), 0x7C00)
    found = ew.where(ew.less(size, SMALLEST), tiny, normal)
    nan = bitwise.bitwise_and(bitwise.right_shift(size, 13), 0x7FFF)
    return bitwise.bitwise_or(sign, ew.where(ew.greater(size, INFINITY), nan, found))


def _of_float16_bits(word: Any) -> Any:
    """The bits of the float32 of the same value."""
    sign = bitwise.left_shift(bitwise.bitwise_and(word, 0x8000), 16)
    size = bitwise.bitwise_and(word, 0x7FFF)
    tiny = to_bits_op(ew.multiply(ew.cast(size, "float32"), 2.0**-24))
    normal = bitwise.left_shift(ew.add(size, REBIAS), 13)
    special = bitwise.bitwise_or(bitwise.left_shift(size, 13), INFINITY)
    wide = ew.where(ew.less(size, 0x400), tiny, ew.where(ew.less(size, 0x7C00), normal, special))
    return bitwise.bitwise_or(sign, wide)


def _resized(x: Any, name: str) -> Any:
    """Unsigned ints as unsigned ints of the width of `name`; the lowest byte comes first in memory."""
    before, after = dtypes.itemsize(dtypes.standardize(x.dtype)), dtypes.itemsize(name)
    wanted = _unsigned(name)
    if before > after:
        count = before // after
        parts = [ew.cast(bitwise.right_shift(x, 8 * after * k), wanted) for k in range(count)]
        return movement.reshape(joining.stack(parts, axis=-1), (*x.shape[:-1], x.shape[-1] * count))
    if before < after:
        count = after // before
        if not isinstance(x.shape[-1], int):
            raise ShapeError(message("view: the last dimension must be known.", received=f"{x.shape}"))
        rows = movement.reshape(x, (*x.shape[:-1], x.shape[-1] // count, count))
        parts = [
            bitwise.left_shift(ew.cast(subscript.getitem(rows, (..., k)), wanted), 8 * before * k)
            for k in range(count)
        ]
        return reduce.sum(joining.stack(parts, axis=0), axis=0)
    return x


def nextafter(x1: Any, x2: Any) -> Any:
    """The next number after x1 in the direction of x2.

    >>> float(nextafter(np.float32(1), np.float32(2))) - 1 == 2.0**-23
    True
    """
    a, b = ew.operands(x1, x2, dtype=ew.float_of(ew.common_dtype(x1, x2)))
    if not isinstance(a, Value) and not isinstance(b, Value):
        return np.nextafter(a, b)
    own = dtypes.standardize(a.dtype)
    a, b = (x if own in BITS else ew.cast(x, "float32") for x in (a, b))  # which holds all halves
    wide, unit = dtypes.standardize(a.dtype), HALF_UNITS.get(own, 1)
    a = ew.where(ew.equal(b, b), a, a) if tuple(a.shape) != tuple(b.shape) else a  # as large as both
    bits = view(a, BITS[wide][0].removeprefix("u"))
    away = ew.equal(ew.greater(b, a), ew.greater(a, 0))  # from zero
    moved = view(ew.add(bits, ew.where(away, unit, -unit)), wide)
    small = dtypes.numpy_dtype(own).type
    least = ew.multiply(ew.where(ew.greater(b, a), 1.0, -1.0), float(np.nextafter(small(0), small(1))))
    if own == "float16":  # subnormal numbers and infinity have other neighbours there than in float32
        size, top = ew.absolute(a), float(np.finfo(own).max)
        even = ew.logical_or(size < 2.0**-14, ew.logical_and(ew.equal(size, 2.0**-14), ew.logical_not(away)))
        moved = ew.where(even, ew.add(a, least), moved)
        moved = ew.where(away, moved, ew.maximum(ew.minimum(moved, top), -top))
    moved = ew.where(ew.equal(a, 0), least, moved)
    unknown = ew.logical_or(ew.isnan(a), ew.isnan(b))
    return ew.cast(ew.where(unknown, ew.add(a, b), ew.where(ew.equal(a, b), b, moved)), own)
