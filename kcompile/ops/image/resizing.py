"""Images in other sizes: resize, scale_and_translate, and the op that samples along one axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kcompile.core import dtypes, symbolic
from kcompile.core.errors import ArgumentError
from kcompile.core.wholes import wholes
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import checks, contract, cutting, movement, reduce, tensor
from kcompile.ops import elementwise as ew
from kcompile.ops.image import kernels, layout
from kcompile.ops.image.middle import at_least, middle_op
from kcompile.ops.image.reading import pick

METHODS = ("bilinear", "nearest", "lanczos3", "lanczos5", "bicubic")
resample_op = Op("resample")
resize_op = Op("resize_image")


# --- one axis -----------------------------------------------------------------------------------------------
# y = W^T x along `axis`, or W x when transposed, with the sparse weights W (m, n) of a resize from m to n.


@resample_op.infer
def _resample_infer(
    x: TensorType, *, axis: int, extents: tuple[int, int], method: str, antialias: bool, transposed: bool
) -> TensorType:
    return TensorType((*x.shape[:axis], extents[not transposed], *x.shape[axis + 1 :]), x.dtype)


@resample_op.reference
def _resample_reference(x: np.ndarray, *, axis: int, transposed: bool, **how: Any) -> np.ndarray:
    positions, weights = _tables(dtypes.standardize(x.dtype), transposed=transposed, **how)
    if positions.shape[1] > FEW:
        full = _matrix(dtypes.standardize(x.dtype), **how)
        y = np.tensordot(np.moveaxis(x, axis, -1), full.T if transposed else full, 1)
        return np.moveaxis(y, -1, axis)
    shape = (-1,) + (1,) * (x.ndim - axis - 1)
    parts = zip(positions.T, weights.T.astype(x.dtype), strict=True)
    return sum(np.take(x, at, axis=axis) * share.reshape(shape) for at, share in parts)


FEW = 12  # positions that are faster to add one by one than as a product with a matrix


def _tables(dtype: str, *, extents: Any, method: str, antialias: bool, transposed: bool) -> Any:
    return kernels.tables(*extents, method, antialias, transposed, kernels.weights_dtype(dtype))


def _matrix(dtype: str, *, extents: tuple[int, int], method: str, antialias: bool) -> np.ndarray:
    return kernels.matrix(*extents, method, antialias, kernels.weights_dtype(dtype)).astype(
        dtypes.numpy_dtype(dtype)
    )


@resample_op.vjp
def _resample_vjp(dy: Any, y: Any, x: Any, *, transposed: bool, **how: Any) -> tuple[Any]:
    return (resample_op(dy, transposed=not transposed, **how),)


@resample_op.decompose
def _resample_decompose(x: Any, *, axis: int, **how: Any) -> Any:
    return _gathered(x, axis, *_tables(dtypes.standardize(x.dtype), **how))


def _gathered(x: Any, axis: int, positions: Any, weights: Any) -> Any:
    """The sum over k of x[positions[o, k]] * weights[o, k] along `axis`."""
    after = len(x.shape) - axis - 1
    shares = ew.as_tensor(weights, dtypes.standardize(x.dtype))
    shares = movement.reshape(shares, (*shares.shape, *(1,) * after))
    return reduce.sum(ew.multiply(pick(x, positions, axis=axis), shares), axis=axis + 1)


@resample_op.onnx
def _resample_onnx(g: Any, x: str, *, axis: int, transposed: bool, **how: Any) -> str:
    weights = _matrix(g.dtype(x), **how)
    letters = "abcdefgh"[: len(g.shape(x))]
    own = letters[axis]
    equation = f"{letters},{own}z->{letters.replace(own, 'z')}"
    return g.node("Einsum", x, g.constant(weights.T if transposed else weights), equation=equation)


@resample_op.samples
def _resample_samples(rng: np.random.Generator) -> Iterator[Sample]:
    cases: list[tuple[Any, ...]] = [
        ("linear", (2, 5, 3), 1, (5, 8), "bilinear", False, False),
        ("linear_back", (2, 8, 3), 1, (5, 8), "bilinear", False, True),
        ("shrunk", (2, 7), 1, (7, 3), "bicubic", True, False),
        ("nearest", (6, 2), 0, (6, 4), "nearest", False, False),
        ("lanczos", (2, 9, 1), 1, (9, 4), "lanczos3", False, False),
    ]
    for name, shape, axis, extents, method, antialias, transposed in cases:
        how = {"axis": axis, "extents": extents, "method": method, "antialias": antialias}
        yield Sample((rng.normal(size=shape).astype("float32"),), {**how, "transposed": transposed}, name)


# --- rows and columns ---------------------------------------------------------------------------------------


@resize_op.infer
def _resize_infer(x: TensorType, *, size: tuple[int, int], method: str, antialias: bool) -> TensorType:
    checks.check_not_empty("resize", x, (1, 2))
    return TensorType((x.shape[0], *size, x.shape[3]), x.dtype)


@resize_op.reference
def _resize_reference(x: np.ndarray, *, size: tuple[int, int], method: str, antialias: bool) -> np.ndarray:
    for axis, n in zip((1, 2), size, strict=True):
        m = x.shape[axis]
        if method == "nearest" and m != n:
            x = x[(slice(None),) * axis + (kernels.nearest(m, n),)]
        elif m != n:
            how = {"extents": (m, n), "method": method, "antialias": antialias}
            x = _resample_reference(x, axis=axis, transposed=False, **how)
    return x


@resize_op.decompose
def _resize_decompose(x: Any, *, size: tuple[int, int], method: str, antialias: bool) -> Any:
    for axis, n in zip((1, 2), size, strict=True):
        m = x.shape[axis]
        if not isinstance(m, int) or not dtypes.is_float(dtypes.standardize(x.dtype)):
            x = _open_resample(x, axis, n, method, antialias)
        elif m != n:
            x = resample_op(
                x, axis=axis, extents=(m, n), method=method, antialias=antialias, transposed=False
            )
    return x


def _open_resample(x: Any, axis: int, n: int, method: str, antialias: bool) -> Any:
    """As `resample_op`, with weights that are computed when the extent is known."""
    m = x.shape[axis]
    if method == "nearest":
        return pick(x, kernels.nearest(m, n), axis=axis)
    dtype = kernels.weights_dtype(dtypes.standardize(x.dtype))
    inverse = kernels.pixels_per_output(m, n, dtype)
    if not antialias:
        return _gathered(x, axis, *kernels.nearby(m, n, inverse, method, dtype))
    weights = kernels.weight_matrix(m, n, inverse, ew.as_tensor(0.0, dtype), method, True, dtype)
    return _contracted(x, axis, weights)


def _contracted(x: Any, axis: int, weights: Any) -> Any:
    letters = "abcdefgh"[: len(x.shape)]
    result = letters.replace(letters[axis], "z")
    return contract.einsum(
        f"{letters},{letters[axis]}z->{result}", x, ew.as_tensor(weights, dtypes.standardize(x.dtype))
    )


# What onnxruntime computes as we do: its antialiased linear kernel counts pixels outside of the image, and
# its cubic one refuses some sizes once its optimizer has moved transposes. The others become matrices.
ONNX_MODES: dict[tuple[str, bool], dict[str, Any]] = {
    ("bilinear", False): {"mode": "linear"},
    ("bicubic", True): {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1, "antialias": 1},
    ("nearest", False): {"mode": "nearest", "nearest_mode": "round_prefer_ceil"},
    ("nearest", True): {"mode": "nearest", "nearest_mode": "round_prefer_ceil"},
}


# The opset from which on sizes need not tell the batch, and channels may stay last; onnxruntime's kernel for
# smoothed images wants them second.
RESIZES_SOME_AXES = 18
BYTES = ("int8", "uint8")


@resize_op.onnx
def _resize_onnx(g: Any, x: str, *, size: tuple[int, int], method: str, antialias: bool) -> str | None:
    if (method, antialias) not in ONNX_MODES:
        return None  # the weights as a matrix, by decomposition
    attrs = {"coordinate_transformation_mode": "half_pixel", **ONNX_MODES[method, antialias]}
    scales, smooths = _scales(g.shape(x)[1:3], size), bool(attrs.get("antialias"))

    if scales is not None and not smooths:
        return str(g.node("Resize", x, "", g.constant(np.array([1, *scales, 1], np.float32)), **attrs))
    if g.opset >= RESIZES_SOME_AXES and not smooths and not _pools_bytes(g):
        return str(g.node("Resize", x, "", "", g.dims(size), axes=[1, 2], **attrs))

    def resized(t: str) -> str:
        n, c = g.shape(t)[:2]
        return g.node("Resize", t, "", "", g.dims((n, c, *size)), **attrs)

    return g.channels_first(x, 2, resized)


def _scales(before: Sequence[Any], after: Sequence[int]) -> list[np.float32] | None:
    """How many times as large an image becomes; None where runtimes compute other sizes of it."""
    if not all(isinstance(d, int) for d in before):
        return None
    found = [np.float32(n) / np.float32(m) for m, n in zip(before, after, strict=True)]
    made = [
        {int(kind(m) * scale) for kind in (np.float32, np.float64)}
        for m, scale in zip(before, found, strict=True)
    ]
    return found if made == [{n} for n in after] else None


def _pools_bytes(g: Any) -> bool:
    """Is the maximum of bytes taken before? onnxruntime 1.32 has channels last there, moves the transposes
    for it through what follows, and a Resize's axes do not follow.
    """
    return any(node.op == "MaxPool" and g.dtype(node.inputs[0]) in BYTES for node in g.nodes)


@resize_op.samples
def _resize_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.normal(size=(2, 5, 6, 3)).astype("float32")
    for method in METHODS:
        for antialias in (False, True):
            attrs = {"size": (7, 4), "method": method, "antialias": antialias}
            yield Sample((x,), attrs, f"{method}{'_antialias' if antialias else ''}")
    whole = rng.integers(0, 256, (1, 4, 4, 1)).astype("uint8")
    for dtype in ("uint8", "int16", "uint32", "int64", "bool"):
        attrs = {"size": (2, 7), "method": "nearest", "antialias": False}
        yield Sample((whole.astype(dtype),), attrs, dtype)
    yield Sample((x,), {"size": (5, 6), "method": "bilinear", "antialias": False}, "same")


# --- public functions ---------------------------------------------------------------------------------------


def resize(
    images: Any,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Any:
    """Images in the size (height, width); pixel centres keep their relative places.

    Shapes:  images (h, w, c) or (n, h, w, c), channels first with that data_format -> the same rank.
    Args:    interpolation: "bilinear", "nearest", "bicubic", "lanczos3" or "lanczos5". antialias: filter
             before shrinking. crop_to_aspect_ratio: cut to the new shape first. pad_to_aspect_ratio: surround
             with fill_value first. Integer images are rounded.
    Raises:  ValueError for another rank, size or name.

    >>> resize(np.arange(4.0).reshape(1, 4, 1), (1, 2)).tolist()
    [[[0.5], [2.5]]]
    """
    size = _checked_size(size)
    interpolation = layout.one_of("interpolation", interpolation, METHODS)
    layout.one_of("fill_mode", fill_mode, ("constant",))
    if pad_to_aspect_ratio and crop_to_aspect_ratio:
        raise ValueError("Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio` can be `True`.")
    x, restore = layout.channels_last("resize", images, data_format)
    own = dtypes.standardize(x.dtype)
    if interpolation != "nearest" and not dtypes.is_float(own):
        x = ew.cast(x, "float32")
    if crop_to_aspect_ratio:
        x = _cropped(x, size)
    elif pad_to_aspect_ratio:
        x = _padded(x, size, fill_value)
    y = resize_op(x, size=size, method=interpolation, antialias=bool(antialias))
    if dtypes.standardize(y.dtype) != own:
        y = tensor.saturate_cast(ew.round(y), own)
    return restore(y)


def _checked_size(size: Any) -> tuple[int, int]:
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise ArgumentError(f"Expected `size` to be a tuple of 2 integers. Received: size={size}")
    height, width = wholes("size", size, of="resize")
    if height <= 0 or width <= 0:
        raise ValueError(f"`size` must have positive height and width. Received: size={size}")
    return height, width


def _cropped(x: Any, size: tuple[int, int]) -> Any:
    return middle_op(x, size=size, axes=(1, 2), whole=False)


def _padded(x: Any, size: tuple[int, int], value: float) -> Any:
    """The image in the middle of a surface of the shape of `size`."""
    (height, width), (h, w) = x.shape[1:3], size
    rows = symbolic.floordiv(at_least(0, symbolic.floordiv(width * h, w) - height), 2)
    columns = symbolic.floordiv(at_least(0, symbolic.floordiv(height * w, h) - width), 2)
    # The shape asks for rows or for columns; beside rows a rounded-up column is not wanted.
    columns = columns * (1 - symbolic.minimum(rows, 1))
    if not dtypes.is_float(dtypes.standardize(x.dtype)):
        x = ew.cast(x, "float32")  # the surface may hold a fraction
    around = (0, rows, columns, 0)
    return cutting.pad_op(x, before=around, after=around, inner=(0,) * 4, value=float(value))


TRANSLATE_METHODS = {
    "linear": "bilinear", "bilinear": "bilinear", "trilinear": "bilinear", "cubic": "bicubic",
    "bicubic": "bicubic", "tricubic": "bicubic", "lanczos3": "lanczos3", "lanczos5": "lanczos5",
}  # fmt: skip


def scale_and_translate(
    images: Any,
    output_shape: Any,
    scale: Any,
    translation: Any,
    spatial_dims: Any,
    method: str,
    antialias: bool = True,
) -> Any:
    """Images scaled and moved along `spatial_dims`: position x goes to x * scale + translation.

    Shapes:  images of any rank -> output_shape; scale and translation (k,), one per spatial dimension.
    Args:    method: "linear", "cubic", "lanczos3" or "lanczos5". antialias: filter before shrinking.
             What lies outside of the image is 0. Integer images give floats.

    >>> scale_and_translate(np.ones((2, 2)), (2, 4), np.ones(1), np.ones(1), (1,), "linear").tolist()
    [[0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0]]
    """
    if method not in TRANSLATE_METHODS:
        raise ValueError(
            "Invalid value for argument `method`. Expected of one "
            f"{set(TRANSLATE_METHODS)}. Received: method={method}"
        )
    x = ew.as_tensor(images)
    x = ew.as_tensor(x, ew.float_of(dtypes.standardize(x.dtype)))
    if len(output_shape) != len(x.shape):
        raise ValueError(
            "`output_shape` must have one extent for each dimension of `images`. "
            f"Received: output_shape={output_shape}, images.shape={x.shape}"
        )
    dtype = kernels.weights_dtype(dtypes.standardize(x.dtype))
    factors, moves = ew.as_tensor(scale, dtype), ew.as_tensor(translation, dtype)
    for k, dim in enumerate(spatial_dims):
        axis = movement.check_axis("scale_and_translate", int(dim), len(x.shape))
        inverse = ew.true_divide(ew.as_tensor(1.0, dtype), factors[k])
        weights = kernels.weight_matrix(
            x.shape[axis], output_shape[axis], inverse, moves[k], TRANSLATE_METHODS[method], antialias, dtype
        )
        x = _contracted(x, axis, weights)
    return x
