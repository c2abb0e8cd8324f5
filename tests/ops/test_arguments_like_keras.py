"""Arguments that Keras takes in more than one form, and those that it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops
from kcompile.core.errors import MisfitError
from kcompile.ops import misfits

X = np.array([[1.5, -2.0, 0.25], [0.0, 3.0, -1.0]], "float32")
ROW, TWO = X[0], ops.convert_to_tensor(2)
WIDE = np.array([[1, 2, 3], [4, 5, 6]], "float32")
IMAGE = np.ones((1, 4, 4, 1), "float32")

SHAPES = {  # calls with ints that come as NumPy's, as tensors or as bools, and the shape of the result
    "zeros": (lambda: ops.zeros(np.array([2, 3])), (2, 3)),
    "ones": (lambda: ops.ones((True, TWO)), (1, 2)),
    "full": (lambda: ops.full(ops.convert_to_tensor([2, 3]), 1.0), (2, 3)),
    "eye": (lambda: ops.eye(True, TWO), (1, 2)),
    "reshape": (lambda: ops.reshape(X, np.array([3, 2])), (3, 2)),
    "broadcast": (lambda: ops.broadcast_to(ROW, np.array([4, 3])), (4, 3)),
    "slice": (lambda: ops.slice(X, (0, 0), (TWO, 3)), (2, 3)),
    "scatter": (lambda: ops.scatter([[0]], [1.0], np.array([3])), (3,)),
    "sequences": (lambda: ops.extract_sequences(np.arange(8.0), TWO, 2), (4, 2)),
    "segments": (lambda: ops.segment_sum(ROW, [0, 0, 1], TWO), (2,)),
    "cropped": (lambda: ops.image.crop_images(IMAGE, 1, 1, target_height=TWO, target_width=1), (1, 2, 1, 1)),
    "normal": (lambda: keras.random.normal(np.array([2, 3])), (2, 3)),
    "beta": (lambda: keras.random.beta(ops.convert_to_tensor([2, 3]), 1.0, 2.0), (2, 3)),
    "gamma": (lambda: keras.random.gamma((True, 6), 2.0), (1, 6)),
    "categorical": (lambda: keras.random.categorical(X, TWO), (2, 2)),
    "partition": (lambda: ops.argpartition(X, 1, axis=None), (6,)),
    "axes": (lambda: ops.max(X, axis=np.array([0, 1])), ()),
    "taken": (lambda: ops.take(X, [], axis=1), (2, 0)),
    "subscript": (lambda: ops.get_item(X, []), (0, 3)),
    "differences": (lambda: ops.diff(np.zeros((3, 0))), (3, 0)),
    "softmax": (lambda: ops.softmax(np.zeros((2, 0))), (2, 0)),
    "log_softmax": (lambda: ops.log_softmax(np.zeros((0, 3)), axis=(0, 1)), (0, 3)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    call, shape = SHAPES[name]
    assert call().shape == shape


@pytest.mark.parametrize("sections", [TWO, np.int64(2), np.array([1])])
def test_sections_may_be_a_tensor(sections):
    assert [part.tolist() for part in ops.split(X, sections)] == X[:, None].tolist()


REFUSED = {
    "fraction of a shape": (lambda: ops.reshape(X, (2.5, 3)), TypeError),
    "fraction of a split": (lambda: ops.split(X, (0, 1.5)), TypeError),
    "contraction": (lambda: ops.dot(X, ROW[:2]), TypeError),
    "einsum": (lambda: ops.einsum("ij,jk", X, X), TypeError),
    "vectors": (lambda: ops.vdot(ROW, X), TypeError),
    "axes of a product": (lambda: ops.tensordot(X, WIDE, 3), TypeError),
    "permutation": (lambda: ops.transpose(X, (0, 0)), TypeError),
    "moments": (lambda: ops.batch_normalization(X, ROW[:2], ROW[:2], axis=-1), TypeError),
    "places": (lambda: ops.scatter([[0.5]], [1.0], (3,)), TypeError),
    "text": (lambda: ops.zeros(3, "string"), TypeError),
    "complex": (lambda: ops.bitwise_or(1j, 2), TypeError),
    "no image": (lambda: ops.max_pool(X, 2), ValueError),
    "dilation": (
        lambda: ops.conv_transpose(IMAGE, np.ones((2, 2, 1, 1)), dilation_rate=(0, 1)),
        TypeError,
    ),
    "patches": (lambda: ops.image.extract_patches(IMAGE, 2, dilation_rate=(0, 0)), TypeError),
    "size": (lambda: ops.image.resize(IMAGE, 3), TypeError),
    "place": (lambda: ops.argpartition(ROW, 3), ValueError),
    "block": (lambda: ops.slice(X, (0, 0), (3, 3)), TypeError),
    "pair": (lambda: ops.fft(2), TypeError),
    "counted": (lambda: ops.bincount(ROW, minlength=2), TypeError),
    "extent": (lambda: ops.adaptive_max_pool(IMAGE, 1.0), TypeError),
    "nothing": (lambda: ops.take(X[:0], [0], axis=0), IndexError),
    "features along rows": (lambda: ops.layer_normalization(X, ROW, ROW, axis=0), TypeError),
    "ragged": (lambda: ops.convert_to_tensor(X, ragged=True), ValueError),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, kind = REFUSED[name]
    with pytest.raises(kind) as caught:
        call()
    assert not isinstance(caught.value, MisfitError)


def test_scales_of_normalizations_broadcast():
    """Keras's numbers."""
    found = ops.layer_normalization(X, WIDE, ROW)
    np.testing.assert_allclose(found[0], [1.5933271 + 1.0, -0.6470027 - 4.0, -0.3094776 + 1.25], rtol=1e-5)
    both = ops.rms_normalization(X, ROW, axis=(0, 1))
    rms = np.sqrt(np.mean(X * X))
    np.testing.assert_allclose(both, X * ROW / rms, rtol=1e-5)


