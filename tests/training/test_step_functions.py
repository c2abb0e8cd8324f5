"""Steps that are Python: `run_eagerly`, steps called by hand, and `make_train_function` and its like."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(8, 4)).astype("float32"), rng.normal(size=(8, 3)).astype("float32")


def linear(kind=keras.Sequential, **settings):
    model = kind([keras.Input((4,)), layers.Dense(3)])
    model.set_weights([np.full((4, 3), 0.1, "float32"), np.zeros(3, "float32")])
    model.compile(**{"optimizer": keras.optimizers.SGD(0.1), "loss": "mse", **settings})
    return model


class Looks(keras.Model):
    """Sees numbers in its call."""

    def __init__(self):
        super().__init__()
        self.inner, self.seen = layers.Dense(3, kernel_initializer="ones"), []

    def call(self, x, training=False):
        self.seen.append((float(ops.sum(x)), training))
        y = self.inner(x)
        return y if float(y[0, 0]) < 1e6 else y * 0


@pytest.mark.parametrize("source", ["arrays", "generator"])
def test_an_eager_call_sees_the_numbers_of_every_batch(source):
    model = Looks()
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"], run_eagerly=True)
    batches = [(X[:4], Y[:4]), (X[4:], Y[4:])]
    if source == "arrays":
        model.fit(X, Y, batch_size=4, shuffle=False, epochs=2, verbose=0)
    else:
        model.fit((b for b in batches * 2), steps_per_epoch=2, shuffle=False, epochs=2, verbose=0)
    sums = [pytest.approx(x.sum(), abs=1e-4) for x, _ in batches]
    assert model.seen == [(s, True) for s in sums] * 2
    compiled = keras.Sequential([keras.Input((4,)), layers.Dense(3, kernel_initializer="ones")])
    compiled.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    expected = compiled.fit(X, Y, batch_size=4, shuffle=False, epochs=2, verbose=0).history
    for name, values in expected.items():
        np.testing.assert_allclose(model.history.history[name], values, rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], compiled.get_weights()[0], rtol=1e-5)


def test_an_eager_step_of_ones_own_sees_numbers():
    losses = []

    class Own(keras.Sequential):
        def train_step(self, data):
            x, y = data
            with keras.GradientTape() as tape:
                loss = self.compute_loss(y=y, y_pred=self(x, training=True))
            losses.append(float(loss))
            if loss.numpy() > 0:
                gradients = tape.gradient(loss, self.trainable_variables)
                self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return {"loss": loss}

    model = linear(Own, run_eagerly=True)
    history = model.fit(X, Y, batch_size=4, shuffle=False, epochs=2, verbose=0).history
    assert len(losses) == 4 and losses[1] == pytest.approx(history["loss"][0])
    assert history["loss"][1] == pytest.approx(losses[3]) and losses[2] < losses[0]


def test_an_eager_step_looks_at_the_labels_first():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    before = model.get_weights()[0]
    with pytest.raises(ValueError, match="class numbers from 0 to 2"):
        model.fit(X, np.arange(8), verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_a_training_step_by_hand():
    model, other = linear(), linear()
    logs = model.train_step((X, Y))
    assert float(logs["loss"]) == pytest.approx(other.train_on_batch(X, Y), rel=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], other.get_weights()[0], rtol=1e-5)


def test_losses_without_a_reduction():
    """Their sum is differentiated, their mean is shown, as in Keras on TensorFlow."""
    model = linear(loss=keras.losses.MeanSquaredError(reduction="none"))
    history = model.fit(X, labels := Y * 0 + X[:, :3], epochs=2, batch_size=4, shuffle=False, verbose=0)
    summed = linear(loss=keras.losses.MeanSquaredError(reduction="sum"))
    summed.fit(X, labels, epochs=2, batch_size=4, shuffle=False, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], summed.get_weights()[0], rtol=1e-5)
    np.testing.assert_allclose(
        history.history["loss"], np.array(summed.history.history["loss"]) / 4, rtol=1e-5
    )


def test_of_several_losses_for_one_output_the_first_counts():
    with pytest.warns(UserWarning, match="2 losses for one output"):
        model = linear(loss=["mse", "mae"])
        history = model.fit(X, Y, verbose=0).history
    assert history["loss"] == pytest.approx(linear().fit(X, Y, verbose=0).history["loss"])
    assert history["mse_loss"] == history["mae_loss"] == [0.0]


# --- make_train_function ------------------------------------------------------------------------------------


class Wrapped(keras.Sequential):
    """Counts what its functions are called for, as Keras's programs wrap them."""

    def _wrap(self, kind, force):
        known = getattr(self, f"{kind}_function")
        getattr(super(), f"make_{kind}_function")(force)
        function = getattr(self, f"{kind}_function")
        if function is known:
            return
        counts = self.__dict__.setdefault("counts", {})

        def counted(batches):
            counts[kind] = counts.get(kind, 0) + 1
            return function(batches)

        setattr(self, f"{kind}_function", counted)

    def make_train_function(self, force=False):
        self._wrap("train", force)

    def make_test_function(self, force=False):
        self._wrap("test", force)

    def make_predict_function(self, force=False):
        self._wrap("predict", force)


def test_functions_that_are_wrapped():
    settings = {"batch_size": 4, "epochs": 2, "shuffle": False, "verbose": 0, "validation_data": (X, Y)}
    model, plain = linear(Wrapped, metrics=["mae"]), linear(metrics=["mae"])
    history, expected = (m.fit(X, Y, **settings).history for m in (model, plain))
    assert model.counts == {"train": 4, "test": 4}
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-6)
    np.testing.assert_allclose(
        model.predict(X, batch_size=3, verbose=0), plain.predict(X, verbose=0), rtol=1e-6
    )
    assert model.counts["predict"] == 3 and model.predict(X, verbose=0).shape == (8, 3)
    assert model.train_on_batch(X, Y) == pytest.approx(plain.train_on_batch(X, Y))
    assert model.test_on_batch(X, Y) == pytest.approx(plain.test_on_batch(X, Y))
    assert model.predict_on_batch(X).shape == (8, 3) and model.counts == {"train": 5, "test": 5, "predict": 5}
    model.compile("sgd", "mse")
    assert model.train_function is None  # as in Keras, `compile` forgets them


def test_functions_of_ones_own():
    model, batches = linear(), []

    def mine(iterator):
        x, y = next(iterator)
        batches.append(len(x))
        return {"loss": float(np.sum(x) + np.sum(y))}

    model.train_function = mine
    history = model.fit(X, Y, batch_size=3, epochs=2, shuffle=False, verbose=0).history
    assert batches == [3, 3, 2] * 2 and history["loss"] == [pytest.approx(X[6:].sum() + Y[6:].sum())] * 2
    model.make_train_function = lambda force=False: None
    model.train_function = None
    with pytest.raises(ValueError, match="must set `self.train_function`"):
        model.fit(X, Y, verbose=0)


def test_functions_called_by_hand():
    model, other = linear(steps_per_execution=2), linear()
    assert model.make_train_function() is None and callable(model.make_train_function())
    logs = model.train_function(iter([(X[:4], Y[:4]), (X[4:], Y[4:]), (X, Y)]))
    expected = other.fit(X, Y, batch_size=4, shuffle=False, verbose=0).history["loss"]
    assert logs["loss"] == pytest.approx(expected[0], rel=1e-6)
    model.make_predict_function()
    np.testing.assert_allclose(
        model.predict_function([(X[:4],), (X[4:],)]), other.predict(X, verbose=0), rtol=1e-5
    )
    model.make_test_function()
    with pytest.raises(StopIteration):
        model.test_function(iter([]))
