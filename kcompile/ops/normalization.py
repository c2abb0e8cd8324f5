"""Moments, and normalization over a batch, over features, or to unit length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kcompile.core import config, dtypes
from kcompile.core.errors import BroadcastError, message
from kcompile.core.open_extents import all_fit, fit
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType, broadcast_shapes
from kcompile.ops import elementwise as ew
from kcompile.ops import matrices, movement, reduce
from kcompile.ops.composite import floating

batch_normalization_op = Op("batch_normalization")
layer_normalization_op = Op("layer_normalization")
rms_normalization_op = Op("rms_normalization")

# An affine part is optional: `parts` says which of scale and offset follow x among the inputs.
Parts = tuple[str, ...]


def _along(x: Any, v: Any, axes: Sequence[int]) -> Any:
    """v, whose dimensions are the `axes` of x, shaped to broadcast with x."""
    return movement.reshape(v, tuple(d if k in axes else 1 for k, d in enumerate(x.shape)))


def _named(parts: Parts, rest: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(parts, rest, strict=True))


def _affine(y: Any, x: Any, axes: Sequence[int], parts: Parts, rest: tuple[Any, ...]) -> Any:
    named = _named(parts, rest)
    if "scale" in named:
        y = y * _along(x, named["scale"], axes)
    return y + _along(x, named["offset"], axes) if "offset" in named else y


def _check_parts(op: str, x: TensorType, axes: Sequence[int], rest: Sequence[TensorType]) -> None:
    wanted = tuple(x.shape[a] for a in axes)
    for part in rest:
        if not all_fit(part.shape, wanted):
            raise BroadcastError(
                message(
                    f"{op}: scale, offset and moments must have the shape of the normalized axes.",
                    expected=f"{wanted} for {x!r}",
                    received=f"{part!r}",
                )
            )


# --- moments ------------------------------------------------------------------------------------------------


def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> tuple[Any, Any]:
    """Mean and population variance over `axes`. Half precision is computed in float32.

    >>> [m.tolist() for m in moments(np.array([1.0, 3.0]), axes=[0])]
    [2.0, 1.0]
    """
    if synchronized:
        raise NotImplementedError("moments: synchronized=True needs several devices; there is one.")
    x = floating(x)
    dtype = dtypes.standardize(x.dtype)
    wide = ew.as_tensor(x, "float32") if dtype in ("float16", "bfloat16") else x
    mean = reduce.mean(wide, axis=axes, keepdims=keepdims)
    variance = reduce.variance(wide, axis=axes, keepdims=keepdims)
    return _narrow(mean, dtype), _narrow(variance, dtype)


def _is_number(epsilon: Any) -> bool:
    """Is it known now? If not, it is a tensor: of the run, or several that broadcast."""
    return np.isscalar(epsilon) or (isinstance(epsilon, np.ndarray) and epsilon.ndim == 0)


def _narrow(x: Any, dtype: str) -> Any:
    """A float32 moment in half precision, without overflow to infinity."""
    if dtype not in ("float16", "bfloat16"):
        return x
    top = float(np.finfo(np.float16).max)
    return ew.cast(ew.minimum(ew.maximum(x, -top), top), dtype)


# --- batch normalization ------------------------------------------------------------------------------------


@batch_normalization_op.infer
def _batch_infer(
    x: TensorType,
    mean: TensorType,
    variance: TensorType,
    *rest: TensorType,
    axis: int,
    epsilon: float,
    parts: Parts,
) -> TensorType:
    _check_parts("batch_normalization", x, (axis,), (mean, variance, *rest))
    return x


@batch_normalization_op.reference
def _batch_reference(
    x: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    *rest: np.ndarray,
    axis: int,
    epsilon: float,
    parts: Parts,
) -> np.ndarray:
    y = (x - _along(x, mean, (axis,))) / np.sqrt(_along(x, variance, (axis,)) + epsilon)
    return _affine(y, x, (axis,), parts, rest)


@batch_normalization_op.decompose
def _batch_decompose(
    x: Any, mean: Any, variance: Any, *rest: Any, axis: int, epsilon: float, parts: Parts
) -> Any:
    # One product and one sum per element; what belongs to a channel is computed once per channel.
    named = _named(parts, rest)
    factor = ew.rsqrt(ew.add(variance, epsilon))
    if "scale" in named:
        factor = ew.multiply(factor, named["scale"])
    term = ew.negative(ew.multiply(mean, factor))
    if "offset" in named:
        term = ew.add(term, named["offset"])
    return ew.add(ew.multiply(x, _along(x, factor, (axis,))), _along(x, term, (axis,)))


@batch_normalization_op.onnx
def _batch_onnx(
    g: Any, x: str, mean: str, variance: str, *rest: str, axis: int, epsilon: float, parts: Parts
) -> str:
    shape, dtype, named = g.shape(x), g.dtype(x), _named(parts, rest)
    scale = named.get("scale") or g.constant(np.ones(g.shape(mean), dtype))
    offset = named.get("offset") or g.constant(np.zeros(g.shape(mean), dtype))
    order = [axis, *(k for k in range(len(shape)) if k != axis)]  # the channels second, as ONNX has them
    order = [order[1], order[0], *order[2:]] if len(order) > 1 else order
    t = x if order == list(range(len(shape))) else g.transpose(x, order)
    y = g.node("BatchNormalization", t, scale, offset, mean, variance, epsilon=epsilon)
    return y if t is x else g.transpose(y, [int(k) for k in np.argsort(order)])


@batch_normalization_op.samples
def _batch_samples(rng: np.random.Generator) -> Iterator[Sample]:
    def of(n: int) -> np.ndarray:
        return rng.uniform(0.5, 1.5, n).astype("float32")

    x = rng.normal(size=(4, 3, 5)).astype("float32")
    yield Sample((x, of(5), of(5), of(5), of(5)), {"axis": 2, "epsilon": 1e-3, "parts": ("scale", "offset")})
    yield Sample((x, of(3), of(3), of(3)), {"axis": 1, "epsilon": 0.1, "parts": ("offset",)}, "offset")
    yield Sample((x[:, 0], of(5), of(5)), {"axis": 1, "epsilon": 0.1, "parts": ()}, "plain")


def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> Any:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset, with one mean ... per index on `axis`.

    Shapes:  x (a..., c, b...), the others (c,) -> as x.
    """
    given = {"scale": scale, "offset": offset}
    parts = tuple(name for name, v in given.items() if v is not None)
    x, mean, variance, *rest = ew.operands(x, mean, variance, *(given[p] for p in parts))
    k = movement.check_axis("batch_normalization", axis, len(x.shape))
    x, mean, variance, *rest = (floating(t) for t in (x, mean, variance, *rest))
    if not _is_number(epsilon):
        apart = ew.add(_along(x, variance, (k,)), ew.as_tensor(epsilon, dtypes.standardize(variance.dtype)))
        variance, epsilon = movement.reshape(apart, variance.shape), 0.0
    tensors = (x, mean, variance, *rest)
    return batch_normalization_op(*tensors, axis=k, epsilon=float(epsilon), parts=parts)


