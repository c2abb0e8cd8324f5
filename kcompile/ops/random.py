"""Random numbers as functions of a key: element n of a draw is Philox at counter n, whoever computes it.

A key is a pair (2,) uint32: the seed, and the number of draws before. Nothing is stored for a backward pass,
and results do not depend on threads. A draw has at most 2 ** 32 elements.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import ArgumentError, ShapeError, message
from kcompile.core.symbolic import Int
from kcompile.ir import loops
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample, constant, unwrap
from kcompile.ir.types import Shape, TensorType
from kcompile.kernels.random.philox import philox2x32
from kcompile.ops import elementwise as ew
from kcompile.ops import movement, order, reduce, special

random_bits_op = Op("random_bits", cheap=True)
random_uniform_op = Op("random_uniform", cheap=True)

SECOND_WORD = 1 << 31  # set in the upper counter word: another number of the same element
FRACTION_BITS = {"float16": 11, "bfloat16": 8}  # so that rounding never gives 1


def _check_key(op: str, key: TensorType) -> None:
    if key.shape != (2,) or key.dtype != "uint32":
        raise ShapeError(
            message(f"{op}: a key is a pair of uint32.", expected="uint32[2]", received=f"{key!r}")
        )


def _words(key: np.ndarray, shape: Any, offset: int = 0) -> np.ndarray:
    positions = np.arange(math.prod(shape), dtype=np.int64)
    return philox2x32(positions, np.int64(key[1]) + offset, key[0])[0].reshape(shape)


def _word(i: Index, key: Any, out: TensorType, name: str, dtype: str, offset: int = 0) -> Expr:
    position = loops.index(movement.flat_index(i, out.shape), "uint32")
    high = key((1,))
    if offset:
        high = loops.apply("add", high, loops.const(offset, "uint32"))
    return loops.apply(name, position, high, key((0,)), dtype=dtype)


# --- bits ---------------------------------------------------------------------------------------------------


@random_bits_op.infer
def _bits_infer(key: TensorType, *, shape: Shape) -> TensorType:
    _check_key("random_bits", key)
    return TensorType(tuple(shape), "uint32")


@random_bits_op.reference
def _bits_reference(key: np.ndarray, *, shape: Any) -> np.ndarray:
    return _words(key, shape)


@random_bits_op.vjp
def _bits_vjp(dy: Any, y: Any, key: Any, *, shape: Shape) -> tuple[None]:
    return (None,)


@random_bits_op.scalar
def _bits_scalar(i: Index, key: Any, *, out: TensorType, shape: Shape) -> Expr:
    return _word(i, key, out, "philox_bits", "uint32")


@random_bits_op.samples
def _bits_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((np.array([7, 3], "uint32"),), {"shape": (2, 3)})
    yield Sample((np.array([2**32 - 1, 2**31], "uint32"),), {"shape": ()}, "one")


# --- uniform ------------------------------------------------------------------------------------------------


@random_uniform_op.infer
def _uniform_infer(key: TensorType, *, shape: Shape, dtype: str) -> TensorType:
    _check_key("random_uniform", key)
    return TensorType(tuple(shape), dtype)


@random_uniform_op.reference
def _uniform_reference(key: np.ndarray, *, shape: Any, dtype: str) -> np.ndarray:
    word = _words(key, shape)
    if dtype == "float64":
        tail = _words(key, shape, SECOND_WORD) >> np.uint32(11)
        return word * 2.0**-32 + tail * 2.0**-53
    bits = FRACTION_BITS.get(dtype, 24)
    return (word >> np.uint32(32 - bits)).astype(np.float32) * np.float32(2.0**-bits)


@random_uniform_op.vjp
def _uniform_vjp(dy: Any, y: Any, key: Any, *, shape: Shape, dtype: str) -> tuple[None]:
    return (None,)


@random_uniform_op.scalar
def _uniform_scalar(i: Index, key: Any, *, out: TensorType, shape: Shape, dtype: str) -> Expr:
    if dtype == "float64":
        word = loops.cast(_word(i, key, out, "philox_bits", "uint32"), dtype)
        second = loops.cast(_word(i, key, out, "philox_bits", "uint32", SECOND_WORD), dtype)
        tail = loops.apply("floor", loops.apply("mul", second, loops.const(2.0**-11, dtype)))
        scaled = (
            loops.apply("mul", w, loops.const(f, dtype)) for w, f in ((word, 2.0**-32), (tail, 2.0**-53))
        )
        return loops.apply("add", *scaled)
    u = _word(i, key, out, "philox_uniform", "float32")
    if dtype not in FRACTION_BITS:
        return u
    bits = FRACTION_BITS[dtype]
    whole = loops.apply("floor", loops.apply("mul", u, loops.const(2.0**bits, "float32")))
    return loops.cast(loops.apply("mul", whole, loops.const(2.0**-bits, "float32")), dtype)


@random_uniform_op.samples
def _uniform_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for dtype in ("float32", "float64", "float16"):
        yield Sample((np.array([1234, 5], "uint32"),), {"shape": (3, 4), "dtype": dtype}, dtype)
    yield Sample((np.array([0, 2**32 - 1], "uint32"),), {"shape": (), "dtype": "float32"}, "one")


# --- distributions ------------------------------------------------------------------------------------------


def _shape(shape: Any) -> Shape:
    dims = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if any(isinstance(d, (int, np.integer)) and d < 0 for d in dims):
        raise ArgumentError(
            message("The dimensions of random tensors must be at least 0.", received=f"shape={shape}")
        )
    return dims


def _draw(op: Op, key: Any, shape: Any, **attrs: Any) -> Any:
    dims, key = _shape(shape), unwrap(key)
    if any(isinstance(d, Int) for d in dims):  # a traced shape makes a traced draw, whatever the key is
        key = constant(key)
    return op(key, shape=dims, **attrs)


def bits(key: Any, shape: Any) -> Any:
    """Random words, uint32.

    >>> bits(np.array([7, 0], "uint32"), (2,)).dtype
    dtype('uint32')
    """
    return _draw(random_bits_op, key, shape)


def uniform(key: Any, shape: Any, dtype: Any = None) -> Any:
    """Random floats in [0, 1), multiples of 2 ** -24 (float64: 2 ** -53)."""
    return _draw(random_uniform_op, key, shape, dtype=dtypes.standardize(dtype))


def folded(key: Any, number: int) -> Any:
    """Another key, for draws that must not depend on those of `key`."""
    step = np.array([number * 0x9E3779B9 % 2**32, 0], np.uint32)
    return ew.add(key, step)


def computed_in(dtype: str) -> str:
    """What draws of a dtype are computed in: in a half, the steps of a transformation show in its result."""
    return dtypes.promote(dtype, "float32")


def normal(key: Any, shape: Any, dtype: Any = None) -> Any:
    """Random floats with mean 0 and variance 1, by Box and Muller's transformation of two uniform draws."""
    name = dtypes.standardize(dtype)
    u = uniform(key, (2, *_shape(shape)), computed_in(name))
    radius = ew.sqrt(ew.multiply(ew.log(ew.subtract(1.0, u[0])), -2.0))  # 1 - u is never 0
    return ew.cast(ew.multiply(radius, ew.cos(ew.multiply(u[1], 2 * math.pi))), name)


