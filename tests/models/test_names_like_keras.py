"""Automatic names of models and paths of weights, as Keras 3.15 on JAX gives them in the same order."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers


def functional():
    x = keras.Input((2,))
    return keras.Model(x, layers.Dense(1)(x))


def unbuilt():
    return keras.Sequential([layers.Dense(1)])


def with_input():
    return keras.Sequential([keras.Input((2,)), layers.Dense(1)])


def built():
    model = unbuilt()
    model.build((None, 2))
    return model


def called():
    model = unbuilt()
    model(np.ones((1, 2), "float32"))
    return model


def from_config():
    return keras.Sequential.from_config(with_input().get_config())


def popped():
    model = with_input()
    model.pop()
    model.add(layers.Dense(3))
    return model


def of_three():
    """From a config: Keras builds with every layer that is added behind the input."""
    model = keras.Sequential([keras.Input((2,)), *(layers.Dense(1) for _ in range(3))])
    return keras.Sequential.from_config(model.get_config())


def cloned():
    """A clone makes the inner model from its config, the outer one from its layers."""
    inner = keras.Sequential([layers.Dense(2), layers.Dense(1)])
    return keras.models.clone_model(keras.Sequential([keras.Input((3,)), inner]))


class Holder(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = keras.Sequential([layers.Dense(2)])

    def call(self, x):
        return self.inner(x)


@pytest.mark.parametrize(
    "makers, names",
    [
        ([functional, functional], ["functional", "functional_1"]),
        ([with_input, functional], ["sequential", "functional_1"]),
        ([functional, with_input, functional], ["functional", "sequential", "functional_2"]),
        ([unbuilt, functional], ["sequential", "functional"]),
        ([built, functional], ["sequential", "functional_1"]),
        (
            [called, functional, with_input, unbuilt, functional],
            ["sequential", "functional_1", "sequential_1", "sequential_2", "functional_3"],
        ),
        ([Holder, with_input, functional, Holder], ["holder", "sequential_1", "functional_1", "holder_1"]),
        ([from_config, functional], ["sequential", "functional_2"]),
        ([popped, functional], ["sequential", "functional_2"]),
        ([of_three, functional], ["sequential", "functional_4"]),
        ([cloned, functional], ["sequential_1", "functional_5"]),
        ([with_input, with_input, functional], ["sequential", "sequential_1", "functional_2"]),
    ],
)
def test_models_are_counted_as_by_keras(makers, names):
    keras.utils.clear_session()
    assert [make().name for make in makers] == names


class Own(keras.Model):
    """A model with a build of its own, for its parts."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.d, self.e = layers.Dense(3), layers.Dense(2)

    def build(self, shape):
        self.d.build(shape)
        self.e.build((shape[0], 3))
        self.w = self.add_weight(shape=(2,), name="w")

    def call(self, x):
        return self.e(self.d(x)) + self.w


class Base(Own):
    """Its build leaves the rest to Keras's, which leaves it to the first call."""

    def build(self, shape):
        self.d.build(shape)
        self.w = self.add_weight(shape=(2,), name="w")
        keras.Model.build(self, shape)


class Inherited(Own):
    build = keras.Model.build

    def call(self, x):
        return self.e(self.d(x))


PARTS = ["{}/dense/kernel", "{}/dense/bias", "{}/dense_1/kernel", "{}/dense_1/bias"]


@pytest.mark.parametrize("how", ["call", "build", "symbol", "fit", "predict"])
@pytest.mark.parametrize(
    "make, paths",
    [(Own, ["{}/w", *PARTS]), (Base, ["{}/w", *PARTS]), (Inherited, PARTS)],
    ids=["own", "super", "inherited"],
)
def test_paths_hold_the_name_once(make, paths, how):
    keras.utils.clear_session()
    model, x = make(), np.ones((4, 5), "float32")
    if how == "call":
        model(x)
    elif how == "build":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Keras's build makes nothing of what is inside
            model.build((None, 5))
        model(x)
    elif how == "symbol":
        model(keras.Input((5,)))
    elif how == "fit":
        model.compile("sgd", "mse")
        model.fit(x, np.ones((4, 2)), verbose=0)
    else:
        model.predict(x, verbose=0)
    assert sorted(w.path for w in model.weights) == sorted(p.format(model.name) for p in paths)


def test_a_model_first_builds_the_stack_around_it():
    """As when a pretrained base gets a new head."""
    for base in (functional(), with_input()):
        model = keras.Sequential([base, layers.Dense(3)])
        assert model.built and model.input_shape == (None, 2) and model.output_shape == (None, 3)
        assert len(model.weights) == 4
    assert not keras.Sequential([base]).built and not keras.Sequential([unbuilt(), layers.Dense(3)]).built
    again = keras.Sequential.from_config(model.get_config())
    assert again.built and [layer.name for layer in again.layers] == [layer.name for layer in model.layers]


def test_clones_keep_the_names_of_ops():
    x = keras.Input((2,), name="x")
    model = keras.Model(x, layers.Dense(2, name="d")(x) * 2 + x)
    clone = keras.models.clone_model(model)
    assert [op.name for op in clone.operations] == [op.name for op in model.operations]
    assert clone.get_config() == model.get_config()


def test_a_model_whose_constructor_takes_anything_has_a_config():
    class Plain(keras.Model):
        def call(self, x):
            return x

    assert Plain(name="p").get_config()["name"] == "p"

    class Collected(layers.Layer):
        def __init__(self, *sizes, **kwargs):
            super().__init__(**kwargs)

    assert Collected().get_config()["trainable"]
    with pytest.raises(NotImplementedError, match="must override `get_config"):
        Collected(1, 2).get_config()


def test_users_classes_inside_of_wrappers_are_copied():
    class Recurrent(layers.LSTM):
        pass

    class Scaled(layers.Layer):
        def call(self, x):
            return x * 2

    both = layers.Bidirectional(Recurrent(2))
    assert type(both.forward_layer) is type(both.backward_layer) is Recurrent
    model = keras.Sequential([keras.Input((2, 3)), layers.TimeDistributed(Scaled()), both])
    clone = keras.models.clone_model(model)
    assert type(clone.layers[0].layer) is Scaled and type(clone.layers[1].forward_layer) is Recurrent


def test_weights_that_come_later_lie_where_the_layer_was_built():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5, name="first"), layers.Dense(1)], name="m")
    model.layers[0].enable_lora(2)
    added = [w.path for w in model.trainable_weights if "lora" in w.path]
    assert added == ["m/first/lora_kernel_a", "m/first/lora_kernel_b"]
    model.layers[1].quantize("int8")
    assert model.layers[1].kernel_scale.path == f"m/{model.layers[1].name}/kernel_scale"
