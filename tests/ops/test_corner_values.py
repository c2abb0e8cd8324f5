"""Gradients and dtypes at corners, as in Keras on JAX: on arrays and compiled."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops
from kcompile.core.symbolic import symbol

SINGULAR = {
    "1": ([[0.0]], [[1.0]]),
    "2": ([[1.0, 2.0], [2.0, 4.0]], [[4.0, -2.0], [-2.0, 1.0]]),
    "3": ([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]], np.diag([2.0, 0.0, 0.0])),
}


def slopes(function, *arrays):
    """The gradients of the sum of what `function` gives: on arrays, and compiled."""

    def of(*xs):
        return keras.grad(lambda *ys: ops.sum(function(*ys)), tuple(range(len(xs))))(*xs)

    return of(*arrays), keras.jit(of)(*arrays)


@pytest.mark.parametrize("size", SINGULAR)
def test_the_determinant_of_a_singular_matrix_has_its_cofactors_as_slope(size):
    matrix, cofactors = SINGULAR[size]
    for (found,) in slopes(ops.det, np.array([matrix, np.eye(len(matrix))], "float32")):
        np.testing.assert_allclose(found, [cofactors, np.eye(len(matrix))], atol=1e-6)


def test_the_exponent_of_a_negative_base_has_no_slope():
    for _, found in slopes(
        ops.power, np.array([-2.0, 0.0, 2.0], "float32"), np.array([3.0, 2.0, 1.0], "float32")
    ):
        np.testing.assert_allclose(found, [np.nan, 0.0, 2 * np.log(2)], rtol=1e-5)


@pytest.mark.parametrize("name", ["arctan2", "logaddexp", "logaddexp2"])
def test_numbers_beside_half_precision_are_float32(name):
    x = np.ones((2,), "float16")
    assert getattr(ops, name)(x, 2.5).dtype == "float32" and getattr(ops, name)(x, 2).dtype == "float16"
    placeholder = keras.KerasTensor((2,), "float16")
    assert getattr(ops, name)(2.5, placeholder).dtype == "float32"


def test_bools_are_shifted_as_ints():
    flags = np.array([True, False, True])
    found = ops.left_shift(flags, flags)
    assert found.dtype == "int32" and found.tolist() == [2, 0, 2]


def test_numbers_are_scaled_by_powers_that_floats_do_not_have():
    found = ops.ldexp(np.array([0.0, 1e-30, np.inf], "float32"), np.array([250, 150, 3]))
    np.testing.assert_allclose(found, [0.0, np.ldexp(1e-30, 150), np.inf], rtol=1e-6)


F23 = np.array([[1.5, -2.0, 0.25], [0.0, 3.0, -1.0]], "float32")
IMAGE, KERNEL = np.ones((1, 4, 4, 2), "float32"), np.ones((2, 2, 2, 3), "float32")

SENSIBLE = {  # what has a meaning though it is seldom written
    "one-update": (lambda x: ops.scatter_update(x, [[0, 1], [1, 2]], np.ones((1,), "float32")), (2, 3)),
    "a-row-for-all": (lambda x: ops.scatter(np.array([[0], [1]]), x[:1], (4, 3)), (4, 3)),
    "mask-for-all": (lambda x: keras.random.dropout(x, 0.5, noise_shape=(), seed=1), (2, 3)),
    "true-is-an-axis": (lambda x: ops.get_item(x, True), (1, 2, 3)),
    "limits": (lambda x: ops.matrix_rank(x, tol=np.array([0.1, 9.0], "float32")), (2,)),
    "flags-as-places": (lambda x: ops.trapezoid(x, x=np.array([True, False, True])), (2,)),
    "epsilons": (
        lambda x: ops.batch_normalization(x, x[0] * 0.5, x[1] ** 2, -1, epsilon=ops.abs(x[0])),
        (2, 3),
    ),
    "epsilon-of-the-run": (lambda x: ops.layer_normalization(x, gamma=x[0], epsilon=ops.max(x)), (2, 3)),
    "epsilons-of-rows": (lambda x: ops.rms_normalization(x, x[0], epsilon=x[:, :1] + 1.0), (2, 3)),
    "number-as-a-vector": (lambda x: ops.rms_normalization(x[0, 0], 2.0), (1,)),
    "no-dilation": (lambda x: ops.conv(IMAGE, KERNEL, dilation_rate=None) + x[0], (1, 3, 3, 3)),
}


@pytest.mark.parametrize("name", SENSIBLE)
def test_what_has_a_meaning_is_accepted(name):
    function, shape = SENSIBLE[name]
    found = function(F23)
    assert found.shape == shape
    np.testing.assert_allclose(keras.jit(function)(F23), found, rtol=1e-6)


def test_what_these_mean():
    assert ops.scatter_update(F23, [[0, 1], [1, 2]], 7.0).tolist() == [[1.5, 7.0, 0.25], [0.0, 3.0, 7.0]]
    assert ops.matrix_rank(np.diag([4.0, 3.0, 2.0]), tol=[1.0, 2.5, 5.0]).tolist() == [3, 2, 0]
    sides = ops.batch_normalization(F23, F23[0], F23[0], -1, epsilon=[0.75, 3.0, 15.75])
    np.testing.assert_allclose(sides, (F23 - F23[0]) / [1.5, 1.0, 4.0], rtol=1e-6)
    np.testing.assert_allclose(
        ops.layer_normalization(F23[:1], epsilon=np.full((1, 1), 1.0)),
        ops.layer_normalization(F23[:1], epsilon=1.0),
        rtol=1e-6,
    )
    assert ops.corrcoef([[1.0, 2.0]]) == 1.0 and np.isnan(ops.corrcoef(3.0))
    assert ops.trapezoid(F23, x=np.array([True, False, True])).tolist() == [-0.625, -0.5]
    assert [part.shape for part in ops.hsplit(F23, np.array(3))] == [(2, 1)] * 3
    logits = np.array([[[9.0, 0.0, 0.0], [0.0, 0.0, 9.0]]], "float32")  # None is the last class, as in Keras
    assert ops.ctc_decode(logits, [2], mask_index=None)[0].tolist() == [[[0, -1]]]


def test_a_softmax_of_one_value_warns():
    with pytest.warns(UserWarning, match="a tensor of shape .2, 1.. This axis has size 1"):
        ops.softmax(np.ones((2, 1), "float32"))


def test_weights_of_another_shape_need_an_axis():
    with pytest.raises(ValueError, match="Axis must be specified when shapes of a and weights differ"):
        ops.average(np.ones((2, 3)), weights=np.ones(3))


# Of numbers at which digits are easily lost, to 17 digits.
PRECISE = {
    "erfinv": {
        -0.3: -0.2724627147267544,
        1e-20: 8.86226925452758e-21,
        0.3: 0.2724627147267544,
        1 - 2.0**-44: 5.314017270169747,
    },
    "arcsinh": {1e-9: 1e-9, 2e4: 10.596634733721074, 1e200: 461.2101657793691},
    "arccosh": {1 + 2.0**-40: 1.3486991523485069e-06, 2e4: 10.596634732471074, 1e200: 461.2101657793691},
}


@pytest.mark.parametrize("name", PRECISE)
def test_inverses_have_all_digits_of_doubles(name):
    function, x = getattr(ops, name), np.array(list(PRECISE[name]))
    for found in (function(x), keras.jit(function)(x)):
        np.testing.assert_allclose(found, list(PRECISE[name].values()), rtol=1e-15)


@pytest.mark.parametrize("constant, wanted", [(2**53 + 1, 2**53 + 1), (-1, -1), (2.9, 2)])
def test_long_numbers_around(constant, wanted):
    for run in (lambda f: f, keras.jit):
        found = run(lambda x: ops.pad(x, 1, constant_values=constant))(np.array([2**62 + 1], "int64"))
        assert found.tolist() == [wanted, 2**62 + 1, wanted]


def test_nothing_is_filled_up():
    nothing = np.zeros((0, 3), "int8")
    for run in (lambda f: f, keras.jit):
        found = run(lambda x: ops.unique(x, size=2, axis=0, fill_value=7, return_counts=True))(nothing)
        assert [x.tolist() for x in found] == [[[7] * 3] * 2, [0, 0]]
        with pytest.raises(ValueError, match="`fill_value`"):
            run(lambda x: ops.unique(x, size=2))(nothing)


def test_a_part_of_a_number_is_the_number():
    for run in (lambda f: f, keras.jit):
        assert run(lambda x: ops.slice(x, (), ()))(np.float32(3.5)).tolist() == 3.5


def test_numbers_up_to_an_open_dimension_are_fractions_of_few_digits():
    assert str(ops.arange(0, symbol("n"), 0.25).shape) == "(n*4,)"
    with pytest.raises(ValueError, match="halves, quarters"):
        ops.arange(0, symbol("n"), 0.1)
