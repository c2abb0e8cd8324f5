"""Public functions of ops that are written with other ops, compiled, against the same functions on arrays."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.core import tree
from kcompile.ir.graph import Graph
from kcompile.ir.op import constant, make_parameter
from kcompile.ir.types import TensorType

RNG = np.random.default_rng(3)
ARRAYS = {
    "x": RNG.normal(size=(4, 9)).astype("float32"),
    "line": RNG.normal(size=(13,)).astype("float32"),
    "ties": RNG.integers(0, 4, (3, 7)).astype("float32"),
    "ints": RNG.integers(-60, 60, (5, 3)).astype("int32"),
    "others": RNG.integers(1, 40, (3,)).astype("int32"),
    "small": RNG.integers(0, 200, (2, 8)).astype("uint8"),
    "holes": np.where(RNG.random((4, 6)) < 0.4, np.nan, RNG.normal(size=(4, 6))).astype("float32"),
    "square": (RNG.normal(size=(2, 4, 4)) + 3 * np.eye(4)).astype("float32"),
    "tall": RNG.normal(size=(5, 3)).astype("float32"),
    "wave": np.sin(np.arange(40) * 0.7).astype("float32").reshape(2, 20),
    "rows": np.array([[1, 0, 2], [0, 3, 1], [1, 0, 1], [0, 3, 1], [1, 0, 2], [0, 2, 9]], "float32"),
    "double": RNG.normal(size=(3, 2)),
}

CASES = {
    "gcd": lambda a: ops.gcd(a["ints"], a["others"]),
    "lcm": lambda a: ops.lcm(a["ints"], a["others"]),
    "i0": lambda a: ops.i0(a["x"] * 9),
    "i0-far": lambda a: ops.i0(a["x"] * 1e38),
    "isfinite-ints": lambda a: (ops.isfinite(a["ints"]), ops.isinf(a["small"]), ops.isfinite(a["ints"] > 0)),
    "shift-left": lambda a: ops.left_shift(a["ints"], ops.flip(a["ints"])),
    "shift-right": lambda a: ops.right_shift(a["ints"], ops.flip(a["ints"])),
    "shift-unsigned": lambda a: (ops.left_shift(a["small"], 3), ops.right_shift(a["small"], a["small"] - 9)),
    "arccosh-anywhere": lambda a: ops.arccosh(a["x"] * 1e38),
    "root-of-infinity": lambda a: ops.power(a["line"] * -np.inf, 0.5),
    "ldexp-far": lambda a: ops.ldexp(a["x"] * 1e-20, a["ints"][:1, 0] * 0 + 150),
    "histogram": lambda a: ops.histogram(a["line"], bins=5),
    "histogram-range": lambda a: ops.histogram(a["line"], bins=4, range=(-1.0, 0.5)),
    "nextafter": lambda a: ops.nextafter(a["x"], ops.flip(a["x"], 1)),
    "nextafter-zero": lambda a: ops.nextafter(a["ties"] * 0, a["ties"] - 1),
    "nextafter-double": lambda a: ops.nextafter(a["double"], 0.0),
    "view": lambda a: ops.view(a["x"], "int32"),
    "view-narrow": lambda a: ops.view(a["x"], "uint8"),
    "view-wide": lambda a: ops.view(a["small"], "float32"),
    "view-double": lambda a: ops.view(a["double"], "int64"),
    "view-halves": lambda a: ops.view(a["double"], "int32"),
    "view-float16": lambda a: ops.view(ops.cast(a["x"], "float16"), "uint8"),
    "view-to-bfloat16": lambda a: ops.view(ops.cast(a["x"], "float32"), "bfloat16"),
    "view-bool": lambda a: ops.view(a["small"], "bool"),
    "rearrange": lambda a: ops.rearrange(a["x"], "a (b c) -> c (a b)", c=3),
    "vectorize": lambda a: ops.vectorize(lambda r, s: ops.sum(r) * s, signature="(n),()->()")(a["x"], 2.0),
    "unique": lambda a: ops.unique(
        a["ties"], return_index=True, return_inverse=True, return_counts=True, size=6, fill_value=9
    ),
    "unique-rows": lambda a: ops.unique(
        a["rows"], return_index=True, return_inverse=True, return_counts=True, axis=0, size=5, fill_value=9
    ),
    "unique-columns": lambda a: ops.unique(a["rows"], return_inverse=True, axis=-1, size=2),
    "unique-slices": lambda a: ops.unique(ops.reshape(a["rows"], (3, 2, 3)), axis=1, size=2),
    "unique-cut": lambda a: ops.unique(a["ints"], size=3),
    "fft": lambda a: ops.fft((a["x"], a["x"] * 2)),
    "fft2": lambda a: ops.ifft2(ops.fft2((a["x"], a["x"] * 2))),
    "rfft": lambda a: ops.rfft(a["wave"], fft_length=24),
    "irfft": lambda a: ops.irfft(ops.rfft(a["wave"])),
    "stft": lambda a: ops.stft(a["wave"], 7, 3, 8),
    "istft": lambda a: ops.istft(ops.stft(a["wave"], 8, 2, 8), 8, 2, 8),
    "extract_sequences": lambda a: ops.extract_sequences(a["wave"], 6, 4),
    "sort": lambda a: ops.sort(a["holes"]),
    "argsort": lambda a: ops.argsort(a["ties"], axis=0),
    "top_k": lambda a: ops.top_k(a["ties"], 3),
    "median": lambda a: ops.median(a["x"], axis=(0, 1)),
    "quantile": lambda a: ops.quantile(a["x"], [0.1, 0.8], axis=1, method="nearest"),
    "nanmedian": lambda a: ops.nanmedian(a["holes"], axis=1),
    "nanquantile": lambda a: ops.nanquantile(a["holes"], 0.3, axis=0, keepdims=True),
    "searchsorted": lambda a: ops.searchsorted(ops.sort(a["line"]), a["x"]),
    "bincount": lambda a: ops.bincount(ops.cast(a["ties"], "int32"), minlength=5),
    "cumsum": lambda a: ops.cumsum(a["ints"], axis=0),
    "cumprod": lambda a: ops.cumprod(a["x"], axis=1),
    "power": lambda a: ops.power(a["ints"], a["others"] % 5),
    "power-negative": lambda a: ops.power(a["ints"] // 30, -1 * a["others"]),
    "inv": lambda a: ops.inv(a["square"]),
    "solve": lambda a: ops.solve(a["square"], a["square"][:, 0]),
    "cholesky": lambda a: ops.cholesky(ops.matmul(a["square"], ops.swapaxes(a["square"], 1, 2)), upper=True),
    "svd": lambda a: ops.svd(a["tall"], full_matrices=True)[1:],
    "svd-wide": lambda a: ops.svd(ops.transpose(a["tall"]), full_matrices=False),
    "lstsq": lambda a: ops.lstsq(a["tall"], a["tall"][:, 0] + 1),
    "pinv": lambda a: ops.pinv(a["tall"]),
    "matrix_rank": lambda a: ops.matrix_rank(ops.concatenate([a["tall"], a["tall"]], axis=1)),
    "norm-2": lambda a: ops.norm(a["square"], ord=2, axis=(1, 2)),
    "norm-nuc": lambda a: ops.norm(a["square"], ord="nuc", axis=(0, 1), keepdims=True),
    **{
        f"pad-{mode}": lambda a, m=mode: ops.pad(a["x"], ((1, 2), (0, 3)), mode=m)
        for mode in ("edge", "wrap", "reflect", "maximum", "mean", "median", "linear_ramp")
    },
}  # fmt: skip


def compiled(names: list[str]) -> dict[str, list[np.ndarray]]:
    """The results of these cases, computed by one program."""
    parameters = {k: make_parameter(k, TensorType(v.shape, v.dtype.name)) for k, v in ARRAYS.items()}
    leaves = {name: [constant(y) for y in tree.flatten(CASES[name](parameters))] for name in names}
    program = compile_graph(Graph(list(parameters.values()), [y for found in leaves.values() for y in found]))
    results = iter(program(*ARRAYS.values()))
    return {name: [next(results) for _ in found] for name, found in leaves.items()}


@pytest.fixture(scope="module")
def results():
    return compiled(list(CASES))


@pytest.mark.parametrize("name", CASES)
def test_compiled_as_on_arrays(name, results):
    wanted = [np.asarray(leaf) for leaf in tree.flatten(CASES[name](ARRAYS))]
    assert len(results[name]) == len(wanted)
    for got, want in zip(results[name], wanted, strict=True):
        assert (got.shape, got.dtype) == (want.shape, want.dtype)
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)


def test_whole_singular_vectors():
    """Vectors beyond the singular values are not unique: only what they are for is looked at."""
    u, s, v = ops.svd(ARRAYS["tall"], full_matrices=True)
    np.testing.assert_allclose(u @ u.T, np.eye(5), atol=1e-6)
    np.testing.assert_allclose(u[:, :3] * s @ v, ARRAYS["tall"], atol=1e-6)


def test_singular_values_of_a_matrix_without_full_rank():
    x = np.outer(np.arange(1, 5), np.arange(1, 4)).astype("float32")
    parameter = make_parameter("x", TensorType(x.shape, "float32"))
    u, s, v = ops.svd(parameter, full_matrices=False)
    u, s, v = compile_graph(Graph([parameter], [u, s, v]))(x)
    np.testing.assert_allclose(s[1:], 0, atol=1e-5)
    np.testing.assert_allclose(u.T @ u, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(u * s @ v, x, rtol=1e-5)
