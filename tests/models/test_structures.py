"""Models of unusual inputs: several in a Sequential, some that nothing uses; copies and names of Keras."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops

X = np.ones((2, 3), "float32")


class Own(keras.Model):
    def __init__(self, *args, param=1, **kwargs):
        super().__init__(*args, **kwargs)
        self.param = param


def test_a_clone_has_the_class_of_the_model():
    inputs = keras.Input((3,))
    model = Own(inputs, layers.Dense(1)(inputs), param=2)
    clone = keras.models.clone_model(model)
    assert type(clone) is type(model) and clone.param == 1
    assert clone.output_shape == (None, 1) and clone.layers[1] is not model.layers[1]
    assert Own.from_config(model.get_config()).output_shape == (None, 1)


def test_an_unused_input_that_an_op_made(tmp_path):
    a, b = keras.Input((3,), name="a"), ops.add(keras.Input((3,)), 1.0)
    model = keras.Model([a, b], layers.Dense(2)(a))
    assert len(keras.Model.from_config(model.get_config()).inputs) == 2
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict([X, X], verbose=0), model.predict([X, X], verbose=0))


class SumOfDict(layers.Layer):
    def call(self, inputs):
        return inputs["a"] + inputs["b"]


@pytest.mark.parametrize(
    "first, inputs", [(layers.Concatenate(), [X, X]), (SumOfDict(), {"a": X, "b": X})], ids=["list", "dict"]
)
def test_a_stack_on_several_inputs(first, inputs):
    model = keras.Sequential([first, layers.Dense(2, kernel_initializer="ones")])
    assert model(inputs).tolist() == [[6.0, 6.0], [6.0, 6.0]] and model.built
    assert model.predict(inputs, verbose=0).shape == (2, 2)
    model.compile("sgd", "mse")
    model.fit(inputs, np.ones((2, 2)), verbose=0)
    assert model.layers[1].kernel.numpy()[0, 0] < 1.0


@pytest.mark.parametrize("given", [{}, {"optimizer": "adam", "loss": "mse"}], ids=["nothing", "adam"])
def test_copies_of_a_model_that_was_compiled(given):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile(**given)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.compiled and type(other.optimizer) is type(model.optimizer)
        np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


def test_the_layers_of_a_model_cannot_be_set():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    with pytest.raises(AttributeError, match=r"Sequential.layers.*add\(\)"):
        model.layers = []
    with pytest.raises(AttributeError, match=r"Model.layers.*reserved"):
        keras.Model(model.inputs, model.outputs).layers = []


def test_a_variable_that_is_no_weight_any_more():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.layers[0]._untrack_variable(model.layers[0].bias)
    assert [v.name for v in model.weights] == ["kernel"]


def test_layers_that_loading_leaves_alone(tmp_path):
    def make():
        inner = keras.Sequential([layers.Dense(2, name="deep")], name="inner")
        return keras.Sequential([keras.Input((3,)), inner, layers.Dense(1, name="last")])

    source, target = make(), make()
    source.save_weights(tmp_path / "w.weights.h5")
    before = target.get_weights()
    target.load_weights(tmp_path / "w.weights.h5", objects_to_skip=[target.layers[0]])
    np.testing.assert_array_equal(target.get_weights()[0], before[0])
    np.testing.assert_array_equal(target.get_weights()[2], source.get_weights()[2])
    source.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="objects_to_skip"):
        target.load_weights(tmp_path / "m.keras", objects_to_skip=[target.layers[0]])


def test_a_loss_that_takes_an_output_apart():
    class Split(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            parts = [y[:, :1], y[:, 1:]], [y_pred[:, :1], y_pred[:, 1:]]
            return super().compute_loss(x, *parts, sample_weight, training)

    inputs = keras.Input((2,))
    model = Split(inputs, layers.Dense(2, kernel_initializer="ones")(inputs))
    model.compile("sgd", ["mse", "mae"])
    history = model.fit(np.ones((4, 2)), np.zeros((4, 2)), verbose=0).history
    assert history == {"loss": [6.0], "mse_loss": [4.0], "mae_loss": [2.0]}


class Named(layers.Layer):
    def call(self, x):
        return {"twice": x * 2.0, "absent": None}


def test_what_a_layer_gives_to_a_functional_model_are_tensors_only():
    with pytest.raises(ValueError, match="outputs must be tensors.* Non-tensor received: None"):
        Named(name="named")(keras.Input((3,)))
    assert Named()(X)["absent"] is None  # outside of a functional model anything may come back
