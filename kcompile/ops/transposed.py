"""Transposed convolution: the gradient of a convolution, as one with stride 1 and interleaved outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core.config import data_format_of
from kcompile.core.errors import ArgumentError, ShapeError, message
from kcompile.core.open_extents import fit
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import contract as contraction
from kcompile.ops import cutting, movement
from kcompile.ops import elementwise as ew
from kcompile.ops.checks import for_each
from kcompile.ops.convolution import Pairs

conv_transpose_op = Op("conv_transpose")

# pads: zeros around the spread input, per spatial dimension.


def _out(x: TensorType, w: TensorType, strides: Any, pads: Pairs, dilations: Any) -> list[Any]:
    extents = zip(x.shape[1:-1], w.shape[:-2], strides, pads, dilations, strict=True)
    return [(d - 1) * s + 1 + a + b - e * (k - 1) for d, k, s, (a, b), e in extents]


@conv_transpose_op.infer
def _infer(x: TensorType, w: TensorType, *, strides: Any, pads: Pairs, dilations: Any) -> TensorType:
    if x.rank != w.rank or not fit(x.shape[-1], w.shape[-1]):
        raise ShapeError(
            message(
                "conv_transpose: the last axes of input and kernel must be equal.",
                expected=f"a kernel (..., features, {x.shape[-1]}) of rank {x.rank}",
                received=f"{x!r} and {w!r}",
            )
        )
    if any(n < 1 for n in (*strides, *dilations)):
        raise ArgumentError(
            f"conv_transpose: strides and dilations must be positive. Received: {strides} and {dilations}"
        )
    return TensorType((x.shape[0], *_out(x, w, strides, pads, dilations), w.shape[-2]), x.dtype)


@conv_transpose_op.reference
def _reference(x: np.ndarray, w: np.ndarray, *, strides: Any, pads: Pairs, dilations: Any) -> np.ndarray:
    """Each input element adds its multiple of the kernel to the output."""
    spatial = len(strides)
    reach = [e * (k - 1) for k, e in zip(w.shape[:-2], dilations, strict=True)]
    full = [(d - 1) * s + 1 + r for d, s, r in zip(x.shape[1:-1], strides, reach, strict=True)]
    y = np.zeros((x.shape[0], *full, w.shape[-2]), x.dtype)
    for at in np.ndindex(*w.shape[:-2]):
        spots = tuple(
            slice(a * e, a * e + (d - 1) * s + 1, s)
            for a, e, d, s in zip(at, dilations, x.shape[1:-1], strides, strict=True)
        )
        y[(slice(None), *spots)] += np.einsum("...c,fc->...f", x, w[at])
    out = [n + a + b - 2 * r for n, (a, b), r in zip(full, pads, reach, strict=True)]
    grown = np.pad(y, ((0, 0), *((0, max(b - r, 0)) for (_, b), r in zip(pads, reach, strict=True)), (0, 0)))
    cut = tuple(slice(r - a, r - a + n) for (a, _), r, n in zip(pads, reach, out, strict=True))
    assert len(cut) == spatial
    return grown[(slice(None), *cut)]


@conv_transpose_op.decompose
def _decompose(x: Any, w: Any, *, strides: Any, pads: Pairs, dilations: Any) -> Any:
    """One convolution with stride 1 that computes groups of `strides` outputs.

    Position q s + p of the full output reads the kernel's elements p, p + s, ... alone. So along each
    dimension the kernel becomes ceil(k / s) groups of s elements, p is an axis of kernel and output, and no
    zero between inputs is multiplied.
    """
    out, spatial = _out(x, w, strides, pads, dilations), len(strides)
    cut = [e * (k - 1) - a for k, e, (a, _) in zip(w.shape[:-2], dilations, pads, strict=True)]
    w, dilations = _in_groups(w, strides, dilations)
    kernel = tuple(w.shape[: 2 * spatial : 2])
    first = [c // s for c, s in zip(cut, strides, strict=True)]  # the first q that is needed
    before = (0, *(e * (k - 1) - q for k, e, q in zip(kernel, dilations, first, strict=True)), 0)
    after = (0, *(b // s for (_, b), s in zip(pads, strides, strict=True)), 0)
    x = cutting.pad_op(x, before=before, after=after, inner=(0,) * (spatial + 2), value=0.0)
    count = [d - e * (k - 1) for d, k, e in zip(x.shape[1:-1], kernel, dilations, strict=True)]
    rank = 2 * spatial + 2  # axes: n, (q, p)..., f | k..., c
    c = rank + spatial
    windows = tuple(((1, 1 + 2 * d), (e, rank + d)) for d, e in enumerate(dilations))
    taps = tuple(t for d in range(spatial) for t in (((1, rank + d),), ((1, 2 + 2 * d),)))
    grid = tuple(n for pair in zip(count, strides, strict=True) for n in pair)
    y = contraction.contract_op(
        x, w, shape=(x.shape[0], *grid, w.shape[-2]), over=(*kernel, w.shape[-1]),
        x_map=(((1, 0),), *windows, ((1, c),)), w_map=(*taps, ((1, rank - 1),), ((1, c),)),
    )  # fmt: skip
    y = movement.reshape(y, (y.shape[0], *(q * s for q, s in zip(count, strides, strict=True)), y.shape[-1]))
    before = (0, *(q * s - c for q, s, c in zip(first, strides, cut, strict=True)), 0)
    after = (0, *(n - d - b for n, d, b in zip(out, y.shape[1:-1], before[1:-1], strict=True)), 0)
    return cutting.pad_op(y, before=before, after=after, inner=(0,) * (spatial + 2), value=0.0)


def _in_groups(w: Any, strides: Any, dilations: Any) -> tuple[Any, tuple[int, ...]]:
    """The kernel (k..., f, c) as ((ceil(k / s), s)..., f, c), the groups turned round; what is left of
    dilations.
    """
    spatial, kernel = len(strides), tuple(w.shape[:-2])
    spread = [e - 1 if s > 1 else 0 for s, e in zip(strides, dilations, strict=True)]
    reach = [k + (k - 1) * g for k, g in zip(kernel, spread, strict=True)]
    after = (*(-k % s for k, s in zip(reach, strides, strict=True)), 0, 0)
    if any((*spread, *after)):
        w = cutting.pad_op(w, before=(0,) * len(after), after=after, inner=(*spread, 0, 0), value=0.0)
    apart = [d for k, s in zip(w.shape[:-2], strides, strict=True) for d in (k // s, s)]
    w = movement.reshape(w, (*apart, *w.shape[-2:]))
    left = tuple(1 if g else e for g, e in zip(spread, dilations, strict=True))
    return cutting.flip(w, tuple(range(0, 2 * spatial, 2))), left


@conv_transpose_op.onnx
def _onnx(g: Any, x: str, w: str, *, strides: Any, pads: Pairs, dilations: Any) -> str:
    spatial = len(strides)
    kernel = g.transpose(w, [spatial + 1, spatial, *range(spatial)])
    reach = [e * (k - 1) for k, e in zip(g.shape(w)[:-2], dilations, strict=True)]
    begin = [r - a for r, (a, _) in zip(reach, pads, strict=True)]
    end = [r - b for r, (_, b) in zip(reach, pads, strict=True)]
    attrs = {
        "strides": list(strides),
        "dilations": list(dilations),
        "pads": begin + [max(e, 0) for e in end],
        "output_padding": [max(-e, 0) for e in end],
    }
    return g.channels_first(x, spatial, lambda t: g.node("ConvTranspose", t, kernel, **attrs))


@conv_transpose_op.samples
def _samples(rng: np.random.Generator) -> Iterator[Sample]:
    cases = [  # x, kernel, strides, pads, dilations
        ((2, 4, 3, 3), (3, 2, 4, 3), (1, 1), ((2, 2), (1, 1)), (1, 1)),
        ((1, 3, 4, 2), (3, 3, 5, 2), (2, 2), ((1, 2), (2, 1)), (1, 1)),
        ((2, 4, 3), (2, 2, 3), (3,), ((1, 2),), (1,)),
        ((1, 4, 3, 2), (3, 2, 2, 2), (1, 1), ((4, 4), (2, 2)), (2, 2)),
        ((1, 1, 3, 2), (1, 2, 2, 2), (4, 3), ((0, 3), (1, 2)), (1, 1)),
        ((2, 3, 2), (3, 2, 2), (2,), ((2, 4),), (2,)),
        ((1, 2, 3, 2, 2), (3, 2, 2, 2, 2), (2, 1, 2), ((1, 2), (1, 0), (1, 1)), (1, 1, 1)),
    ]
    for xs, ws, strides, pads, dilations in cases:
        arrays = (rng.normal(size=xs).astype("float32"), rng.normal(size=ws).astype("float32"))
        attrs = {"strides": strides, "pads": pads, "dilations": dilations}
        yield Sample(arrays, attrs, f"{ws}s{strides}d{dilations}")


def padding_around(
    kernel: int, stride: int, dilation: int, padding: str, output_padding: int | None
) -> tuple[int, int]:
    """Zeros before and after the spread input that give Keras's output size along one dimension.

    Where "same" leaves an odd zero, it goes before: the mirror image of the forward convolution's padding.
    """
    reach = dilation * (kernel - 1)
    size = reach + 1
    if padding == "valid":
        extra = max(size, stride) - size if output_padding is None else output_padding
        return reach, reach + extra
    if padding != "same":
        raise ValueError(f"conv_transpose: `padding` must be 'valid' or 'same'. Received: padding={padding}")
    # The output is d s long, or (d - 1) s + size % 2 + output_padding.
    total = stride + size - 2 if output_padding is None else size + size % 2 - 2 + output_padding
    before = min(total - total // 2, reach)
    return before, total - before


def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """The transpose (gradient) of a convolution, which enlarges images.

    Shapes:  inputs (n, d..., c), kernel (k..., f, c) -> (n, o..., f), with e = dilation (k - 1) + 1:
             valid: o = (d - 1) s + max(e, s), same: o = d s;
             with output_padding p: (d - 1) s + e + p, and (d - 1) s + e % 2 + p.
    Raises:  ShapeError if the kernel does not fit; ValueError for another padding.

    >>> conv_transpose(np.ones((1, 2, 1)), np.ones((3, 1, 1)), strides=2)[0, :, 0].tolist()
    [1.0, 1.0, 2.0, 1.0, 1.0]
    """
    x, w = ew.operands(inputs, kernel)
    spatial = len(w.shape) - 2
    first = data_format_of(data_format) == "channels_first"
    if first:
        x = movement.transpose(x, (0, *range(2, spatial + 2), 1))
    name = conv_transpose_op.name
    s, e = (
        for_each(name, "strides", strides, spatial),
        for_each(name, "dilation_rate", dilation_rate, spatial),
    )
    extra: tuple[int | None, ...] = (None,) * spatial
    if output_padding is not None:
        extra = for_each(name, "output_padding", output_padding, spatial)
    sizes = zip(w.shape[:-2], s, e, extra, strict=True)
    pads = tuple(padding_around(k, a, b, padding.lower(), o) for k, a, b, o in sizes)
    y = conv_transpose_op(x, w, strides=s, pads=pads, dilations=e)
    return movement.transpose(y, (0, spatial + 1, *range(1, spatial + 1))) if first else y