def truncated_normal(key: Any, shape: Any, dtype: Any = None) -> Any:
    """Normal draws that lie within two deviations, by the inverse of the distribution function."""
    edge, name = math.erf(2 / math.sqrt(2)), dtypes.standardize(dtype)
    u = uniform(key, shape, computed_in(name))
    x = ew.multiply(special.erfinv(ew.multiply(ew.subtract(ew.multiply(u, 2.0), 1.0), edge)), math.sqrt(2))
    return ew.cast(ew.minimum(ew.maximum(x, -2.0), 2.0), name)


def bernoulli(key: Any, shape: Any, probability: Any) -> Any:
    """True with the given probability."""
    return ew.less(uniform(key, shape, "float32"), probability)


def randint(key: Any, shape: Any, minval: Any, maxval: Any, dtype: str = "int32") -> Any:
    """Random ints in [minval, maxval), without numbers outside of the dtype's range; minval alone where that
    is empty.

    >>> sorted(set(randint(np.array([7, 0], "uint32"), (100,), -128, -125, "int8").tolist()))
    [-128, -127, -126]
    """
    wide = dtype if dtypes.itemsize(dtype) == 8 else "int64"
    low, high = (ew.as_tensor(v, wide) for v in (minval, maxval))
    if wide != dtype:  # the ends of the others' ranges fit
        low = ew.maximum(low, int(np.iinfo(dtype).min))
        high = ew.minimum(high, int(np.iinfo(dtype).max) + 1)
    # Of two words, since the remainder of one prefers the lower numbers where the range is a part of 2 ** 32.
    word, tail = (ew.cast(bits(k, shape), "uint64") for k in (key, folded(key, 4)))
    span = ew.where(ew.less(low, high), ew.subtract(ew.cast(high, "uint64"), ew.cast(low, "uint64")), 1)
    offset = ew.mod(ew.add(ew.multiply(word, 2**32), tail), ew.cast(span, "uint64"))
    return ew.cast(ew.add(ew.cast(offset, wide), low), dtype)  # int64 wraps round, back into the range


def gumbel(key: Any, shape: Any, dtype: Any = None) -> Any:
    """-log(-log(u)) of uniform draws: the largest of logits plus these is a draw of softmax(logits)."""
    return ew.negative(ew.log(ew.negative(ew.log(uniform(key, shape, dtype)))))