# --- layer normalization ------------------------------------------------------------------------------------


@layer_normalization_op.infer
def _layer_infer(
    x: TensorType, *rest: TensorType, axes: tuple[int, ...], epsilon: float, parts: Parts
) -> TensorType:
    _check_parts("layer_normalization", x, axes, rest)
    return x


@layer_normalization_op.reference
def _layer_reference(
    x: np.ndarray, *rest: np.ndarray, axes: tuple[int, ...], epsilon: float, parts: Parts
) -> np.ndarray:
    centred = x - np.mean(x, axis=axes, keepdims=True)
    y = centred / np.sqrt(np.mean(centred**2, axis=axes, keepdims=True) + epsilon)
    return _affine(y, x, axes, parts, rest)


@layer_normalization_op.decompose
def _layer_decompose(x: Any, *rest: Any, axes: tuple[int, ...], epsilon: float, parts: Parts) -> Any:
    centred = ew.subtract(x, reduce.mean(x, axis=axes, keepdims=True))
    spread = reduce.variance(x, axis=axes, keepdims=True)
    return _affine(ew.multiply(centred, ew.rsqrt(ew.add(spread, epsilon))), x, axes, parts, rest)


@layer_normalization_op.onnx
def _layer_onnx(
    g: Any, x: str, *rest: str, axes: tuple[int, ...], epsilon: float, parts: Parts
) -> str | None:
    shape, named = g.shape(x), _named(parts, rest)
    if axes != tuple(range(axes[0], len(shape))):
        return None  # ONNX normalizes the last axes only
    scale = named.get("scale") or g.constant(np.ones([shape[a] for a in axes], g.dtype(x)))
    offset = (named["offset"],) if "offset" in named else ()
    return g.node("LayerNormalization", x, scale, *offset, axis=axes[0], epsilon=epsilon)


