"""What ops once took for something else: None, fractions as axes, dilations of 0; and results of nothing."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops

X = np.array([[0.3, 0.7, -0.2], [0.5, -0.9, 0.1]], "float32")
ROWS, FILTERS = np.ones((1, 5, 2), "float32"), np.ones((2, 2, 3), "float32")

REFUSED = {
    "none-first": (lambda: ops.add(None, X), ValueError, "None is not a valid operand"),
    "none-second": (lambda: ops.multiply(X, None), ValueError, "None is not a valid operand"),
    "none-alone": (lambda: ops.exp(None), ValueError, "None is not a valid operand"),
    "none-tensor": (lambda: ops.convert_to_tensor(None), ValueError, "None is not a valid operand"),
    "none-compared": (lambda: ops.less(None, X), ValueError, "None is not a valid operand"),
    "fraction": (lambda: ops.sum(X, axis=0.5), TypeError, "`axis` must be an int.*axis=0.5"),
    "fractions": (lambda: ops.prod(X, axis=(0, 0.5)), TypeError, r"`axis` must be an int.*\(0, 0.5\)"),
    "dilation": (lambda: ops.conv(ROWS, FILTERS, dilation_rate=0), TypeError, "dilations must be positive"),
    "stride": (lambda: ops.conv(ROWS, FILTERS, strides=0), ValueError, "strides"),
    "text": (lambda: ops.add("a", X), TypeError, "'a'|<U1"),
    "text-alone": (lambda: ops.exp("a"), TypeError, "Text is no operand.*'a'"),
    "axis-list": (lambda: ops.cumsum(X, axis=[0]), TypeError, r"cumsum: `axis` must be an int.*\[0\]"),
    "axis-text": (lambda: ops.stack([X, X], axis="a"), TypeError, "`axis` must be an int.*a"),
    "condition": (lambda: ops.cond(None, lambda: X, lambda: X), TypeError, "`pred`.*None"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, kind, message = REFUSED[name]
    with pytest.raises(kind, match=message):
        call()


def test_nothing_has_the_dtype_of_a_result():
    """A sum or product over no axes has the dtype that it has over some."""
    assert [ops.prod(True).dtype, ops.nansum(True).dtype, ops.sum(np.int8(3)).dtype] == ["int32"] * 3
    assert ops.sum(X, axis=()).tolist() == X.tolist()


def test_loops_without_steps():
    assert ops.map(lambda row: row + 1, np.ones((0, 3), "float32")).shape == (0, 3)
    total, (carries, rows) = ops.scan(lambda c, x: (c + 1, (c, x)), np.float32(0), np.ones((0, 2), "float32"))
    assert total == 0 and carries.shape == (0,) and rows.shape == (0, 2)


@pytest.mark.parametrize("run", [lambda f: f, keras.jit], ids=["eager", "compiled"])
def test_geomspace_between_negative_numbers(run):
    found = run(lambda a, b: ops.geomspace(a, b, 5))(X, X * 16)
    np.testing.assert_allclose(found, np.geomspace(X, X * 16, 5), rtol=1e-5)
    along = run(lambda a, b: ops.geomspace(a, b, 4, axis=-1))(-X[0], -2 * X[0])
    np.testing.assert_allclose(along, np.geomspace(-X[0], -2 * X[0], 4, axis=-1), rtol=1e-5)
    assert np.isnan(ops.geomspace(-1.0, 2.0, 3)).any()


def test_a_window_of_one_point_keeps_it():
    frames = (np.ones((2, 3, 3), "float32"), np.ones((2, 3, 3), "float32"))
    assert np.allclose(ops.istft(frames, 1, 2, 4), [[0, -0.5, 0, -0.5]] * 2)  # Keras's numbers
    assert np.all(np.asarray(ops.stft(np.ones((1, 8), "float32"), 1, 1, 2)[0]) == 1)
