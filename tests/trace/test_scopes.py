"""StatelessScope, name_scope, RematScope, and operations outside of layers."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops


def test_variables_keep_their_values_in_a_stateless_scope():
    v, w = keras.Variable([1.0, 2.0]), keras.Variable([3.0])
    with keras.StatelessScope([(v, np.array([5.0, 6.0]))]) as scope:
        v.assign_add([1.0, 1.0])
        assert ops.convert_to_numpy(v.value).tolist() == [6.0, 7.0]
        assert ops.add(w, 1.0).tolist() == [4.0]
        scope.add_update((w, ops.array([9.0])))
        assert w.value.tolist() == [9.0]
        scope.add_loss(1.0)
    assert scope.get_current_value(v).tolist() == [6.0, 7.0]
    assert v.numpy().tolist() == [1.0, 2.0]
    assert w.numpy().tolist() == [3.0]
    assert scope.losses == [1.0]
    assert scope.get_current_value(keras.Variable(0.0)) is None


def test_scopes_nest():
    v = keras.Variable(1.0)
    with keras.StatelessScope([(v, 2.0)]):
        with keras.StatelessScope():
            assert float(v.value) == 2.0
            v.assign(5.0)
        assert float(v.value) == 2.0
    assert float(v.value) == 1.0


def test_a_layer_in_a_stateless_scope():
    layer = keras.layers.Dense(2, use_bias=False)
    layer.build((None, 2))
    other = np.array([[1.0, 2.0], [3.0, 4.0]], "float32")
    with keras.StatelessScope([(layer.kernel, other)]):
        y = layer(np.eye(2, dtype="float32"))
    np.testing.assert_array_equal(y, other)


def test_what_a_stateless_scope_refuses():
    with pytest.raises(ValueError, match="must be Variable instances"):
        keras.StatelessScope([("v", 1.0)])
    with pytest.raises(ValueError, match="Invalid variable value in StatelessScope"):
        keras.StatelessScope([(keras.Variable([1.0]), [1.0, 2.0])])


def test_the_symbolic_scope_changes_nothing():
    with keras.SymbolicScope():
        assert ops.add(1, 2) == 3


def test_names():
    owner = object()
    with keras.name_scope("a", caller=owner):
        with keras.name_scope("a", caller=owner):
            assert keras.Variable(0.0, name="v").path == "a/v"
            with keras.name_scope("a", caller=owner, deduplicate=False):
                assert keras.Variable(0.0, name="v").path == "a/a/v"
        with keras.name_scope("b", override_parent="x/y"):
            assert keras.Variable(0.0, name="v").path == "x/y/b/v"
    assert keras.Variable(0.0, name="v").path == "v"
    for name in ("a/b", 3):
        with pytest.raises(ValueError, match="cannot contain character `/`"):
            keras.name_scope(name)


def test_rematerialization_is_the_compilers():
    def double(x):
        return x * 2

    assert keras.remat(double)(4) == 8
    with keras.RematScope("larger_than", output_size_threshold=8) as scope:
        assert scope.layer_names == []
    with pytest.raises(ValueError, match="Invalid mode 'some'"):
        keras.RematScope("some")


class Scale(keras.Operation):
    def __init__(self, factor, name=None):
        super().__init__(name=name)
        self.factor = factor

    def call(self, x):
        return ops.multiply(x, self.factor)


def test_an_operation_of_ones_own():
    scale = Scale(3.0)
    np.testing.assert_array_equal(scale(np.ones(2, "float32")), [3.0, 3.0])
    x = keras.Input((2,))
    y = scale(x)
    assert y.shape == (None, 2)
    assert scale.input is x
    model = keras.Model(x, y)
    np.testing.assert_array_equal(model.predict(np.ones((1, 2)), verbose=0), [[3.0, 3.0]])
    with pytest.raises(NotImplementedError, match="must implement `call`"):
        keras.Operation()(1)


def test_shapes_of_placeholders():
    x = keras.Input((1, 6))
    assert x.squeeze(1).shape == (None, 6)
    assert x.reshape((-1, 2, 3)).shape == (None, 2, 3)


def test_sources():
    a, b = keras.Input((2,)), keras.Input((2,))
    c = keras.layers.Dense(2)(a + b) * a
    assert keras.utils.get_source_inputs(c) == [a, b]
    assert keras.utils.get_source_inputs(a) == [a]
    assert keras.utils.get_source_inputs(3) == 3


def test_a_function():
    a, b = keras.KerasTensor((None, 2)), keras.KerasTensor((None, 2))
    f = keras.Function({"a": a, "b": b}, [a + b, ops.sum(a * b)])
    total, product = f({"a": np.ones((3, 2)), "b": np.full((3, 2), 2.0)})
    np.testing.assert_array_equal(total, np.full((3, 2), 3.0))
    assert float(product) == 12.0
    assert (f.inputs, len(f.outputs), len(f.operations)) == ([a, b], 2, 3)
    assert f.compute_output_shape({"a": (5, 2), "b": (5, 2)}) == [(5, 2), ()]


def test_a_function_is_an_operation_of_a_model():
    x = keras.KerasTensor((None, 2))
    f = keras.Function(x, ops.exp(x))
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="ones")(f(inputs)))
    np.testing.assert_allclose(model.predict(np.zeros((1, 2)), verbose=0), [[2.0]])


def test_what_a_function_refuses():
    a, b = keras.KerasTensor((2,)), keras.KerasTensor((2,))
    with pytest.raises(ValueError, match="`inputs` argument cannot be empty"):
        keras.Function([], [a])
    with pytest.raises(ValueError, match="not connected"):
        keras.Function(a, a + b)
    with pytest.raises(ValueError, match="expects 1 input"):
        keras.Function(a, a * 2)([np.ones(2), np.ones(2)])


def test_adding_to_a_variable_returns_its_new_value():
    variable = keras.Variable(np.ones(2, "float32"))
    assert variable.assign_add([1, 2]).tolist() == [2, 3]
    assert variable.assign_sub(np.ones(2)).tolist() == [1, 2]
