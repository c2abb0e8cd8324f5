"""Methods of the trainer that a user's model overrides are those that `fit` calls; orders of losses."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops

X = np.random.default_rng(1).normal(size=(9, 3)).astype("float32")
Y = np.random.default_rng(2).normal(size=(9, 1)).astype("float32")


def built(cls=keras.Model, **settings):
    inputs = keras.Input((3,))
    model = cls(inputs, layers.Dense(1)(inputs))
    model.compile("sgd", "mse", **settings)
    return model


class Evaluated(keras.Model):
    asked = ()

    def evaluate(self, *args, **kwargs):
        self.asked = (*self.asked, sorted(kwargs))
        logs = super().evaluate(*args, **kwargs)
        return {**logs, "own": 5.0} if isinstance(logs, dict) else logs


def test_fit_validates_by_the_models_own_evaluate():
    model, plain = built(Evaluated), built()
    plain.set_weights(model.get_weights())
    how = {
        "epochs": 2,
        "verbose": 0,
        "shuffle": False,
        "batch_size": 4,
        "validation_data": (X, Y, Y[:, 0] ** 2),
    }
    found, wanted = model.fit(X, Y, **how).history, plain.fit(X, Y, **how).history
    assert found.pop("val_own") == [5.0, 5.0]
    assert found == wanted
    assert len(model.asked) == 2 and "_use_cached_eval_dataset" in model.asked[0]
    assert np.isscalar(model.evaluate(X, Y, verbose=0))


def test_evaluate_without_a_fit_takes_no_kept_data():
    model = built()
    assert model.evaluate(X, Y, verbose=0, _use_cached_eval_dataset=True) == model.evaluate(X, Y, verbose=0)
    with pytest.raises(ValueError, match="not recognized"):
        model.evaluate(X, Y, verbose=0, other=1)


def test_stopping_before_the_first_batch_ends_after_it():
    """Keras looks at `stop_training` after each batch, also where no callback sees batches."""

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    model, by_hand = built(), built()
    by_hand.set_weights(model.get_weights())
    model.fit(X, Y, epochs=4, batch_size=2, verbose=0, shuffle=False, callbacks=[Stop()])
    by_hand.fit(X, Y, batch_size=2, verbose=0, shuffle=False)
    by_hand.train_on_batch(X[:2], Y[:2])
    assert model.history.epoch == [0, 1]
    for mine, wanted in zip(model.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-5, atol=1e-7)


def test_metrics_that_take_no_labels_are_refused():
    """Predictions are no weights of labels."""
    model = built(metrics=[keras.metrics.Mean()])
    with pytest.raises(TypeError, match="sample_weight"):
        model.fit(X, Y, verbose=0)


def test_lists_around_the_only_loss():
    once, nested = built(), built()
    nested.set_weights(once.get_weights())
    nested.compile("sgd", [["mse"]])
    assert once.evaluate(X, Y, verbose=0) == nested.evaluate(X, Y, verbose=0)


@pytest.mark.parametrize("order", ["zs", "sz"])
def test_losses_are_listed_as_their_dict_names_them(order):
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.z, self.s = layers.Dense(1), layers.Dense(1)

        def call(self, x):
            return {"z": self.z(x), "s": self.s(x)}

    inputs = keras.Input((3,))
    functional = keras.Model(inputs, {"z": layers.Dense(1)(inputs), "s": ops.sum(inputs, 1, keepdims=True)})
    for model in (Two(), functional):
        model.compile("sgd", {name: {"z": "mse", "s": "mae"}[name] for name in order})
        listed = model.evaluate(X, {"z": Y, "s": Y}, verbose=0)
        named = model.evaluate(X, {"z": Y, "s": Y}, verbose=0, return_dict=True)
        assert [m.name for m in model.metrics] == ["loss", *(f"{name}_loss" for name in order)]
        assert listed == [named["loss"], *(named[f"{name}_loss"] for name in order)]


def test_jit_compile_before_compile():
    inputs = keras.Input((3,))
    assert keras.Model(inputs, layers.Dense(1)(inputs)).jit_compile is True


class Written(keras.Model):
    """A step as in Keras's guide; `told` makes its logs from the loss and the metrics."""

    def train_step(self, data):
        x, y = data
        with keras.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return self.told(loss, y, y_pred)


def test_nested_logs_stand_where_their_outer_name_does():
    """`compile_metrics` comes before `loss`, and so do the metrics in it."""

    class Guide(Written):
        def told(self, loss, y, y_pred):
            for metric in self.metrics:
                metric.update_state(loss) if metric.name == "loss" else metric.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

    seen = []
    model = built(Guide, metrics=["mse", "poisson"])
    record = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(list(logs)))
    history = model.fit(X, Y, verbose=0, validation_data=(X, Y), callbacks=[record])
    assert list(history.history)[:3] == ["mse", "poisson", "loss"] == seen[0]
    assert list(history.history)[3:] == ["val_loss", "val_mse", "val_poisson"]
    assert model.train_on_batch(X, Y, return_dict=True).keys() == {"mse", "poisson", "loss"}
    assert len(model.train_on_batch(X, Y)) == 3


def test_an_epochs_logs_are_its_metrics_where_they_have_the_same_names():
    class LastLoss(Written):
        def told(self, loss, y, y_pred):
            self.metrics[0].update_state(loss)
            return {"loss": loss}

    class Untold(Written):
        def told(self, loss, y, y_pred):
            return {"loss": loss}

    kept = []
    record = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: kept.append(logs["loss"]))
    how = {"batch_size": 3, "shuffle": False, "verbose": 0, "callbacks": [record]}
    history = built(LastLoss).fit(X, Y, **how).history
    np.testing.assert_allclose(history["loss"], [np.mean(kept)], rtol=1e-6)
    history = (
        built(Untold).fit(X, Y, **how).history
    )  # where Keras shows the 0 of a metric that nobody updated
    assert history["loss"] == [kept[-1]]


def test_compute_metrics_counts_for_batches_and_the_metrics_for_epochs():
    class Doubled(keras.Model):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            found = super().compute_metrics(x, y, y_pred, sample_weight)
            return {name: value * 2 for name, value in found.items()}

    model = built(Doubled)
    found = model.evaluate(X, Y, verbose=0)
    assert model.test_on_batch(X, Y) == pytest.approx(2 * found, rel=1e-6)
