"""Normalization over groups of channels: one op, so that export sees it whole, with its decomposition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core.errors import ShapeError, message
from kcompile.core.open_extents import all_fit, are_of_placeholders
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import elementwise as ew
from kcompile.ops import movement, reduce

group_normalization_op = Op("group_normalization")

# An affine part is optional: `parts` says which of scale and offset follow x among the inputs.
Parts = tuple[str, ...]
BY_CHANNEL = 21  # the opset from which on ONNX's operator has a scale for each channel, not for each group


@group_normalization_op.infer
def _infer(
    x: TensorType, *rest: TensorType, axis: int, groups: int, epsilon: float, parts: Parts
) -> TensorType:
    channels = x.shape[axis]
    whole = channels % groups == 0 if isinstance(channels, int) else are_of_placeholders()
    if not whole or not all(all_fit(p.shape, (channels,)) for p in rest):
        raise ShapeError(
            message(
                "group_normalization: groups must divide the channels, which scale and offset must have.",
                expected=f"({channels},), and {groups} groups, for axis {axis} of {x!r}",
                received=", ".join(map(repr, rest)),
            )
        )
    return x


def _grouped(x: Any, axis: int, groups: int) -> tuple[Any, tuple[int, ...]]:
    """The shape of x with the channels split into (groups, channels of each), and the axes of one group."""
    shape = tuple(x.shape)
    split = (*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])
    return split, tuple(k for k in range(1, len(split)) if k != axis)


def _along(x: Any, v: Any, axis: int) -> Any:
    return movement.reshape(v, tuple(d if k == axis else 1 for k, d in enumerate(x.shape)))


@group_normalization_op.reference
def _reference(
    x: np.ndarray, *rest: np.ndarray, axis: int, groups: int, epsilon: float, parts: Parts
) -> np.ndarray:
    split, axes = _grouped(x, axis, groups)
    grouped, named = x.reshape(split), dict(zip(parts, rest, strict=True))
    centred = grouped - grouped.mean(axes, keepdims=True)
    y = (centred / np.sqrt((centred**2).mean(axes, keepdims=True) + epsilon)).reshape(x.shape)
    along = [-1 if k == axis else 1 for k in range(x.ndim)]
    y = y * named["scale"].reshape(along) if "scale" in named else y
    return y + named["offset"].reshape(along) if "offset" in named else y


@group_normalization_op.decompose
def _decompose(x: Any, *rest: Any, axis: int, groups: int, epsilon: float, parts: Parts) -> Any:
    """Moments of each channel first: sums down columns, however few channels a group has."""
    named = dict(zip(parts, rest, strict=True))
    mean, spread = _moments(x, axis, groups)
    y = ew.multiply(ew.subtract(x, mean), ew.rsqrt(ew.add(spread, epsilon)))
    y = ew.multiply(y, _along(x, named["scale"], axis)) if "scale" in named else y
    return ew.add(y, _along(x, named["offset"], axis)) if "offset" in named else y


def _moments(x: Any, axis: int, groups: int) -> tuple[Any, Any]:
    """Mean and variance of each group at each of its channels: all axes but the first and `axis` are 1.

    Source: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances", 1979, of which this is the case of equal shares.
    """
    channels, places = x.shape[axis], tuple(k for k in range(1, len(x.shape)) if k != axis)
    own = reduce.mean(x, axis=places, keepdims=True) if places else x
    spread = reduce.variance(x, axis=places, keepdims=True) if places else None
    if groups == channels:
        return own, ew.subtract(x, x) if spread is None else spread
    mean = _over_groups(own, axis, groups)
    apart = ew.square(ew.subtract(own, mean))
    return mean, _over_groups(apart if spread is None else ew.add(spread, apart), axis, groups)


def _over_groups(v: Any, axis: int, groups: int) -> Any:
    """The mean over the channels of each group, at each of them."""
    shape = tuple(v.shape)
    split = (*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])
    mean = reduce.mean(movement.reshape(v, split), axis=axis + 1, keepdims=True)
    return movement.reshape(movement.broadcast_to(mean, split), shape)


@group_normalization_op.onnx
def _onnx(g: Any, x: str, *rest: str, axis: int, groups: int, epsilon: float, parts: Parts) -> str:
    shape, dtype, named = g.shape(x), g.dtype(x), dict(zip(parts, rest, strict=True))
    channels = shape[axis]
    order = [0, axis, *(k for k in range(1, len(shape)) if k != axis)]  # the channels second
    t = g.transpose(x, order)
    scale = named.get("scale") or g.constant(np.ones(channels, dtype))
    offset = named.get("offset") or g.constant(np.zeros(channels, dtype))
    if len(shape) > 2 and channels == groups:
        y = g.node("InstanceNormalization", t, scale, offset, epsilon=epsilon)
    elif len(shape) > 2 and g.opset >= BY_CHANNEL:
        y = g.node("GroupNormalization", t, scale, offset, epsilon=epsilon, num_groups=groups)
        g.types[y] = g.type(t)  # ONNX infers nothing here
    else:
        y = _by_instance(g, t, groups, epsilon, named)
    return str(g.transpose(y, [int(k) for k in np.argsort(order)]))


def _by_instance(g: Any, t: str, groups: int, epsilon: float, named: dict[str, str]) -> str:
    """Each group as a channel of its own, then the affine part. t has its channels second."""
    shape, dtype = g.shape(t), g.dtype(t)
    flat = g.node("Reshape", t, g.constant(np.array([0, groups, -1], np.int64)))
    one, zero = (g.constant(np.full(groups, v, dtype)) for v in (1, 0))
    y = g.reshape(g.node("InstanceNormalization", flat, one, zero, epsilon=epsilon), shape)
    column = (shape[1], *(1,) * (len(shape) - 2))
    for part, operator in (("scale", "Mul"), ("offset", "Add")):
        if part in named:
            y = g.node(operator, y, g.reshape(named[part], column))
    return str(y)


@group_normalization_op.samples
def _samples(rng: np.random.Generator) -> Iterator[Sample]:
    def of(n: int) -> np.ndarray:
        return rng.uniform(0.5, 1.5, n).astype("float32")

    def attrs(axis: int, groups: int, *parts: str) -> dict[str, Any]:
        return {"axis": axis, "groups": groups, "epsilon": 1e-3, "parts": parts}

    x = rng.normal(size=(2, 4, 3, 6)).astype("float32")
    yield Sample((x, of(6), of(6)), attrs(3, 2, "scale", "offset"), "last")
    yield Sample((x, of(4)), attrs(1, 2, "offset"), "first")
    yield Sample((x, of(6)), attrs(3, 6, "scale"), "instances")
    yield Sample((x[:, 0, 0],), attrs(1, 3), "plain")


def group_normalization(
    x: Any, groups: int, axis: int = -1, scale: Any = None, offset: Any = None, epsilon: float = 1e-3
) -> Any:
    """x with mean 0 and variance 1 over all positions of each of `groups` runs of channels, times scale, plus
    offset.

    Shapes:  x (n, ..., c, ...) with c on `axis`; scale and offset (c,).
    Raises:  ShapeError if groups does not divide c, or scale or offset has another shape.
    Source:  Wu and He 2018.

    >>> group_normalization(np.array([[1.0, 3.0, 5.0, 5.0]]), groups=2, epsilon=0.0001).round(2).tolist()
    [[-1.0, 1.0, 0.0, 0.0]]
    """
    given = {"scale": scale, "offset": offset}
    parts = tuple(name for name, v in given.items() if v is not None)
    x, *rest = ew.operands(x, *(given[p] for p in parts))
    axis = movement.check_axis("group_normalization", axis, len(x.shape))
    return group_normalization_op(x, *rest, axis=axis, groups=groups, epsilon=float(epsilon), parts=parts)
