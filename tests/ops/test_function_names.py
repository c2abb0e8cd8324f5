"""Public functions have the names that they are called by: configs hold these."""

import numpy as np

import kcompile as keras
from kcompile import activations, ops

SECOND_NAMES = {"swish": "silu", "hard_swish": "hard_silu"}  # of one function, in Keras as well


def test_functions_are_called_by_their_names():
    functions = {n: f for n, f in vars(ops).items() if callable(f) and not n.startswith("_")}
    apart = {n: f.__name__ for n, f in functions.items() if getattr(f, "__name__", n) != n}
    assert apart == SECOND_NAMES


def test_an_op_as_an_activation():
    config = keras.layers.Dense(2, activation=ops.abs).get_config()["activation"]
    assert config["config"] == "abs" and config["class_name"] == "function"
    assert activations.serialize(ops.absolute)["config"] == "absolute"


def test_a_variable_s_numbers_stay_as_they_were():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    kernel = model.layers[0].kernel
    found = [ops.convert_to_numpy(kernel), kernel.numpy(), np.asarray(kernel), model.get_weights()[0]]
    before = found[0].copy()
    model.train_on_batch(np.ones((4, 3)), np.ones((4, 2)))
    assert not np.array_equal(kernel.numpy(), before)
    for numbers in found:
        np.testing.assert_array_equal(numbers, before)
