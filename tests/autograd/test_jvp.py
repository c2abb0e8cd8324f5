"""`ops.jvp`: values and directional derivatives against finite differences, at once and compiled."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops

RNG = np.random.default_rng(5)


def functions():
    x, w = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 5))
    yield "matmul", lambda a, b: ops.tanh(ops.matmul(a, b)), (x, w)
    yield "reduction", lambda a: ops.softmax(a, -1) * ops.max(a), (x,)
    yield "one argument unused", lambda a, b: ops.sin(a), (x, w)
    yield (
        "convolution",
        lambda a, b: ops.conv(a, b, padding="same"),
        (x[None, ..., None], w[:2, :2, None, None]),
    )


@pytest.mark.parametrize(
    "name, function, primals", list(functions()), ids=lambda x: x if isinstance(x, str) else ""
)
def test_against_finite_differences(name, function, primals):
    tangents = tuple(RNG.normal(size=p.shape) for p in primals)
    value, slope = ops.jvp(function, primals, tangents)
    np.testing.assert_allclose(value, function(*primals), rtol=1e-12)
    h = 1e-6
    ahead, behind = (function(*(p + s * t for p, t in zip(primals, tangents, strict=True))) for s in (h, -h))
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * h), rtol=1e-6, atol=1e-8)


def test_structures_and_aux():
    def function(pair):
        return {"sum": pair[0] + pair[1], "product": pair[0] * pair[1]}, pair[0] - 1

    x, y = np.float32([1, 2]), np.float32([3, 5])
    value, slope, aux = ops.jvp(
        function, ([x, y],), ([np.float32([1, 0]), np.float32([0, 1])],), has_aux=True
    )
    assert value["product"].tolist() == [3, 10] and aux.tolist() == [0, 1]
    assert slope["sum"].tolist() == [1, 1] and slope["product"].tolist() == [3, 2]


def test_a_constant_function_has_no_slope():
    value, slope = ops.jvp(lambda x: ops.ones((2,)), (np.float32([1, 2, 3]),), (np.float32([1, 1, 1]),))
    assert value.tolist() == [1, 1] and slope.tolist() == [0, 0]


def test_the_names_of_keras():
    assert keras.ops.linalg.jvp is keras.ops.jvp


def test_compiled_equals_eager():
    def step(x, t):
        return ops.jvp(lambda a: ops.tanh(ops.sum(a * a, -1)), (x,), (t,))

    x, t = RNG.normal(size=(2, 5, 3)).astype("float32")
    for found, wanted in zip(keras.jit(step)(x, t), step(x, t), strict=True):
        np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-5, atol=1e-6)


def test_inside_of_a_layer():
    class Slope(layers.Layer):
        def call(self, x):
            return ops.jvp(ops.sin, (x,), (ops.ones_like(x),))[1]

    image = keras.Input((3,))
    model = keras.Model(image, Slope()(image))
    x = np.float32([[0, 1, 2]])
    np.testing.assert_allclose(np.asarray(model(x)), np.cos(x), rtol=1e-5)


def test_bad_input():
    x = np.ones(3, "float32")
    with pytest.raises(TypeError, match="tuples or lists"):
        ops.jvp(ops.sin, x, x)
    with pytest.raises(ValueError, match="same structure and shapes"):
        ops.jvp(ops.sin, (x,), (x[:2],))


def test_dicts_of_outputs_keep_their_values():
    """Keys that are not in alphabetical order: leaves go back to where they came from."""

    def function(x):
        return {"z": x + 1, "a": (x * 3, {"n": x - 1, "b": x * x})}

    x = np.float32([2, 5])
    wanted = function(x)
    for found in (
        keras.jit(function)(x),
        keras.value_and_grad(lambda x: (ops.sum(x), function(x)), has_aux=True)(x)[0][1],
    ):
        assert list(found) == ["z", "a"]
        np.testing.assert_array_equal(np.asarray(found["z"]), wanted["z"])
        np.testing.assert_array_equal(np.asarray(found["a"][0]), wanted["a"][0])
        np.testing.assert_array_equal(np.asarray(found["a"][1]["b"]), wanted["a"][1]["b"])
