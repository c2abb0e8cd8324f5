"""What is frozen stays frozen: in training, in copies, in configs and in files."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, saving
from kcompile.models import clone_model


def mixed():
    """A functional model with a frozen layer, inside another one."""
    x = keras.Input((3,))
    first = layers.Dense(3, name="first")
    inner = keras.Model(x, layers.Dense(2, name="second")(first(x)), name="inner")
    first.trainable = False
    y = keras.Input((3,))
    return keras.Model(y, layers.Dense(1, name="last")(inner(y)), name="outer")


def flags(model):
    found = [model.trainable]
    for layer in model.layers:
        if hasattr(layer, "layers"):
            found += flags(layer)
        elif layer.weights:
            found.append((layer.name, layer.trainable))
    return found


EXPECTED = [True, True, ("first", False), ("second", True), ("last", True)]


def test_copies_keep_what_each_layer_says_of_itself(tmp_path):
    model = mixed()
    assert flags(model) == EXPECTED and len(model.trainable_weights) == 4
    model.save(tmp_path / "m.keras")
    model.save(tmp_path / "m.h5")
    for copy in (
        clone_model(model),
        clone_model(model, recursive=True),
        keras.Model.from_config(model.get_config()),
        keras.models.model_from_json(model.to_json()),
        saving.load_model(tmp_path / "m.keras"),
        saving.load_model(tmp_path / "m.h5"),
    ):
        assert flags(copy) == EXPECTED
        assert [v.path for v in copy.trainable_weights] == [v.path for v in model.trainable_weights]
    model.trainable = False
    model.get_layer("inner").get_layer("second").trainable = True
    copy = keras.Model.from_config(model.get_config())
    assert flags(copy) == flags(model) and not copy.trainable_weights


def test_training_changes_what_is_trainable_when_compiled():
    model = mixed()
    x, y = np.ones((4, 3)), np.zeros((4, 1))

    def changed():
        before = model.get_weights()
        model.fit(x, y, verbose=0)
        after = model.get_weights()
        return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]

    model.compile("sgd", "mse")
    assert changed() == [False, False, True, True, True, True]
    model.get_layer("inner").trainable = False
    model.compile("sgd", "mse")
    assert changed() == [False] * 4 + [True] * 2
    model.trainable = True
    with pytest.raises(ValueError, match="Unknown variable"):  # not compiled anew
        model.fit(x, y, verbose=0)
    model.compile("sgd", "mse")
    assert changed() == [True] * 6


def test_a_layer_that_is_made_frozen():
    layer = layers.BatchNormalization(trainable=False)
    layer.build((None, 3))
    assert not layer.trainable_weights and [v.trainable for v in layer.weights] == [False] * 4
    assert [v.name for v in layer._own_variables] == ["gamma", "beta", "moving_mean", "moving_variance"]
    layer.trainable = True
    assert [v.name for v in layer.trainable_weights] == ["gamma", "beta"]
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, trainable=False), layers.Dense(1)])
    assert [v.path for v in model.trainable_weights] == [v.path for v in model.layers[1].weights]


def test_a_copy_of_a_subclassed_model_is_built():
    class Own(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner = layers.Dense(2)

        def call(self, x):
            return self.inner(x)

    model = Own()
    assert not clone_model(model).built
    model(np.ones((1, 3), "float32"))
    copy = clone_model(model)
    assert copy.built and [w.shape for w in copy.weights] == [(3, 2), (2,)]
    assert copy.weights[0] is not model.weights[0]


def test_inner_outputs():
    base = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="a"), layers.Dense(2, name="b")])
    x = np.ones((2, 4), "float32")
    both = keras.Model(base.inputs, [layer.output for layer in base.layers])
    first, second = both(x)
    np.testing.assert_allclose(base.get_layer("b")(first), second, rtol=1e-6)
    np.testing.assert_allclose(second, base(x), rtol=1e-6)
    behind = keras.Model(base.get_layer("a").output, base.outputs)
    np.testing.assert_allclose(behind(first), second, rtol=1e-6)