def categorical(key: Any, logits: Any, num_samples: int, dtype: str = "int32") -> Any:
    """Class numbers drawn with the probabilities softmax(logits): logits (b, c) -> (b, num_samples)."""
    logits = ew.as_tensor(logits)
    b, c = logits.shape
    # Draws of a half have too few steps: of many classes, those with the highest noise would tie.
    noise = gumbel(key, (b, num_samples, c), computed_in(ew.float_of(ew.common_dtype(logits))))
    return ew.cast(reduce.argmax(ew.add(movement.expand_dims(logits, 1), noise), axis=-1), dtype)


def dropout(key: Any, inputs: Any, rate: float, noise_shape: Any = None) -> Any:
    """inputs / (1 - rate), zero with probability `rate`; one choice where noise_shape is 1."""
    x = ew.as_tensor(inputs)
    if rate >= 1.0:
        return ew.where(False, x, ew.zero_like(x))
    if rate <= 0.0:
        return x
    given = (None,) * len(x.shape) if noise_shape is None else tuple(noise_shape)
    given = (*(1,) * (len(x.shape) - len(given)), *given)
    noise = tuple(d if n is None else n for n, d in zip(given, x.shape, strict=True))
    keep = bernoulli(key, noise, 1.0 - rate)
    return ew.where(keep, ew.multiply(x, 1.0 / (1.0 - rate)), ew.zero_like(x))


ATTEMPTS = 8  # each is accepted with at least 95 percent: one draw in 2e10 is left with its last candidate


def _gamma_factors(key: Any, dims: Shape, alpha: Any, name: str) -> tuple[Any, Any]:
    """What a gamma draw is the product of: a number > 0, and one in (0, 1] by its logarithm, which for a
    small alpha lies far below what a float can hold."""
    small = ew.less(alpha, 1.0)
    d = ew.subtract(ew.where(small, ew.add(alpha, 1.0), alpha), 1.0 / 3.0)
    x, u = normal(key, (ATTEMPTS, *dims), name), uniform(folded(key, 1), (ATTEMPTS, *dims), name)
    base = ew.add(ew.multiply(x, ew.rsqrt(ew.multiply(d, 9.0))), 1.0)
    v = ew.multiply(ew.square(base), base)
    inside = ew.greater(v, 0.0)
    safe = ew.where(inside, v, 1.0)
    bound = ew.add(
        ew.multiply(ew.square(x), 0.5), ew.multiply(d, ew.add(ew.subtract(1.0, safe), ew.log(safe)))
    )
    accepted = ew.logical_and(inside, ew.less(ew.log(u), bound))
    log_boost = ew.true_divide(ew.log(ew.subtract(1.0, uniform(folded(key, 2), dims, name))), alpha)
    return ew.multiply(first_accepted(accepted, safe), d), ew.where(small, log_boost, 0.0)


def first_accepted(accepted: Any, candidates: Any) -> Any:
    """The first of the candidates along axis 0 that is accepted; the last one where none is."""
    count, *dims = accepted.shape
    number = np.arange(count, dtype=np.int32).reshape((-1,) + (1,) * len(dims))
    first = reduce.min(ew.where(accepted, number, count - 1), axis=0)
    return reduce.sum(ew.where(ew.equal(number, first), candidates, ew.zero_like(candidates)), axis=0)


def gamma(key: Any, shape: Any, alpha: Any, dtype: Any = None) -> Any:
    """Gamma draws of the given shape parameter and scale 1.

    Source: G. Marsaglia, W. Tsang, "A simple method for generating gamma variables", ACM TOMS 26 (2000).
    """
    name = dtypes.standardize(dtype)
    wide = computed_in(name)
    value, log_boost = _gamma_factors(key, _shape(shape), ew.as_tensor(alpha, wide), wide)
    return ew.cast(ew.multiply(value, ew.exp(log_boost)), name)


def beta(key: Any, shape: Any, alpha: Any, beta: Any, dtype: Any = None) -> Any:
    """Beta draws, as the share of one gamma draw in the sum of two: by their logarithms, since both may be
    too small for a float."""
    name, logs = dtypes.standardize(dtype), []
    wide = computed_in(name)
    for k, parameter in ((key, alpha), (folded(key, 3), beta)):
        value, log_boost = _gamma_factors(k, _shape(shape), ew.as_tensor(parameter, wide), wide)
        logs.append(ew.add(ew.log(value), log_boost))
    return ew.cast(ew.sigmoid(ew.subtract(*logs)), name)


def permutation(key: Any, count: int) -> Any:
    """The numbers 0 ... count - 1 in random order, int32."""
    return order.argsort(bits(key, (count,)))
