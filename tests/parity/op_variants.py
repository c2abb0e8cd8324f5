"""More applications of public ops: axes, keepdims, empty and 0-d tensors, broadcasting, dtypes, options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Case = Callable[[Any, dict[str, np.ndarray]], Any]


def more_inputs() -> dict[str, np.ndarray]:
    """Shapes and dtypes that the first inputs do not have."""
    rng = np.random.default_rng(7)
    arrays = _new_inputs(rng)
    return {
        **arrays,
        "y_turned": arrays["y"].T,
        "batch_flipped": arrays["batch"][::-1].copy(),
        "tall_turned": arrays["tall"].swapaxes(1, 2),
        "deep": rng.uniform(-1, 1, (2, 4, 3)).astype("float32"),
        "half_turned": rng.uniform(-1, 1, (4, 3)).astype("float16"),
        "half_edges": np.array([np.nan, np.inf, -np.inf, 1.5], "float16"),
        "flags": np.array([[0, 1, 1, 0], [1, 0, 1, 1], [0, 0, 1, 0]], "int32"),
        "complex": (rng.normal(size=(2, 3)) + 1j * rng.normal(size=(2, 3))).astype("complex64"),
    }


def _new_inputs(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "s": np.float32(0.75) * np.ones((), "float32"),
        "n": np.array(3, "int32"),
        "z": np.zeros((0, 3), "float32"),
        "c": rng.uniform(-2, 2, (3, 1)).astype("float32"),
        "r": rng.uniform(-2, 2, (4,)).astype("float32"),
        "q": rng.integers(-9, 10, (2, 3, 4)).astype("int16"),
        "m": rng.integers(0, 200, (3, 4)).astype("uint16"),
        "y": rng.integers(-100, 100, (3, 4)).astype("int8"),
        "o": rng.integers(0, 2**31, (3, 4)).astype("uint32"),
        "nans": np.where(rng.random((3, 4)) < 0.3, np.nan, rng.normal(size=(3, 4))).astype("float32"),
        "ties": rng.integers(0, 3, (4, 6)).astype("float32"),
        "wave": np.sin(np.arange(40) * 0.7).astype("float32").reshape(2, 20),
        "batch": (rng.normal(size=(2, 3, 3)) + 3 * np.eye(3)).astype("float32"),
        "tall": rng.normal(size=(2, 5, 3)).astype("float32"),
    }


_REDUCTIONS = """sum prod max min any all mean var std argmax argmin count_nonzero logsumexp median ptp
    average cumsum cumprod nansum nanmean nanmax nanmin nanprod nanvar nanstd nanargmax nanargmin nanmedian
    nancumsum nancumprod"""
REDUCTIONS = _REDUCTIONS.split()
MANY_AXES = [n for n in REDUCTIONS if "arg" not in n and "cum" not in n]
KEEP = [n for n in REDUCTIONS if "cum" not in n and n not in ("average", "count_nonzero")]
_BINARY = """add subtract multiply divide true_divide floor_divide mod power maximum minimum arctan2 logaddexp
    hypot fmod fmax fmin heaviside divide_no_nan ldexp equal less logical_and isclose"""
BINARY = _BINARY.split()
_UNARY = """absolute negative sign square sqrt rsqrt reciprocal exp log sin tanh sigmoid floor ceil round
    relu softplus isnan isfinite logical_not softmax sort argsort ravel flip cumsum mean sum max var std
    argmax zeros_like ones_like real angle signbit trunc gelu silu leaky_relu nan_to_num"""
UNARY = _UNARY.split()

NUMBERS = [
    (3, "3"),
    (-0.5, "-half"),
    (False, "false"),
    (np.float32(2), "f32"),
    (np.int32(2), "i32"),
]


def _attribute(name: str, **options: Any) -> Callable[[str], Case]:
    return lambda key: lambda ops, a: getattr(ops, name)(a[key], **options)


def _pair(name: str, left: str, right: str) -> Case:
    return lambda ops, a: getattr(ops, name)(a[left], a[right])


def reductions() -> dict[str, Case]:
    found: dict[str, Case] = {}
    for name in REDUCTIONS:
        for key in ("t", "q"):
            for axis in (1, -2):
                found[f"{name}-{key}-axis{axis}"] = _attribute(name, axis=axis)(key)
        found[f"{name}-s"] = _attribute(name)("s")
        found[f"{name}-nans"] = _attribute(name, axis=1)("nans")
        found[f"{name}-z0"] = _attribute(name, axis=0)("z")
        found[f"{name}-z1"] = _attribute(name, axis=1)("z")
        for key in ("m", "y", "o"):
            found[f"{name}-{key}"] = _attribute(name, axis=1)(key)
    for name in MANY_AXES:
        for axis in ((0, 2), (-1, 0), [1], ()):
            found[f"{name}-t-{axis}"] = _attribute(name, axis=axis)("t")
    for name in KEEP:
        for axis in (None, 1, -1):
            found[f"{name}-t-keep{axis}"] = _attribute(name, axis=axis, keepdims=True)("t")
    return found


def elementwise() -> dict[str, Case]:
    found: dict[str, Case] = {}
    for name in UNARY:
        for key in ("s", "z", "n", "q", "m", "y", "o"):
            found[f"{name}-{key}-u"] = _attribute(name)(key)
    for name in BINARY:
        for left, right in (
            ("f", "c"), ("c", "r"), ("s", "f"), ("t", "f"), ("z", "s"), ("n", "f"), ("y", "u"), ("y", "m"),
            ("q", "h"), ("o", "i"), ("o", "y"), ("m", "u"), ("b", "y"), ("u", "b"), ("n", "n"), ("h", "s"),
        ):  # fmt: skip
            found[f"{name}-{left}.{right}"] = _pair(name, left, right)
        for number, label in (
            (3, "3"),
            (-0.5, "-half"),
            (False, "false"),
            (np.float32(2), "f32"),
            (np.int32(2), "i32"),
        ):
            for key in ("y", "m", "s", "n", "h", "b"):
                found[f"{name}-{key}.{label}"] = lambda ops, a, n=name, k=key, v=number: getattr(ops, n)(
                    a[k], v
                )
        found[f"{name}-lists"] = lambda ops, a, n=name: getattr(ops, n)([1.5, 2.0], [3, 4])
        found[f"{name}-numbers"] = lambda ops, a, n=name: getattr(ops, n)(3, 2)
        found[f"{name}-floats"] = lambda ops, a, n=name: getattr(ops, n)(3.5, 2)
    return found


def variants() -> dict[str, Case]:
    """All cases by name."""
    return {**reductions(), **elementwise(), **MORE}


MORE: dict[str, Case] = {
    "arange-step": lambda ops, a: ops.arange(5, 0, -2),
    "arange-empty": lambda ops, a: ops.arange(3, 3),
    "arange-mixed": lambda ops, a: ops.arange(0, 2.5, 1),
    "arange-float-stop": lambda ops, a: ops.arange(3.0),
    "linspace-int": lambda ops, a: ops.linspace(0, 10, 4, dtype="int32"),
    "linspace-one": lambda ops, a: ops.linspace(2, 3, 1),
    "linspace-zero": lambda ops, a: ops.linspace(2, 3, 0),
    "linspace-retstep": lambda ops, a: ops.linspace(0, 1, 5, retstep=True),
    "linspace-ints": lambda ops, a: ops.linspace(a["i"], a["j"], 3),
    "logspace-base": lambda ops, a: ops.logspace(0, 3, 4, base=2, endpoint=False),
    "logspace-axis": lambda ops, a: ops.logspace(a["v"], a["v"] + 1, 3, axis=-1),
    "geomspace-open": lambda ops, a: ops.geomspace(1.0, 8.0, 3, endpoint=False),
    "full-float": lambda ops, a: ops.full((2,), 1.5),
    "full-bool": lambda ops, a: ops.full((2,), True),
    "full-dtype": lambda ops, a: ops.full((2, 2), 3, dtype="int8"),
    "full-array": lambda ops, a: ops.full((2, 4), a["r"]),
    "full_like-dtype": lambda ops, a: ops.full_like(a["f"], 2, dtype="int32"),
    "full_like-bool": lambda ops, a: ops.full_like(a["b"], 2),
    "ones_like-dtype": lambda ops, a: ops.ones_like(a["f"], dtype="int16"),
    "zeros-dtype": lambda ops, a: ops.zeros((2, 3), "uint8"),
    "zeros-int": lambda ops, a: ops.zeros(3),
    "ones-scalar": lambda ops, a: ops.ones(()),
    "eye-dtype": lambda ops, a: ops.eye(2, dtype="int32"),
    "eye-wide": lambda ops, a: ops.eye(2, 5, k=-1),
    "identity": lambda ops, a: ops.identity(3),
    "tri-k": lambda ops, a: ops.tri(4, k=2, dtype="int32"),
    "tril-int": lambda ops, a: ops.tril(a["q"], k=-1),
    "triu-bool": lambda ops, a: ops.triu(a["b"]),
    "diag-k": lambda ops, a: ops.diag(a["i"][0], k=2),
    "diag-far": lambda ops, a: ops.diag(a["f"], k=-2),
    "diagonal-offset": lambda ops, a: ops.diagonal(a["f"], offset=-1),
    "diagonal-axes": lambda ops, a: ops.diagonal(a["q"], axis1=2, axis2=0),
    "diagflat-k": lambda ops, a: ops.diagflat(a["r"], k=1),
    "trace-offset": lambda ops, a: ops.trace(a["q"], offset=1, axis1=-1, axis2=0),
    "trace-bool": lambda ops, a: ops.trace(a["b"]),
    "trace-small": lambda ops, a: ops.trace(a["u"]),
    "repeat-axis-1": lambda ops, a: ops.repeat(a["t"], 2, axis=-1),
    "repeat-scalar": lambda ops, a: ops.repeat(a["s"], 3),
    "repeat-list": lambda ops, a: ops.repeat(a["f"], [2, 0, 1], axis=0),
    "tile-int": lambda ops, a: ops.tile(a["f"], 2),
    "tile-long": lambda ops, a: ops.tile(a["v"], (2, 1, 2)),
    "tile-short": lambda ops, a: ops.tile(a["t"], (2,)),
    "roll-negative": lambda ops, a: ops.roll(a["q"], -3, axis=2),
    "roll-two": lambda ops, a: ops.roll(a["f"], (1, 2), axis=(0, 0)),
    "flip-axes": lambda ops, a: ops.flip(a["t"], axis=(0, -1)),
    "flip-one": lambda ops, a: ops.flip(a["q"], axis=1),
    "rot90-2": lambda ops, a: ops.rot90(a["f"], k=2),
    "rot90--1": lambda ops, a: ops.rot90(a["f"], k=-1),
    "transpose-axes": lambda ops, a: ops.transpose(a["t"], (1, -1, 0)),
    "swapaxes-neg": lambda ops, a: ops.swapaxes(a["t"], -1, 0),
    "moveaxis-one": lambda ops, a: ops.moveaxis(a["t"], -1, 0),
    "reshape-minus": lambda ops, a: ops.reshape(a["t"], (-1, 4)),
    "reshape-int": lambda ops, a: ops.reshape(a["t"], -1),
    "reshape-empty": lambda ops, a: ops.reshape(a["z"], (3, 0)),
    "squeeze": lambda ops, a: ops.squeeze(a["c"]),
    "squeeze-axis": lambda ops, a: ops.squeeze(a["c"], axis=-1),
    "squeeze-tuple": lambda ops, a: ops.squeeze(a["c"][None], axis=(0, 2)),
    "expand_dims-neg": lambda ops, a: ops.expand_dims(a["f"], -2),
    "expand_dims-scalar": lambda ops, a: ops.expand_dims(a["s"], 0),
    "broadcast_to": lambda ops, a: ops.broadcast_to(a["c"], (2, 3, 4)),
    "broadcast_to-scalar": lambda ops, a: ops.broadcast_to(3, (2,)),
    "concatenate-bools": lambda ops, a: ops.concatenate([a["b"], a["u"]], axis=0),
    "concatenate-empty": lambda ops, a: ops.concatenate([a["z"], a["z"]], axis=1),
    "concatenate-three": lambda ops, a: ops.concatenate([a["y"], a["h"], a["i"]], axis=1),
    "stack-neg": lambda ops, a: ops.stack([a["f"], a["i"]], axis=-1),
    "stack-scalars": lambda ops, a: ops.stack([1, 2.5]),
    "append-axis": lambda ops, a: ops.append(a["f"], a["g"], axis=1),
    "split-3": lambda ops, a: ops.split(a["t"], 3, axis=1),
    "split-list": lambda ops, a: ops.split(a["t"], [0, 2, 2], axis=-1),
    "array_split-list": lambda ops, a: ops.array_split(a["t"], [1], axis=0),
    "hsplit": lambda ops, a: ops.hsplit(a["f"], 2),
    "vsplit": lambda ops, a: ops.vsplit(a["f"], 3),
    "dsplit": lambda ops, a: ops.dsplit(a["t"], [1, 3]),
    "unstack-neg": lambda ops, a: ops.unstack(a["t"], axis=-2),
    "pad-mode": lambda ops, a: ops.pad(a["i"], ((1, 2), (0, 1)), mode="constant", constant_values=7),
    "pad-pair": lambda ops, a: ops.pad(a["v"], (1, 2)),
    "pad-one": lambda ops, a: ops.pad(a["f"], ((1, 2),)),
    "pad-edge": lambda ops, a: ops.pad(a["f"], ((1, 2), (2, 1)), mode="edge"),
    "pad-wrap": lambda ops, a: ops.pad(a["f"], ((1, 2), (2, 1)), mode="wrap"),
    "pad-mean": lambda ops, a: ops.pad(a["f"], 1, mode="mean"),
    "pad-maximum": lambda ops, a: ops.pad(a["f"], 1, mode="maximum"),
    "pad-ramp": lambda ops, a: ops.pad(a["f"], 1, mode="linear_ramp"),
    "take-neg": lambda ops, a: ops.take(a["t"], np.array([[0, -1]]), axis=-1),
    "take-scalar": lambda ops, a: ops.take(a["t"], 1, axis=1),
    "take-list": lambda ops, a: ops.take(a["f"], [2, 0], axis=0),
    "take_along_axis-0": lambda ops, a: ops.take_along_axis(a["f"], np.array([[2, 1, 0, -1]]), axis=0),
    "take_along_axis-none": lambda ops, a: ops.take_along_axis(a["f"], np.array([3, 11]), axis=None),
    "one_hot-float": lambda ops, a: ops.one_hot(np.array([[1, 0]]), 3, axis=1),
    "one_hot-bool": lambda ops, a: ops.one_hot(np.array([1, 0]), 3, dtype="bool"),
    "multi_hot-axis": lambda ops, a: ops.multi_hot(np.array([[0, 2], [1, 1]]), 3, axis=0),
    "multi_hot-1d": lambda ops, a: ops.multi_hot(np.array([0, 2]), 4, dtype="int32"),
    "where-one": lambda ops, a: ops.where(a["b"], a["f"], 0),
    "where-int": lambda ops, a: ops.where(a["i"], a["u"], a["y"]),
    "where-broadcast": lambda ops, a: ops.where(a["c"] > 0, a["r"], a["s"]),
    "where-numbers": lambda ops, a: ops.where(a["b"], 1, 2.5),
    "where-nonzero": lambda ops, a: ops.where(a["b"]),
    "clip-half": lambda ops, a: ops.clip(a["h"], -0.5, 0.5),
    "clip-uint": lambda ops, a: ops.clip(a["u"], 2, 5),
    "clip-arrays": lambda ops, a: ops.clip(a["f"], a["c"] - 1, a["c"] + 1),
    "diff-axis": lambda ops, a: ops.diff(a["q"], axis=0),
    "diff-bool": lambda ops, a: ops.diff(a["b"]),
    "diff-zero": lambda ops, a: ops.diff(a["f"], n=0),
    "cross-axes": lambda ops, a: ops.cross(a["t"], ops.flip(a["t"], 0), axis=1),
    "cross-mixed": lambda ops, a: ops.cross(a["f"][:, :2], a["g"][:, :3]),
    "cross-axisc": lambda ops, a: ops.cross(a["t"], a["t"] + 1, axisa=1, axisb=1, axisc=0),
    "average-keep": lambda ops, a: ops.average(a["i"], axis=0, weights=a["u"] + 1),
    "trapezoid-axis": lambda ops, a: ops.trapezoid(a["i"], axis=0),
    "vander-inc": lambda ops, a: ops.vander(a["l"], 4, increasing=True),
    "vander-none": lambda ops, a: ops.vander(a["v"]),
    "isin-invert": lambda ops, a: ops.isin(a["f"], a["f"][0], invert=True),
    "digitize-right": lambda ops, a: ops.digitize(a["i"], np.array([-2, 0, 3])),
    "searchsorted-right": lambda ops, a: ops.searchsorted(
        np.array([1, 2, 2, 3]), np.array([0, 2, 9]), side="right"
    ),
    "bincount-min": lambda ops, a: ops.bincount(np.array([1, 1, 3]), minlength=6),
    "matmul-dot": lambda ops, a: ops.matmul(a["v"], a["r"]),
    "matmul-vec-mat": lambda ops, a: ops.matmul(a["v"], a["w"]),
    "matmul-batches": lambda ops, a: ops.matmul(a["t"], ops.swapaxes(a["t"], 1, 2)),
    "matmul-broadcast": lambda ops, a: ops.matmul(a["t"][:, None], a["w"][None, None]),
    "matmul-int8": lambda ops, a: ops.matmul(a["y"], a["y_turned"]),
    "matmul-half": lambda ops, a: ops.matmul(a["h"], a["half_turned"]),
    "matmul-u8-i": lambda ops, a: ops.matmul(a["u"], a["j_turned"]),
    "einsum-trace": lambda ops, a: ops.einsum("nii->n", a["batch"]),
    "einsum-outer": lambda ops, a: ops.einsum("i,j", a["v"], a["r"]),
    "einsum-int8": lambda ops, a: ops.einsum("ij,kj->ik", a["y"], a["y"]),
    "einsum-sum": lambda ops, a: ops.einsum("ijk->j", a["t"]),
    "einsum-three": lambda ops, a: ops.einsum("ij,jk,ik->k", a["f"], a["w"][:, :3], a["f"][:, :3]),
    "einsum-mixed": lambda ops, a: ops.einsum("ij,ij->i", a["i"], a["f"]),
    "tensordot-0": lambda ops, a: ops.tensordot(a["v"], a["r"], axes=0),
    "tensordot-lists": lambda ops, a: ops.tensordot(a["t"], a["t"], axes=[[0, 1], [0, 1]]),
    "dot-scalar": lambda ops, a: ops.dot(a["f"], 2),
    "dot-ints": lambda ops, a: ops.dot(a["i"], a["j_turned"]),
    "dot-deep": lambda ops, a: ops.dot(a["f"], a["deep"]),
    "norm-keep": lambda ops, a: ops.norm(a["t"], axis=-1, keepdims=True),
    "norm-0": lambda ops, a: ops.norm(a["i"], ord=0, axis=1),
    "norm-3": lambda ops, a: ops.norm(a["f"], ord=3, axis=0),
    "norm-neg-inf": lambda ops, a: ops.norm(a["f"], ord=-np.inf, axis=0),
    "norm-2": lambda ops, a: ops.norm(a["f"], ord=2),
    "norm-nuc": lambda ops, a: ops.norm(a["t"], ord="nuc", axis=(1, 2)),
    "norm-matrix--2": lambda ops, a: ops.norm(a["t"], ord=-2, axis=(1, 2), keepdims=True),
    "norm-matrix-inf": lambda ops, a: ops.norm(a["t"], ord=np.inf, axis=(-2, -1)),
    "softmax-none": lambda ops, a: ops.softmax(a["f"], axis=None),
    "log_softmax-axis": lambda ops, a: ops.log_softmax(a["t"], axis=0),
    "softmax-axis-list": lambda ops, a: ops.softmax(a["t"], axis=[0, 1]),
    "leaky_relu-slope": lambda ops, a: ops.leaky_relu(a["f"], negative_slope=0.3),
    "elu-alpha": lambda ops, a: ops.elu(a["f"], alpha=0.5),
    "celu-alpha": lambda ops, a: ops.celu(a["f"], alpha=0.5),
    "glu-0": lambda ops, a: ops.glu(a["ties"], axis=0),
    "hard_shrink-t": lambda ops, a: ops.hard_shrink(a["f"], 1.0),
    "soft_shrink-t": lambda ops, a: ops.soft_shrink(a["f"], 1.0),
    "squareplus-b": lambda ops, a: ops.squareplus(a["f"], b=2),
    "threshold-args": lambda ops, a: ops.threshold(a["f"], 0.5, 3.0),
    "moments-keep": lambda ops, a: ops.moments(a["t"], axes=(1,), keepdims=True),
    "moments-int": lambda ops, a: ops.moments(a["i"], axes=[0]),
    "normalize-axes": lambda ops, a: ops.normalize(a["t"], axis=(1, 2)),
    "normalize-inf": lambda ops, a: ops.normalize(a["f"], axis=-1, order=4),
    "top_k-unsorted": lambda ops, a: (
        ops.top_k(a["ties"], 3, sorted=False)[0].shape and ops.top_k(a["ties"], 3)[0]
    ),
    "top_k-int": lambda ops, a: ops.top_k(a["u"], 2),
    "in_top_k-ties": lambda ops, a: ops.in_top_k(np.array([0, 1, 2, 3]), a["ties"], 1),
    "argpartition": lambda ops, a: ops.sort(
        ops.take_along_axis(a["f"], ops.argpartition(a["f"], 1)[:, :2], 1)
    ),
    "sort-none": lambda ops, a: ops.sort(a["ties"], axis=0),
    "sort-nans": lambda ops, a: ops.sort(a["nans"]),
    "argsort-0": lambda ops, a: ops.argsort(a["q"], axis=0),
    "quantile-scalar": lambda ops, a: ops.quantile(a["f"], 0.25),
    "quantile-2d": lambda ops, a: ops.quantile(a["t"], np.array([[0.1, 0.5]], "float32"), axis=(0, 1)),
    "quantile-lower": lambda ops, a: ops.quantile(a["f"], 0.3, axis=1, method="lower"),
    "quantile-higher": lambda ops, a: ops.quantile(a["f"], 0.3, axis=1, method="higher"),
    "quantile-midpoint": lambda ops, a: ops.quantile(a["f"], 0.3, axis=1, method="midpoint"),
    "quantile-int": lambda ops, a: ops.quantile(a["i"], 0.3, axis=0),
    "median-axes": lambda ops, a: ops.median(a["t"], axis=(0, 2), keepdims=True),
    "nanquantile-axis": lambda ops, a: ops.nanquantile(a["nans"], np.array([0.2, 0.7], "float32"), axis=1),
    "nanpercentile": lambda ops, a: ops.nanpercentile(a["nans"], 30, axis=0, keepdims=True),
    "segment_prod": lambda ops, a: ops.segment_prod(a["f"], a["l"], num_segments=4),
    "segment_min": lambda ops, a: ops.segment_min(
        a["i"], np.array([0, 0, 2], "int32"), num_segments=3, sorted=True
    ),
    "segment_sum-free": lambda ops, a: ops.segment_sum(a["f"], np.array([0, 0, 2], "int32")),
    "logsumexp-int": lambda ops, a: ops.logsumexp(a["i"], axis=1),
    "sum-initial": lambda ops, a: ops.min(a["f"], axis=1, initial=-0.5),
    "prod-dtype": lambda ops, a: ops.prod(a["i"], axis=1, dtype="float32"),
    "cumsum-dtype": lambda ops, a: ops.cumsum(a["i"], axis=1, dtype="float32"),
    "cumprod-dtype": lambda ops, a: ops.cumprod(a["f"], axis=-1, dtype="int32"),
    "count_nonzero-axes": lambda ops, a: ops.count_nonzero(a["i"], axis=(0, 1)),
    "round-neg": lambda ops, a: ops.round(a["f"] * 100, -1),
    "round-half": lambda ops, a: ops.round(a["h"], 1),
    "nan_to_num-half": lambda ops, a: ops.nan_to_num(a["half_edges"]),
    "cast-half": lambda ops, a: ops.cast(a["e"], "float16"),
    "cast-u8": lambda ops, a: ops.cast(a["i"], "uint8"),
    "cast-nan-bool": lambda ops, a: ops.cast(a["nans"], "bool"),
    "saturate_cast-int8": lambda ops, a: ops.saturate_cast(a["o"], "int8"),
    "saturate_cast-f": lambda ops, a: ops.saturate_cast(a["f"] * 1e6, "float16"),
    "convert-dtype": lambda ops, a: ops.convert_to_tensor([1, 2], dtype="float32"),
    "convert-bool": lambda ops, a: ops.convert_to_tensor([True, False]),
    "convert-mixed": lambda ops, a: ops.convert_to_tensor([1, 2.5]),
    "shape": lambda ops, a: np.array(ops.shape(a["t"])),
    "size": lambda ops, a: np.asarray(ops.size(a["t"])),
    "ndim": lambda ops, a: np.asarray(ops.ndim(a["t"])),
    "meshgrid-three": lambda ops, a: ops.meshgrid(a["v"], a["l"], a["r"]),
    "meshgrid-one": lambda ops, a: ops.meshgrid(a["v"]),
    "select-broadcast": lambda ops, a: ops.select([a["b"], a["c"] > 0], [a["i"], a["f"]], 2),
    "kron-1d": lambda ops, a: ops.kron(a["l"], a["v"]),
    "kron-mixed": lambda ops, a: ops.kron(a["f"], a["l"]),
    "inner-2d": lambda ops, a: ops.inner(a["f"], a["i"]),
    "outer-2d": lambda ops, a: ops.outer(a["l"], a["f"]),
    "unravel_index-2d": lambda ops, a: ops.unravel_index(np.array([[5, 0], [11, 3]], "int32"), (3, 4)),
    "slice-list": lambda ops, a: ops.slice(a["t"], [0, 1, 1], [2, 2, 3]),
    "slice_update-int": lambda ops, a: ops.slice_update(a["i"], [0, 1], np.ones((2, 2), "int32")),
    "scatter_update-add": lambda ops, a: ops.scatter_update(
        a["f"], np.array([[0], [2], [0]]), a["g"], reduction="add"
    ),
    "scatter_update-max": lambda ops, a: ops.scatter_update(
        a["f"], np.array([[0], [2], [0]]), a["g"], reduction="max"
    ),
    "scatter_update-mul": lambda ops, a: ops.scatter_update(
        a["f"], np.array([[0], [2], [0]]), a["g"], reduction="mul"
    ),
    "scatter-rows": lambda ops, a: ops.scatter(np.array([[2], [0], [2]]), a["f"], (4, 4)),
    "get_item": lambda ops, a: ops.get_item(a["t"], (slice(None), -1, None, slice(None, None, 2))),
    "binary_crossentropy-mixed": lambda ops, a: ops.binary_crossentropy(a["flags"], a["p"]),
    "categorical_crossentropy-1d": lambda ops, a: ops.categorical_crossentropy(a["p"][0], a["p"][1]),
    "sparse_categorical_crossentropy-axis": lambda ops, a: ops.sparse_categorical_crossentropy(
        np.array([0, 1, 2, 1]), a["p"], axis=0
    ),
    "correlate-full": lambda ops, a: ops.correlate(a["v"], a["l"], mode="full"),
    "correlate-valid": lambda ops, a: ops.correlate(a["l"], a["v"], mode="valid"),
    "correlate-same-even": lambda ops, a: ops.correlate(a["wave"][0], a["v"], mode="same"),
    "histogram-range": lambda ops, a: ops.histogram(a["f"], bins=5, range=(-1.0, 1.0)),
    "histogram-int": lambda ops, a: ops.histogram(a["i"], bins=3),
    "cdist-batch": lambda ops, a: ops.cdist(a["t"], a["t"][:, :2]),
    "corrcoef-1d": lambda ops, a: ops.corrcoef(a["v"]),
    "psnr-int": lambda ops, a: ops.psnr(a["u"], a["j"], 255),
    "nonzero-1d": lambda ops, a: ops.nonzero(a["l"]),
    "gcd-mixed": lambda ops, a: ops.gcd(a["y"], a["j"]),
    "window-0": lambda ops, a: ops.hanning(1),
    "kaiser-0": lambda ops, a: ops.kaiser(5, 0.0),
    "rfft-3d": lambda ops, a: ops.rfft(a["t"], fft_length=3),
    "rfft-long": lambda ops, a: ops.rfft(a["wave"], fft_length=32),
    "irfft-length": lambda ops, a: ops.irfft((a["f"], a["g"]), fft_length=5),
    "irfft-long": lambda ops, a: ops.irfft((a["f"], a["g"]), fft_length=10),
    "fft-3d": lambda ops, a: ops.fft((a["t"], a["t"] + 1)),
    "fft2-3d": lambda ops, a: ops.fft2((a["t"], a["t"] + 1)),
    "ifft2-3d": lambda ops, a: ops.ifft2((a["t"], a["t"] + 1)),
    "stft": lambda ops, a: ops.stft(a["wave"], 8, 4, 8),
    "stft-wide": lambda ops, a: ops.stft(a["wave"], 6, 3, 8),
    "stft-plain": lambda ops, a: ops.stft(a["wave"], 6, 3, 8, window=None, center=False),
    "stft-hamming": lambda ops, a: ops.stft(a["wave"][0], 8, 2, 8, window="hamming"),
    "stft-own": lambda ops, a: ops.stft(a["wave"], 5, 3, 7, window=np.arange(1, 6).astype("float32")),
    "istft": lambda ops, a: ops.istft(ops.stft(a["wave"], 8, 4, 8), 8, 4, 8),
    "istft-length": lambda ops, a: ops.istft(ops.stft(a["wave"], 8, 4, 8), 8, 4, 8, length=20),
    "istft-plain": lambda ops, a: ops.istft(
        ops.stft(a["wave"], 8, 4, 8, center=False), 8, 4, 8, center=False, window="hann"
    ),
    "istft-none": lambda ops, a: ops.istft(ops.stft(a["wave"], 8, 4, 8, window=None), 8, 4, 8, window=None),
    "istft-wide": lambda ops, a: ops.istft(ops.stft(a["wave"], 6, 3, 8), 6, 3, 8),
    "extract_sequences": lambda ops, a: ops.extract_sequences(a["wave"], 6, 4),
    "extract_sequences-3d": lambda ops, a: ops.extract_sequences(a["t"], 2, 1),
    "view-float": lambda ops, a: ops.view(a["i"], "float32"),
    "view-narrow": lambda ops, a: ops.view(a["i"], "int8"),
    "view-wide": lambda ops, a: ops.view(a["y"], "int16"),
    "view-none": lambda ops, a: ops.view(a["f"]),
    "rearrange-merge": lambda ops, a: ops.rearrange(a["t"], "a b c -> (a b) c"),
    "rearrange-split": lambda ops, a: ops.rearrange(a["t"], "a b (c d) -> d a b c", c=2),
    "rearrange-one": lambda ops, a: ops.rearrange(a["f"], "a b -> b 1 a"),
    "unique": lambda ops, a: ops.unique(a["ties"]),
    "unique-all": lambda ops, a: ops.unique(
        a["i"], return_index=True, return_inverse=True, return_counts=True
    ),
    "unique-axis": lambda ops, a: ops.unique(a["ties"] > 1, axis=1, return_inverse=True),
    "unique-size": lambda ops, a: ops.unique(a["ties"], size=5, fill_value=-1, return_counts=True),
    "unique-cut": lambda ops, a: ops.unique(a["ties"], size=2),
    "view_as_real": lambda ops, a: ops.view_as_real(a["complex"]),
    "view_as_complex": lambda ops, a: ops.view_as_real(ops.view_as_complex(a["f"][:, :2])),
    "complex-parts": lambda ops, a: [getattr(ops, n)(a["complex"]) for n in ("real", "imag", "angle", "abs")],
    "polar": lambda ops, a: ops.view_as_real(ops.polar(a["p"], a["f"])),
    "lu_factor": lambda ops, a: ops.lu_factor(a["batch"]),
    "lu_factor-tall": lambda ops, a: ops.lu_factor(a["tall"]),
    "eigh": lambda ops, a: ops.eigh(a["positive"])[0],
    "inv-batch": lambda ops, a: ops.inv(a["batch"]),
    "det-batch": lambda ops, a: ops.det(a["batch"]),
    "slogdet-batch": lambda ops, a: ops.slogdet(a["batch"]),
    "logdet-positive": lambda ops, a: ops.logdet(a["positive"]),
    "cholesky-upper": lambda ops, a: ops.cholesky(a["positive"], upper=True),
    "cholesky_inverse": lambda ops, a: ops.cholesky_inverse(ops.cholesky(a["positive"])),
    "cholesky_inverse-upper": lambda ops, a: ops.cholesky_inverse(
        ops.cholesky(a["positive"], upper=True), upper=True
    ),
    "solve-batch": lambda ops, a: ops.solve(a["batch"], a["tall_turned"]),
    "solve-vector": lambda ops, a: ops.solve(a["batch"][0], a["tall"][0, 0]),
    "solve_triangular": lambda ops, a: ops.solve_triangular(a["batch"], a["batch"]),
    "solve_triangular-lower": lambda ops, a: ops.solve_triangular(a["square"], a["v"], lower=True),
    "qr": lambda ops, a: [ops.absolute(part) for part in ops.qr(a["tall"])],
    "qr-complete": lambda ops, a: ops.absolute(ops.qr(a["tall"], mode="complete")[1]),
    "svd": lambda ops, a: ops.svd(a["tall"], full_matrices=False)[1],
    "svd-values": lambda ops, a: ops.svd(a["tall"], compute_uv=False),
    "svd-product": lambda ops, a: ops.matmul(
        ops.svd(a["tall"], full_matrices=False)[0] * ops.svd(a["tall"], full_matrices=False)[1][:, None],
        ops.svd(a["tall"], full_matrices=False)[2],
    ),
    "lstsq": lambda ops, a: ops.lstsq(a["tall"][0], a["tall"][1]),
    "lstsq-vector": lambda ops, a: ops.lstsq(a["tall"][0], a["tall"][1, :, 0]),
    "pinv": lambda ops, a: ops.pinv(a["tall"]),
    "matrix_rank": lambda ops, a: ops.matrix_rank(a["tall"]),
    "matrix_rank-tol": lambda ops, a: ops.matrix_rank(a["batch"], tol=2.0),
    "eig": lambda ops, a: ops.sort(ops.real(ops.eig(a["positive"])[0])),
    "vectorize": lambda ops, a: ops.vectorize(lambda x, y: x * y + 1)(a["f"], a["r"]),
    "vectorize-signature": lambda ops, a: ops.vectorize(ops.sum, signature="(n)->()")(a["t"]),
}
