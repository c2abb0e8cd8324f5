"""Convolutions over channels-last tensors of any spatial rank, as padding followed by one contraction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import symbolic
from kcompile.core.config import data_format_of
from kcompile.core.errors import ArgumentError, ShapeError, message
from kcompile.core.open_extents import fit
from kcompile.core.symbolic import Int
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import Shape, TensorType
from kcompile.ops import contract as contraction
from kcompile.ops import cutting, movement
from kcompile.ops import elementwise as ew
from kcompile.ops.checks import for_each
from kcompile.ops.groups import joined_groups

Pairs = tuple[tuple[int, int], ...]

conv_op = Op("conv")
depthwise_op = Op("depthwise_conv")


def output_extent(
    extent: int | Int, kernel: int | Int, stride: int, pads: tuple[int, int], dilation: int
) -> int | Int:
    """Extent of a convolution's or a pool's output along one dimension."""
    return symbolic.floordiv(extent + pads[0] + pads[1] - dilation * (kernel - 1) - 1, stride) + 1


def padding_pairs(
    padding: str,
    extents: Shape,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
) -> Pairs:
    """Elements added before and after each spatial dimension; "same" puts the odd one after, as Keras."""
    if padding == "valid":
        return tuple((0, 0) for _ in kernel)
    if padding != "same":
        raise ValueError(f"Invalid padding: {padding!r}. Expected 'valid' or 'same'.")
    pairs: list[tuple[Any, Any]] = []
    for extent, k, s, d in zip(extents, kernel, strides, dilations, strict=True):
        reach = d * (k - 1) + 1
        if s == 1:
            total: Any = reach - 1
        elif isinstance(extent, int):
            total = max((-(-extent // s) - 1) * s + reach - extent, 0)
        else:
            pairs.append(_symbolic_pair(extent, reach, s))
            continue
        pairs.append((total // 2, total - total // 2))
    return tuple(pairs)


def _symbolic_pair(extent: Int, reach: int, stride: int) -> tuple[Any, Any]:
    """As above for an extent known at run time; elements that no window reads count as negative padding."""
    last = symbolic.floordiv(extent - 1, stride)  # the last window
    total = last * stride + reach - extent
    if isinstance(total, int) and total < 0:  # of multiples of the stride, as of known extents
        return 0, 0
    if reach >= stride:
        missing = total
    else:  # max(total, 0) without a maximum: how many of 0 ... reach - 2 the rest of the division reaches
        rest = extent - 1 - last * stride
        missing = 0
        for j in range(reach - 1):
            missing = missing + 1 - symbolic.floordiv(rest + stride - 1 - j, stride)
    before = symbolic.floordiv(missing, 2)
    return before, total - before


def padded_apart(x: Any, pads: Pairs, value: Any = 0.0) -> tuple[Any, Pairs]:
    """x and its padding; where that is known only at run time, x with it added, and no padding."""
    if all(isinstance(p, int) for pair in pads for p in pair):
        return x, pads
    return _padded(x, pads, value), tuple((0, 0) for _ in pads)


def onnx_padding(
    extents: Shape,
    window: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
    pads: Pairs,
    gap: int = 0,
) -> dict[str, Any]:
    """The attribute that says the padding: numbers, or that it is as much as "same" takes at run time.

    gap: elements between two windows up to which onnxruntime's operator pads nothing. Beyond, it takes
    elements away: a pool fails with the first, a convolution is wrong with the second.
    Raises:  NotImplementedError where neither says it.
    """
    if all(isinstance(p, int) and p >= 0 for pair in pads for p in pair):
        return {"pads": [p[k] for k in (0, 1) for p in pads]}
    # onnxruntime refuses dilations beside auto_pad.
    fits = set(dilations) == {1} and all(s <= k + gap for s, k in zip(strides, window, strict=True))
    if fits and pads == padding_pairs("same", extents, window, strides, dilations):
        return {"auto_pad": "SAME_UPPER"}
    raise NotImplementedError("its padding depends on the size of the image in a way that ONNX cannot say")


def _infer(
    op: str, x: TensorType, w: TensorType, strides: Any, pads: Any, dilations: Any, depth: Any, features: Any
) -> TensorType:
    if x.rank != w.rank:
        raise ShapeError(
            message(f"{op}: input and kernel must have the same rank.", received=f"{x!r} and {w!r}")
        )
    if not fit(w.shape[-2], depth):
        raise ShapeError(
            message(
                f"{op}: the kernel's depth must equal the input's channels.",
                expected=f"kernel[-2] == {depth} for input {x!r}",
                received=f"kernel {w!r}",
                hint="channels are the last axis",
            )
        )
    if any(isinstance(n, int) and n < 1 for n in (*strides, *dilations)):
        raise ArgumentError(
            f"{op}: strides and dilations must be positive. Received: {tuple(strides)} and {tuple(dilations)}"
        )
    spatial = []
    for d, k, s, p, e in zip(x.shape[1:-1], w.shape[:-2], strides, pads, dilations, strict=True):
        n = output_extent(d, k, s, p, e)
        if isinstance(n, int) and n <= 0:
            raise ShapeError(
                message(
                    f"{op}: the kernel is larger than the padded input.",
                    received=f"input {x!r}, kernel {w!r}, padding {pads}",
                    hint='a smaller kernel, or padding="same"',
                )
            )
        spatial.append(n)
    return TensorType((x.shape[0], *spatial, features), x.dtype)


@conv_op.infer
def _conv_infer(
    x: TensorType, w: TensorType, *, strides: Any, pads: Pairs, dilations: Any, groups: int
) -> TensorType:
    channels = x.shape[-1]
    known = isinstance(channels, int)
    fits = channels % groups == 0 if known else fit(channels, w.shape[-2] * groups)
    if not fits or w.shape[-1] % groups:
        raise ShapeError(
            message(
                f"conv: channels and features must be divisible by groups={groups}.",
                received=f"{x!r} and {w!r}",
            )
        )
    return _infer("conv", x, w, strides, pads, dilations, channels // groups, w.shape[-1])


def _padded(x: Any, pads: Pairs, value: Any = 0.0) -> Any:
    if not any(a or b for a, b in pads):
        return x
    before, after = ((0, *(p[k] for p in pads), 0) for k in (0, 1))
    return cutting.pad_op(x, before=before, after=after, inner=(0,) * len(before), value=value)


def _windows(spatial: int, first_out: int, first_over: int, strides: Any, dilations: Any) -> tuple[Any, ...]:
    return tuple(
        ((s, first_out + k), (d, first_over + k))
        for k, s, d in zip(range(spatial), strides, dilations, strict=True)
    )


@conv_op.decompose
def _conv_decompose(x: Any, w: Any, *, strides: Any, pads: Pairs, dilations: Any, groups: int) -> Any:
    x = _padded(x, pads)
    w, groups = joined_groups(w, groups, _is_fast(x, w, (*strides, *dilations)))
    kernel, spatial = tuple(w.shape[:-2]), len(w.shape) - 2
    out = [x.shape[0]]
    out += [
        output_extent(d, k, s, (0, 0), e)
        for d, k, s, e in zip(x.shape[1:-1], kernel, strides, dilations, strict=True)
    ]
    if groups == 1:
        rank = spatial + 2  # axes: n, o..., f | k..., c
        over_k, c = rank, rank + spatial
        x_map = (((1, 0),), *_windows(spatial, 1, over_k, strides, dilations), ((1, c),))
        w_map = (*(((1, over_k + k),) for k in range(spatial)), ((1, c),), ((1, rank - 1),))
        return contraction.contract_op(
            x, w, shape=(*out, w.shape[-1]), over=(*kernel, w.shape[-2]), x_map=x_map, w_map=w_map
        )
    depth, features = w.shape[-2], w.shape[-1] // groups
    x = movement.reshape(x, (*x.shape[:-1], groups, depth))
    w = movement.reshape(w, (*w.shape[:-1], groups, features))
    rank = spatial + 3  # axes: n, o..., g, f | k..., c
    g, f, over_k, c = spatial + 1, spatial + 2, rank, rank + spatial
    x_map = (((1, 0),), *_windows(spatial, 1, over_k, strides, dilations), ((1, g),), ((1, c),))
    w_map = (*(((1, over_k + k),) for k in range(spatial)), ((1, c),), ((1, g),), ((1, f),))
    y = contraction.contract_op(
        x, w, shape=(*out, groups, features), over=(*kernel, depth), x_map=x_map, w_map=w_map
    )
    return movement.reshape(y, (*out, groups * features))


def _is_fast(x: Any, w: Any, steps: tuple[int, ...]) -> bool:
    """May Winograd's algorithm compute it? That is for two axes of three taps, and images of a known size."""
    known = all(isinstance(d, int) for d in x.shape[1:-1])
    return known and w.dtype == "float32" and {*steps} == {1} and w.shape[:-2].count(3) >= 2