def _feature_samples(parts: Parts, rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.normal(size=(2, 3, 5)).astype("float32")

    def attrs(axes: tuple[int, ...], used: Parts) -> dict[str, Any]:
        return {"axes": axes, "epsilon": 1e-3, "parts": used}

    def affine(shape: tuple[int, ...], used: Parts) -> tuple[np.ndarray, ...]:
        return tuple(rng.uniform(0.5, 1.5, shape).astype("float32") for _ in used)

    yield Sample((x, *affine((5,), parts)), attrs((2,), parts), "last")
    yield Sample((x, *affine((3, 5), parts)), attrs((1, 2), parts), "two")
    yield Sample((x, *affine((3,), parts)), attrs((1,), parts), "middle")
    yield Sample((x,), attrs((2,), ()), "plain")


@layer_normalization_op.samples
def _layer_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield from _feature_samples(("scale", "offset"), rng)


def layer_normalization(
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    axis: Any = -1,
    epsilon: float | None = None,
    rms_scaling: bool = False,
) -> Any:
    """x with mean 0 and variance 1 over `axis`, times gamma, plus beta. Half precision computes in float32.

    Shapes:  gamma and beta have the dimensions of x on `axis`, or broadcast with x.

    >>> layer_normalization(np.array([0.0, 1.0, 2.0]), epsilon=0.0).round(4).tolist()
    [-1.2247, 0.0, 1.2247]
    """
    if rms_scaling:  # Keras's older spelling: scaled by the deviation, nothing subtracted or added
        x, used = ew.as_tensor(x), config.epsilon() if epsilon is None else epsilon
        y = ew.multiply(x, ew.rsqrt(ew.add(reduce.variance(x, axis=axis, keepdims=True), used)))
        axes = reduce.normalize_axes("layer_normalization", axis, len(x.shape))
        return y if gamma is None else ew.multiply(y, _along(x, ew.as_tensor(gamma), axes))
    return _over_features(layer_normalization_op, x, {"scale": gamma, "offset": beta}, axis, epsilon)


def _over_features(op: Op, x: Any, given: dict[str, Any], axis: Any, epsilon: float | None) -> Any:
    x = ew.as_tensor(x)
    dtype = dtypes.standardize(x.dtype)
    axes = reduce.normalize_axes(op.name, axis, len(x.shape))
    wide = dtypes.promote(dtype, "float32")
    wanted = tuple(x.shape[a] for a in axes)
    rest = {name: ew.as_tensor(v, wide) for name, v in given.items() if v is not None}
    epsilon = config.epsilon() if epsilon is None else epsilon
    form: Any = op
    if _is_number(epsilon):
        epsilon = float(epsilon)
    else:
        epsilon, form = ew.as_tensor(epsilon, wide), op.rules["decompose"]
    whole = op is layer_normalization_op and axes != (
        len(x.shape) - 1,
    )  # parts of another rank are of `axis`
    if all(_is_of(v.shape, wanted) or (whole and len(v.shape) != len(x.shape)) for v in rest.values()):
        parts = [movement.reshape(v, wanted) for v in rest.values()]
        y = form(ew.as_tensor(x, wide), *parts, axes=axes, epsilon=epsilon, parts=tuple(rest))
    else:
        broadcast_shapes(x.shape, *(v.shape for v in rest.values()), op=op.name)
        y = form(ew.as_tensor(x, wide), axes=axes, epsilon=epsilon, parts=())
        y = ew.multiply(y, rest["scale"]) if "scale" in rest else y
        y = ew.add(y, rest["offset"]) if "offset" in rest else y
    return ew.cast(y, dtype)


def _is_of(shape: Any, wanted: Any) -> bool:
    """Has a part of the normalization the dimensions of the normalized axes? If not, it broadcasts with x."""
    return len(shape) == len(wanted) and all(map(fit, shape, wanted))


# --- root mean square normalization -------------------------------------------------------------------------


@rms_normalization_op.infer
def _rms_infer(
    x: TensorType, *rest: TensorType, axes: tuple[int, ...], epsilon: float, parts: Parts
) -> TensorType:
    _check_parts("rms_normalization", x, axes, rest)
    return x


@rms_normalization_op.reference
def _rms_reference(
    x: np.ndarray, *rest: np.ndarray, axes: tuple[int, ...], epsilon: float, parts: Parts
) -> np.ndarray:
    return _affine(x / np.sqrt(np.mean(x**2, axis=axes, keepdims=True) + epsilon), x, axes, parts, rest)


@rms_normalization_op.decompose
def _rms_decompose(x: Any, *rest: Any, axes: tuple[int, ...], epsilon: float, parts: Parts) -> Any:
    power = reduce.mean(ew.square(x), axis=axes, keepdims=True)
    return _affine(ew.multiply(x, ew.rsqrt(ew.add(power, epsilon))), x, axes, parts, rest)


@rms_normalization_op.onnx
def _rms_onnx(g: Any, x: str, *rest: str, axes: tuple[int, ...], epsilon: float, parts: Parts) -> str | None:
    shape, named = g.shape(x), _named(parts, rest)
    if axes != tuple(range(axes[0], len(shape))) or "offset" in named:
        return None  # ONNX normalizes the last axes only, and adds nothing
    scale = named.get("scale") or g.constant(np.ones([shape[a] for a in axes], g.dtype(x)))
    return g.node("RMSNormalization", x, scale, axis=axes[0], epsilon=epsilon)


@rms_normalization_op.samples
def _rms_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield from _feature_samples(("scale",), rng)


def rms_normalization(x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None) -> Any:
    """x divided by its root mean square over `axis`, times `scale`. Half precision is computed in float32.

    Shapes:  a number counts as a vector of one.
    """
    x = ew.as_tensor(x)
    x = x if x.shape else movement.expand_dims(x, 0)
    return _over_features(rms_normalization_op, x, {"scale": scale}, axis, epsilon)


def normalize(x: Any, axis: Any = -1, order: int = 2, epsilon: float | None = None) -> Any:
    """x divided by its norm of `order` over `axis`, or by epsilon where that is larger.

    Over two axes that is `norm`'s of matrices, but for order 2, where it is that of all elements.

    >>> normalize(np.array([[0.0, 4.0]])).tolist()
    [[0.0, 1.0]]
    """
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"Argument `order` must be an int >= 1. Received: order={order}")
    x = floating(x)
    if len(x.shape) == 0:
        x = movement.expand_dims(x, 0)
    epsilon = config.epsilon() if epsilon is None else epsilon
    if order == 2:
        squares = reduce.sum(ew.square(x), axis=axis, keepdims=True)
        dtype = dtypes.numpy_dtype(dtypes.standardize(x.dtype))
        largest = min(1.0 / epsilon, 65504.0) if dtype.itemsize == 2 else 1.0 / epsilon
        return ew.multiply(x, ew.minimum(ew.rsqrt(squares), largest))
    return ew.true_divide(x, ew.maximum(matrices.norm(x, order, axis, keepdims=True), epsilon))
