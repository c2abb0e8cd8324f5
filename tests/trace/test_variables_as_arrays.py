"""Variables where NumPy and Python take arrays and numbers."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops


def test_functions_of_numpy_take_the_value():
    v = keras.Variable([1.0, 4.0])
    assert np.sqrt(v).tolist() == [1.0, 2.0] and np.sum(v) == 5.0 and np.max(v) == 4.0
    assert np.add(v, 1).tolist() == [2.0, 5.0] and np.allclose(v, v) and np.dot(v, v) == 17.0
    assert np.log10(keras.optimizers.SGD(0.01).learning_rate) == pytest.approx(-2.0)


def test_arrays_on_the_left_leave_the_operator_to_the_variable():
    v = keras.Variable([1.0, 4.0])
    ones = np.ones(2, "float32")
    assert (ones + v).tolist() == [2.0, 5.0] and (np.float32(2) * v).tolist() == [2.0, 8.0]

    @keras.jit
    def inside(x):
        return x + (ones + v) + np.float32(2) * v + ops.cast(ones == v, "float32")

    assert inside(np.zeros(2, "float32")).tolist() == [5.0, 13.0]


def test_comparisons_of_two_variables_are_elementwise():
    a, b = keras.Variable([1.0, 2.0]), keras.Variable([1.0, 3.0])
    assert (a == b).tolist() == [True, False] and (a != b).tolist() == [False, True]
    assert (a == 2).tolist() == [False, True] and (a == None) is False  # noqa: E711
    assert len({a, b, a}) == 2 and {a: 1, b: 2}[b] == 2


def test_rounding():
    assert float(round(keras.Variable(1.23456), 3)) == pytest.approx(1.235)
    assert float(round(keras.Variable(1.6))) == 2.0


def test_names_of_initializers():
    v = keras.Variable("ones", shape=(3,), dtype="float32")
    assert v.numpy().tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="shape"):
        keras.Variable("ones")


@pytest.mark.parametrize("argument", ["aggregation", "synchronization"])
def test_how_replicas_agree_is_one_of_keras_words(argument):
    with pytest.raises(ValueError, match=f"Invalid value for argument `{argument}`. Expected one of None"):
        keras.Variable(1.0, **{argument: "some"})
    assert getattr(keras.Variable(1.0, **{argument: None}), argument) == "none"