def _by_decomposition(op: Op) -> Any:
    """The reference of a convolution: the same steps on arrays."""

    def reference(x: np.ndarray, w: np.ndarray, **attrs: Any) -> np.ndarray:
        return op.rules["decompose"](x, w, **attrs)

    return reference


conv_op.reference(_by_decomposition(conv_op))


@conv_op.onnx
def _conv_onnx(g: Any, x: str, w: str, *, strides: Any, pads: Pairs, dilations: Any, groups: int) -> str:
    spatial = len(strides)
    kernel = g.transpose(w, [spatial + 1, spatial, *range(spatial)])
    return g.channels_first(
        x, spatial, lambda t: g.node("Conv", t, kernel, **_onnx_attrs(strides, pads, dilations, groups))
    )


def _onnx_attrs(strides: Any, pads: Pairs, dilations: Any, groups: int) -> dict[str, Any]:
    return {
        "strides": list(strides),
        "pads": [p[0] for p in pads] + [p[1] for p in pads],
        "dilations": list(dilations),
        "group": groups,
    }


@conv_op.samples
def _conv_samples(rng: np.random.Generator) -> Iterator[Sample]:
    cases = [  # x, kernel, strides, pads, dilations, groups
        ((2, 6, 7, 3), (3, 2, 3, 4), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
        ((1, 7, 7, 2), (3, 3, 2, 5), (2, 2), ((1, 1), (0, 1)), (1, 1), 1),
        ((2, 9, 8, 2), (3, 3, 2, 3), (1, 1), ((2, 2), (2, 2)), (2, 2), 1),
        ((2, 5, 5, 4), (3, 3, 2, 6), (1, 1), ((1, 1), (1, 1)), (1, 1), 2),
        ((1, 5, 5, 1), (1, 1, 1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
        ((2, 9, 3), (4, 3, 5), (3,), ((1, 0),), (1,), 1),
    ]
    for xs, ws, strides, pads, dilations, groups in cases:
        arrays = (rng.normal(size=xs).astype("float32"), rng.normal(size=ws).astype("float32"))
        attrs = {"strides": strides, "pads": pads, "dilations": dilations, "groups": groups}
        yield Sample(arrays, attrs, f"{ws}s{strides}g{groups}")


# --- depthwise ----------------------------------------------------------------------------------------------


@depthwise_op.infer
def _depthwise_infer(
    x: TensorType, w: TensorType, *, strides: Any, pads: Pairs, dilations: Any
) -> TensorType:
    return _infer("depthwise_conv", x, w, strides, pads, dilations, x.shape[-1], w.shape[-2] * w.shape[-1])


@depthwise_op.decompose
def _depthwise_decompose(x: Any, w: Any, *, strides: Any, pads: Pairs, dilations: Any) -> Any:
    x = _padded(x, pads)
    kernel, spatial = tuple(w.shape[:-2]), len(w.shape) - 2
    out = [x.shape[0]]
    out += [
        output_extent(d, k, s, (0, 0), e)
        for d, k, s, e in zip(x.shape[1:-1], kernel, strides, dilations, strict=True)
    ]
    rank = spatial + 3  # axes: n, o..., c, m | k...
    c, m, over_k = spatial + 1, spatial + 2, rank
    x_map = (((1, 0),), *_windows(spatial, 1, over_k, strides, dilations), ((1, c),))
    w_map = (*(((1, over_k + k),) for k in range(spatial)), ((1, c),), ((1, m),))
    y = contraction.contract_op(
        x, w, shape=(*out, w.shape[-2], w.shape[-1]), over=kernel, x_map=x_map, w_map=w_map
    )
    return movement.reshape(y, (*out, w.shape[-2] * w.shape[-1]))


depthwise_op.reference(_by_decomposition(depthwise_op))


@depthwise_op.onnx
def _depthwise_onnx(g: Any, x: str, w: str, *, strides: Any, pads: Pairs, dilations: Any) -> str:
    spatial = len(strides)
    *kernel, c, m = g.shape(w)
    last = [spatial, spatial + 1, *range(spatial)]
    weights = g.reshape(g.transpose(w, last), [c * m, 1, *kernel])
    return g.channels_first(
        x, spatial, lambda t: g.node("Conv", t, weights, **_onnx_attrs(strides, pads, dilations, c))
    )


@depthwise_op.samples
def _depthwise_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for xs, ws, strides in (((2, 6, 7, 3), (3, 2, 3, 2), (1, 1)), ((1, 7, 7, 5), (3, 3, 5, 1), (2, 2))):
        arrays = (rng.normal(size=xs).astype("float32"), rng.normal(size=ws).astype("float32"))
        yield Sample(
            arrays, {"strides": strides, "pads": ((1, 1), (0, 1)), "dilations": (1, 1)}, f"{ws}{strides}"
        )


# --- public functions ---------------------------------------------------------------------------------------


def _convolution(
    op: Op, inputs: Any, kernel: Any, strides: Any, padding: str, data_format: Any, rate: Any, **attrs: Any
) -> Any:
    x, w = ew.operands(inputs, kernel)
    spatial = len(w.shape) - 2
    first = data_format_of(data_format) == "channels_first"
    if first:
        x = movement.transpose(x, (0, *range(2, spatial + 2), 1))
    s = for_each(op.name, "strides", strides, spatial)
    d = for_each(op.name, "dilation_rate", 1 if rate is None else rate, spatial)
    x, pads = padded_apart(x, padding_pairs(padding.lower(), x.shape[1:-1], tuple(w.shape[:-2]), s, d))
    y = op(x, w, strides=s, pads=pads, dilations=d, **attrs)
    return movement.transpose(y, (0, spatial + 1, *range(1, spatial + 1))) if first else y


def conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """Cross-correlation of 1, 2 or more spatial dimensions.

    Shapes:  inputs (n, d..., c), kernel (k..., c / groups, f) -> (n, o..., f);
             valid: o = (d - k) // s + 1, same: o = ceil(d / s). The number of groups follows from the shapes.
    Raises:  ShapeError if the kernel's depth does not fit.
    Work:    2 n prod(o) f prod(k) c / groups flops.

    >>> conv(np.ones((1, 5, 5, 2), "float32"), np.ones((3, 3, 2, 4), "float32"), padding="same").shape
    (1, 5, 5, 4)
    """
    channel = 1 if data_format_of(data_format) == "channels_first" else -1
    channels, depth = ew.as_tensor(inputs).shape[channel], ew.as_tensor(kernel).shape[-2]
    groups = channels // depth if isinstance(channels, int) and depth and channels % depth == 0 else 1
    return _convolution(conv_op, inputs, kernel, strides, padding, data_format, dilation_rate, groups=groups)


def depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """A convolution of each channel by its own kernels: kernel (k..., c, m) -> (n, o..., c m)."""
    return _convolution(depthwise_op, inputs, kernel, strides, padding, data_format, dilation_rate)


def separable_conv(
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """A depthwise convolution followed by one with kernel size 1."""
    y = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(y, pointwise_kernel, 1, "valid", data_format)
