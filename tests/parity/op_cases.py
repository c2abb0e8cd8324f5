"""Applications of public ops, run by Keras (make_ops_fixtures.py) and by kcompile (test_parity.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.parity.op_variants import more_inputs, variants

Case = Callable[[Any, dict[str, np.ndarray]], Any]


def inputs() -> dict[str, np.ndarray]:
    """Small arrays of several dtypes."""
    rng = np.random.default_rng(2024)
    arrays = {
        "f": rng.uniform(-2, 2, (3, 4)).astype("float32"),
        "g": rng.uniform(-2, 2, (3, 4)).astype("float32"),
        "p": rng.uniform(0.1, 0.9, (3, 4)).astype("float32"),
        "i": rng.integers(-5, 6, (3, 4)).astype("int32"),
        "j": rng.integers(1, 4, (3, 4)).astype("int32"),
        "u": rng.integers(0, 9, (3, 4)).astype("uint8"),
        "b": rng.random((3, 4)) < 0.5,
        "h": rng.uniform(-2, 2, (3, 4)).astype("float16"),
        "v": rng.uniform(-1, 1, (4,)).astype("float32"),
        "w": rng.uniform(-1, 1, (4, 5)).astype("float32"),
        "t": rng.uniform(-1, 1, (2, 3, 4)).astype("float32"),
        "x": rng.uniform(-1, 1, (2, 7, 6, 3)).astype("float32"),
        "k": rng.uniform(-1, 1, (3, 2, 3, 4)).astype("float32"),
        "l": np.array([1, 0, 3], "int32"),
        "e": np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, -2.5, 88.0, -88.0], "float32"),
    }
    w = arrays["w"][:, :4]
    return {
        **arrays,
        "j_turned": arrays["j"].T,
        "b_turned": arrays["b"].T,
        "b_float": arrays["b"].astype("float32"),
        "v_size": np.abs(arrays["v"]),
        "points": np.cumsum(arrays["p"][0]),
        "k_turned": np.swapaxes(arrays["k"], 2, 3),
        "x_first": np.moveaxis(arrays["x"], -1, 1),
        "x_deep": arrays["x"][:, :, :, :1] * np.arange(1, 5, dtype="float32"),
        "l_outside": np.array([1, -1, 4], "int32"),
        "rows": np.eye(4, dtype="float32")[arrays["l"]],
        "square": w + 3 * np.eye(4, dtype="float32"),
        "positive": w @ w.T + np.eye(4, dtype="float32"),
        "f_turned": arrays["f"].T,
        **more_inputs(),
    }


def _words(text: str) -> list[str]:
    return text.split()


UNARY = _words(
    """
    abs absolute arccos arccosh arcsin arcsinh arctan arctanh cbrt ceil cos cosh deg2rad exp exp2
    expm1 floor isfinite isinf isnan isneginf isposinf log log10 log1p log2 logical_not negative
    rad2deg reciprocal relu round rsqrt sigmoid sign signbit sin sinc sinh sqrt square tan tanh
    trunc erf erfinv softplus relu6 elu selu gelu silu softsign leaky_relu hard_sigmoid hard_silu
    hard_tanh log_sigmoid celu squareplus sparse_plus sparse_sigmoid soft_shrink hard_shrink
    tanh_shrink nan_to_num zeros_like ones_like sort argsort softmax log_softmax glu ravel flip
    fliplr flipud transpose normalize rms_normalization layer_normalization erfc fabs isreal real
    imag conj angle
    """
)

REDUCTIONS = _words(
    """
    sum prod max min amax amin any all mean var std argmax argmin count_nonzero logsumexp median ptp
    average cumsum cumprod nansum nanmean nanmax nanmin nanprod nanvar nanstd nanargmax nanargmin
    nancumsum nanmedian
    """
)

BINARY = _words(
    """
    add subtract multiply divide true_divide floor_divide mod power maximum minimum arctan2
    logaddexp logaddexp2 hypot fmod fmax fmin heaviside divide_no_nan ldexp equal not_equal less
    less_equal greater greater_equal logical_and logical_or logical_xor isclose inner outer vdot
    kron append where_like bitwise_and bitwise_or bitwise_xor left_shift right_shift gcd lcm
    nextafter
    """
)

SCALARS = {"two": 2, "half": 2.5, "true": True}


def cases() -> dict[str, Case]:
    """All cases by name."""
    found: dict[str, Case] = {}
    for name in UNARY:
        for kind in "fpibuh":
            found[f"{name}-{kind}"] = lambda ops, a, n=name, k=kind: getattr(ops, n)(a[k])
        found[f"{name}-special"] = lambda ops, a, n=name: getattr(ops, n)(
            a["e"][:8] if n == "glu" else a["e"]
        )
    for name in REDUCTIONS:
        for kind in "fibuh":
            for axis in (None, 0, -1):
                found[f"{name}-{kind}-{axis}"] = lambda ops, a, n=name, k=kind, x=axis: getattr(ops, n)(
                    a[k], axis=x
                )
        found[f"{name}-special"] = lambda ops, a, n=name: getattr(ops, n)(a["e"])
    for name in BINARY:
        for left, right in ("fg", "fi", "if", "ij", "fb", "ib", "bb", "uj", "uf", "hf", "hi", "uu"):
            found[f"{name}-{left}{right}"] = lambda ops, a, n=name, x=left, y=right: _binary(ops, n)(
                a[x], a[y]
            )
        for kind in "fibuh":
            for label, value in SCALARS.items():
                found[f"{name}-{kind}-{label}"] = lambda ops, a, n=name, k=kind, v=value: _binary(ops, n)(
                    a[k], v
                )
                found[f"{name}-{label}-{kind}"] = lambda ops, a, n=name, k=kind, v=value: _binary(ops, n)(
                    v, a[k]
                )
    found.update(MORE)
    found.update(variants())
    return found


def _binary(ops: Any, name: str) -> Callable[[Any, Any], Any]:
    if name == "where_like":
        return lambda x, y: ops.where(np.array([True, False, True, False]), x, y)
    return getattr(ops, name)


def conv_cases() -> dict[str, Case]:
    found: dict[str, Case] = {}
    for pool in ("max_pool", "average_pool"):
        for size, strides, padding in (
            (2, None, "valid"),
            (3, 2, "same"),
            ((2, 3), 1, "same"),
            (3, 2, "valid"),
        ):
            found[f"{pool}-{size}-{strides}-{padding}"] = (
                lambda ops, a, n=pool, z=size, s=strides, p=padding: getattr(ops, n)(a["x"], z, s, p)
            )
        found[f"{pool}-first"] = lambda ops, a, n=pool: getattr(ops, n)(
            a["x"], 2, 2, "same", "channels_first"
        )
    for strides, padding, rate in ((1, "valid", 1), (2, "same", 1), ((2, 1), "valid", 1), (1, "same", 2)):
        found[f"conv-{strides}-{padding}-{rate}"] = lambda ops, a, s=strides, p=padding, r=rate: ops.conv(
            a["x"], a["k"], s, p, dilation_rate=r
        )
        found[f"conv_transpose-{strides}-{padding}-{rate}"] = lambda ops, a, s=strides, p=padding, r=rate: (
            ops.conv_transpose(a["x"], a["k_turned"], s, p, dilation_rate=r)
        )
        found[f"depthwise-{strides}-{padding}-{rate}"] = lambda ops, a, s=strides, p=padding, r=rate: (
            ops.depthwise_conv(a["x"], a["k"][..., :2], s, p, dilation_rate=r)
        )
    return found


MORE: dict[str, Case] = {
    **conv_cases(),
    "take": lambda ops, a: ops.take(a["f"], a["l"], axis=1),
    "take-none": lambda ops, a: ops.take(a["f"], np.array([[0, 11], [-1, 5]])),
    "take-outside": lambda ops, a: ops.take(a["f"], np.array([0, 4, -5]), axis=1),
    "take-outside-ints": lambda ops, a: ops.take(a["i"], np.array([0, 4, -5]), axis=1),
    "take_along_axis": lambda ops, a: ops.take_along_axis(a["f"], a["l"][:, None], axis=1),
    "one_hot": lambda ops, a: ops.one_hot(np.array([0, 3, -1, 9, 2]), 4),
    "one_hot-axis": lambda ops, a: ops.one_hot(a["l"], 4, axis=0, dtype="int32"),
    "multi_hot": lambda ops, a: ops.multi_hot(np.array([[0, 2], [1, 1]]), 3),
    "arange": lambda ops, a: ops.arange(2, 11, 3),
    "arange-float": lambda ops, a: ops.arange(0.0, 1.0, 0.25),
    "arange-dtype": lambda ops, a: ops.arange(5, dtype="float32"),
    "linspace": lambda ops, a: ops.linspace(0, 1, 5),
    "linspace-open": lambda ops, a: ops.linspace(a["v"], a["v"] + 2, 4, endpoint=False, axis=1),
    "logspace": lambda ops, a: ops.logspace(0, 2, 5),
    "geomspace": lambda ops, a: ops.geomspace(1, 16, 5),
    "eye": lambda ops, a: ops.eye(3, 4, k=1),
    "tri": lambda ops, a: ops.tri(3, 4, k=-1),
    "tril": lambda ops, a: ops.tril(a["f"], k=1),
    "triu": lambda ops, a: ops.triu(a["t"], k=-1),
    "full": lambda ops, a: ops.full((2, 2), 3),
    "full_like": lambda ops, a: ops.full_like(a["i"], 2.7),
    "repeat": lambda ops, a: ops.repeat(a["f"], 2, axis=1),
    "repeat-none": lambda ops, a: ops.repeat(a["f"], 3),
    "repeat-each": lambda ops, a: ops.repeat(a["f"], np.array([1, 0, 2]), axis=0),
    "tile": lambda ops, a: ops.tile(a["f"], (2, 1, 3)),
    "roll": lambda ops, a: ops.roll(a["f"], 5),
    "roll-axes": lambda ops, a: ops.roll(a["f"], (1, -2), axis=(0, 1)),
    "split": lambda ops, a: ops.split(a["f"], 2, axis=1),
    "split-at": lambda ops, a: ops.split(a["f"], [1, 3], axis=1),
    "array_split": lambda ops, a: ops.array_split(a["f"], 3, axis=1),
    "unstack": lambda ops, a: ops.unstack(a["f"], axis=1),
    "swapaxes": lambda ops, a: ops.swapaxes(a["t"], 0, 2),
    "moveaxis": lambda ops, a: ops.moveaxis(a["t"], (0, 1), (2, 0)),
    "rot90": lambda ops, a: ops.rot90(a["t"], k=3, axes=(1, 2)),
    "hstack": lambda ops, a: ops.hstack([a["f"], a["g"]]),
    "vstack": lambda ops, a: ops.vstack([a["v"], a["v"]]),
    "dstack": lambda ops, a: ops.dstack([a["v"], a["v"]]),
    "concatenate-mixed": lambda ops, a: ops.concatenate([a["f"], a["i"]], axis=-1),
    "concatenate": lambda ops, a: ops.concatenate([a["f"], a["g"]]),
    "stack": lambda ops, a: ops.stack([a["f"], a["g"]], axis=1),
    "meshgrid": lambda ops, a: ops.meshgrid(a["v"], a["l"]),
    "meshgrid-ij": lambda ops, a: ops.meshgrid(a["v"], a["l"], indexing="ij"),
    "diagonal": lambda ops, a: ops.diagonal(a["t"], 1, 1, 2),
    "diag": lambda ops, a: ops.diag(a["v"], k=-1),
    "diag-2d": lambda ops, a: ops.diag(a["f"], k=1),
    "diagflat": lambda ops, a: ops.diagflat(a["f"]),
    "trace": lambda ops, a: ops.trace(a["f"]),
    "unravel_index": lambda ops, a: ops.unravel_index(np.array([5, 0, 11], "int32"), (3, 4)),
    "slice": lambda ops, a: ops.slice(a["f"], (1, 1), (2, 2)),
    "slice-clamped": lambda ops, a: ops.slice(a["f"], np.array([2, 3]), (2, 2)),
    "slice_update": lambda ops, a: ops.slice_update(a["f"], (1, 2), a["g"][:2, :2]),
    "scatter": lambda ops, a: ops.scatter(
        np.array([[0, 1], [2, 0]]), np.array([1.0, 2.0], "float32"), (3, 2)
    ),
    "scatter_update": lambda ops, a: ops.scatter_update(
        a["f"], np.array([[0, 1], [2, 0]]), np.array([1.0, 2.0], "float32")
    ),
    "clip": lambda ops, a: ops.clip(a["f"], -0.5, 0.5),
    "clip-int": lambda ops, a: ops.clip(a["i"], -2, 2),
    "clip-mixed": lambda ops, a: ops.clip(a["i"], -1.5, 1.5),
    "clip-bool": lambda ops, a: ops.clip(a["b"], 0, 1),
    "diff": lambda ops, a: ops.diff(a["f"], n=2),
    "cross": lambda ops, a: ops.cross(a["f"][:, :3], a["g"][:, :3]),
    "cross-2d": lambda ops, a: ops.cross(a["f"][:, :2], a["g"][:, :2]),
    "average-weights": lambda ops, a: ops.average(a["f"], axis=1, weights=a["v_size"]),
    "trapezoid": lambda ops, a: ops.trapezoid(a["f"], dx=0.5),
    "trapezoid-x": lambda ops, a: ops.trapezoid(a["f"], x=a["points"]),
    "select": lambda ops, a: ops.select([a["b"], a["f"] > 0], [a["f"], a["g"]], default=7.0),
    "nan_to_num-values": lambda ops, a: ops.nan_to_num(a["e"], nan=1.0, posinf=2.0, neginf=-2.0),
    "vander": lambda ops, a: ops.vander(a["v"], 3),
    "isin": lambda ops, a: ops.isin(a["i"], np.array([1, 2, 3])),
    "digitize": lambda ops, a: ops.digitize(a["f"], np.array([-1.0, 0.0, 1.0], "float32")),
    "searchsorted": lambda ops, a: ops.searchsorted(np.array([-1.0, 0.0, 1.0], "float32"), a["v"]),
    "bincount": lambda ops, a: ops.bincount(np.array([1, 1, 3])),
    "bincount-weights": lambda ops, a: ops.bincount(
        np.array([[1, 1], [3, 0]]), weights=np.array([[1.0, 2.0], [0.5, 1.0]], "float32"), minlength=5
    ),
    "matmul": lambda ops, a: ops.matmul(a["f"], a["w"]),
    "matmul-vector": lambda ops, a: ops.matmul(a["f"], a["v"]),
    "matmul-ints": lambda ops, a: ops.matmul(a["i"], a["j_turned"]),
    "matmul-mixed": lambda ops, a: ops.matmul(a["i"], a["w"]),
    "matmul-bools": lambda ops, a: ops.matmul(a["b"], a["b_turned"]),
    "matmul-batch": lambda ops, a: ops.matmul(a["t"], a["w"]),
    "einsum": lambda ops, a: ops.einsum("nij,jk->nik", a["t"], a["w"]),
    "einsum-dots": lambda ops, a: ops.einsum("...j,jk->...k", a["t"], a["w"]),
    "tensordot": lambda ops, a: ops.tensordot(a["t"], a["w"], axes=1),
    "dot": lambda ops, a: ops.dot(a["t"], a["w"]),
    "norm": lambda ops, a: ops.norm(a["f"]),
    "norm-1": lambda ops, a: ops.norm(a["f"], ord=1, axis=1),
    "norm-inf": lambda ops, a: ops.norm(a["f"], ord=np.inf, axis=1),
    "norm-fro": lambda ops, a: ops.norm(a["t"], ord="fro", axis=(1, 2)),
    "norm-matrix-1": lambda ops, a: ops.norm(a["f"], ord=1),
    "softmax-axis": lambda ops, a: ops.softmax(a["t"], axis=1),
    "softmax-axes": lambda ops, a: ops.softmax(a["t"], axis=(1, 2)),
    "gelu-exact": lambda ops, a: ops.gelu(a["f"], approximate=False),
    "gelu-far": lambda ops, a: ops.gelu(np.array([-6.0, -4.0, 5.0], "float32"), approximate=False),
    "sparsemax": lambda ops, a: ops.sparsemax(a["f"]),
    "threshold": lambda ops, a: ops.threshold(a["f"], 0.2, -1.0),
    "glu-axis": lambda ops, a: ops.glu(a["f"], axis=1),
    "moments": lambda ops, a: ops.moments(a["t"], axes=[0, 2], keepdims=True),
    "moments-half": lambda ops, a: ops.moments(a["h"], axes=[0]),
    "batch_normalization": lambda ops, a: ops.batch_normalization(
        a["t"], a["v"], a["v_size"], -1, offset=a["v"], scale=a["v"] + 2, epsilon=1e-3
    ),
    "layer_normalization-affine": lambda ops, a: ops.layer_normalization(a["t"], a["v"], a["v"] + 1, axis=-1),
    "layer_normalization-two": lambda ops, a: ops.layer_normalization(a["t"], axis=(1, 2), epsilon=0.1),
    "layer_normalization-rms": lambda ops, a: ops.layer_normalization(a["t"], a["v"], rms_scaling=True),
    "rms_normalization-scale": lambda ops, a: ops.rms_normalization(a["t"], a["v"]),
    "normalize-1": lambda ops, a: ops.normalize(a["f"], axis=0, order=1),
    "normalize-3": lambda ops, a: ops.normalize(a["f"], order=3),
    "normalize-zero": lambda ops, a: ops.normalize(np.zeros((2, 3), "float32")),
    "psnr": lambda ops, a: ops.psnr(a["f"], a["g"], 4.0),
    "binary_crossentropy": lambda ops, a: ops.binary_crossentropy(a["b_float"], a["p"]),
    "binary_crossentropy-sure": lambda ops, a: ops.binary_crossentropy(
        np.array([0.0, 1.0, 0.0, 1.0], "float32"), np.array([0.0, 1.0, 1.0, 0.0], "float32")
    ),
    "binary_crossentropy-logits": lambda ops, a: ops.binary_crossentropy(a["b_float"], a["f"] * 20, True),
    "categorical_crossentropy": lambda ops, a: ops.categorical_crossentropy(a["rows"], a["p"]),
    "categorical_crossentropy-logits": lambda ops, a: ops.categorical_crossentropy(a["p"], a["f"], True),
    "categorical_crossentropy-axis": lambda ops, a: ops.categorical_crossentropy(a["p"], a["p"], axis=0),
    "sparse_categorical_crossentropy": lambda ops, a: ops.sparse_categorical_crossentropy(a["l"], a["p"]),
    "sparse_categorical_crossentropy-logits": lambda ops, a: ops.sparse_categorical_crossentropy(
        a["l"][:, None], a["f"] * 30, True
    ),
    "sparse_categorical_crossentropy-outside": lambda ops, a: ops.sparse_categorical_crossentropy(
        a["l_outside"], a["p"]
    ),
    "sparse_categorical_crossentropy-softmax": lambda ops, a: ops.sparse_categorical_crossentropy(
        a["l"], ops.softmax(a["f"] * 30)
    ),
    "top_k": lambda ops, a: ops.top_k(a["f"], 2),
    "top_k-ties": lambda ops, a: ops.top_k(a["i"], 3),
    "in_top_k": lambda ops, a: ops.in_top_k(a["l"], a["f"], 2),
    "argsort-none": lambda ops, a: ops.argsort(a["i"], axis=None),
    "sort-axis": lambda ops, a: ops.sort(a["f"], axis=0),
    "quantile": lambda ops, a: ops.quantile(a["f"], np.array([0.1, 0.5], "float32"), axis=1),
    "quantile-nearest": lambda ops, a: ops.quantile(a["f"], 0.3, method="nearest", keepdims=True),
    "percentile": lambda ops, a: ops.percentile(a["f"], 30, axis=0),
    "segment_sum": lambda ops, a: ops.segment_sum(a["f"], a["l"], num_segments=4),
    "segment_max": lambda ops, a: ops.segment_max(a["f"], a["l"], num_segments=4),
    "logsumexp-axes": lambda ops, a: ops.logsumexp(a["t"], axis=(0, 2), keepdims=True),
    "max-initial": lambda ops, a: ops.max(a["f"], axis=0, initial=0.5),
    "std-keepdims": lambda ops, a: ops.std(a["f"], axis=1, keepdims=True),
    "argmax-keepdims": lambda ops, a: ops.argmax(a["f"], axis=1, keepdims=True),
    "round-2": lambda ops, a: ops.round(a["f"], 2),
    "round-int": lambda ops, a: ops.round(a["i"], -1),
    "pad": lambda ops, a: ops.pad(a["f"], ((1, 0), (0, 2)), constant_values=1.5),
    "pad-reflect": lambda ops, a: ops.pad(a["f"], ((1, 1), (2, 1)), mode="reflect"),
    "pad-symmetric": lambda ops, a: ops.pad(a["f"], 1, mode="symmetric"),
    "cast-int": lambda ops, a: ops.cast(a["f"] * 3, "int32"),
    "cast-bool": lambda ops, a: ops.cast(a["i"], "bool"),
    "saturate_cast": lambda ops, a: ops.saturate_cast(a["f"] * 300, "uint8"),
    "expand_dims": lambda ops, a: ops.expand_dims(a["f"], (0, -1)),
    "attention": lambda ops, a: ops.dot_product_attention(a["x"], a["x"] * 2, a["x"] * 3),
    "attention-causal": lambda ops, a: ops.dot_product_attention(
        a["x"], a["x"] * 2, a["x"] * 3, is_causal=True
    ),
    "depth_to_space": lambda ops, a: ops.depth_to_space(a["x_deep"], 2),
    "space_to_depth": lambda ops, a: ops.space_to_depth(a["x"][:, :6], 2),
    "unfold": lambda ops, a: ops.unfold(a["x_first"], 2),
    "fold": lambda ops, a: ops.fold(ops.unfold(a["x_first"], 2), (7, 6), 2),
    "tensor-erf-dtype": lambda ops, a: ops.erf(a["h"]),
    "cdist": lambda ops, a: ops.cdist(a["f"], a["g"]),
    "corrcoef": lambda ops, a: ops.corrcoef(a["f"]),
    "correlate": lambda ops, a: ops.correlate(a["v"], a["w"][:, 0][:3], mode="same"),
    "histogram": lambda ops, a: ops.histogram(a["v"], bins=4),
    "nanquantile": lambda ops, a: ops.nanquantile(a["e"][3:], 0.3),
    "nonzero": lambda ops, a: ops.nonzero(a["i"]),
    "i0": lambda ops, a: ops.i0(a["f"]),
    "fft": lambda ops, a: ops.fft((a["f"], a["g"])),
    "fft2": lambda ops, a: ops.fft2((a["f"], a["g"])),
    "ifft2": lambda ops, a: ops.ifft2((a["f"], a["g"])),
    "rfft": lambda ops, a: ops.rfft(a["f"]),
    "rfft-length": lambda ops, a: ops.rfft(a["f"], 6),
    "irfft": lambda ops, a: ops.irfft((a["f"], a["g"])),
    "bartlett": lambda ops, a: ops.bartlett(7),
    "blackman": lambda ops, a: ops.blackman(7),
    "hamming": lambda ops, a: ops.hamming(7),
    "hanning": lambda ops, a: ops.hanning(7),
    "kaiser": lambda ops, a: ops.kaiser(7, 3.0),
    "inv": lambda ops, a: ops.inv(a["square"]),
    "solve": lambda ops, a: ops.solve(a["square"], a["f_turned"]),
    "det": lambda ops, a: ops.det(a["square"]),
    "cholesky": lambda ops, a: ops.cholesky(a["positive"]),
    "view_int": lambda ops, a: ops.view(a["f"], "int32"),
    "rearrange": lambda ops, a: ops.rearrange(a["t"], "a (b c) d -> a c (b d)", b=3),
    "vectorized_map": lambda ops, a: ops.vectorized_map(lambda r: ops.sum(r) * 2, a["f"]),
    "map": lambda ops, a: ops.map(lambda r: r * 2, a["f"]),
    "scan": lambda ops, a: ops.scan(lambda c, r: (c + r, c * 2), a["v"], a["f"]),
    "while_loop": lambda ops, a: ops.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s * 2), (0, a["v"])),
    "fori_loop": lambda ops, a: ops.fori_loop(0, 3, lambda i, s: s + i, a["v"]),
    "cond": lambda ops, a: ops.cond(np.array(True), lambda: a["f"], lambda: a["g"]),
    "switch": lambda ops, a: ops.switch(np.array(1), [lambda x: x, lambda x: x * 2], a["f"]),
    "associative_scan": lambda ops, a: ops.associative_scan(lambda x, y: x + y, a["f"], axis=1),
}