def factors(x):
    return *ops.svd(x), *ops.eigh(x), ops.pinv(x)


@pytest.mark.parametrize("run", [lambda f: f, keras.jit], ids=["eager", "compiled"])
def test_matrices_with_nan_have_no_factors(run):
    x = np.stack([np.full((2, 2), np.nan), np.full((2, 2), np.inf), np.diag([3.0, 2.0])]).astype("float32")
    found = run(factors)(x)
    for part in found:
        assert np.isnan(part[:2]).all() and np.isfinite(part[2]).all()
    np.testing.assert_allclose(found[-1][2], np.diag([1 / 3, 0.5]), rtol=1e-5)
    assert ops.matrix_rank(x).tolist() == [0, 0, 2] and np.isnan(ops.eig(x)[0][:2]).all()


@pytest.mark.parametrize("name", [3, True, b"x", object()])
def test_names_are_text(name):
    makers = (keras.layers.ReLU, keras.optimizers.SGD, lambda name: keras.Variable(1.0, name=name))
    for make in makers:
        with pytest.raises(ValueError, match="`name` must be a string"):
            make(name=name)


@pytest.mark.parametrize("name", [3, "a/b"])
def test_names_of_losses_are_looked_at_in_calls(name):
    loss = keras.losses.MeanSquaredError(name=name)
    with pytest.raises(ValueError, match="`name` must be a string and cannot contain"):
        loss(X, X)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_penalties_keep_the_dtype(dtype, mode):
    weights = ops.cast(np.arange(6.0).reshape(2, 3), dtype)
    penalty = keras.regularizers.OrthogonalRegularizer(0.1, mode)(weights)
    assert keras.backend.standardize_dtype(penalty.dtype) == dtype
    assert abs(float(penalty) - {"rows": 0.0885438, "columns": 0.0963150}[mode]) < 1e-3


@pytest.mark.parametrize("kind", [RuntimeError, AssertionError, FloatingPointError])
def test_accidents_are_caught_as_what_they_were(kind, monkeypatch):
    monkeypatch.setattr(misfits, "_by_accident", lambda error: True)
    told = misfits.misfit("Dense", (X,), {}, kind("inside"))
    assert isinstance(told, kind) and isinstance(told, MisfitError) and "inside" in str(told)
    assert not isinstance(misfits.misfit("Dense", (X,), {}, TypeError("inside")), RuntimeError)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float16", "int32"])
def test_products_have_the_dtype_that_is_asked_for(dtype):
    assert ops.prod(X, axis=1, dtype=dtype).dtype == dtype


@pytest.mark.parametrize("kind", [IndexError, ValueError])
def test_a_missing_axis_is_an_error_of_both_types(kind):
    for call in (lambda: ops.argmin(X, axis=9), lambda: ops.swapaxes(X, 0, 2), lambda: ops.mean(1.0, axis=0)):
        with pytest.raises(kind, match="axis must lie in"):
            call()


@pytest.mark.parametrize("run", [lambda f: f, keras.jit], ids=["eager", "compiled"])
def test_remainders_of_the_least_int(run):
    a = np.array([-(2**31), -7, 7, 7, -(2**31)], "int32")
    b = np.array([7, 7, -7, -(2**31), -1], "int32")
    assert run(ops.fmod)(a, b).tolist() == [-2, 0, 0, 7, 0]


@pytest.mark.parametrize("size", [2, 2.5, True, np.array([True]), np.array([2], "uint8")])
def test_polar_numbers_are_of_the_default_float(size):
    found = ops.polar(size, np.array([0, 1], "int32"))
    assert found.dtype == "complex64" and np.allclose(found, np.float32(size) * np.exp([0, 1j]))
