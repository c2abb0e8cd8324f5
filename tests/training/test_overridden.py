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


class Constant(keras.metrics.Metric):
    """It has no variables."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        pass

    def result(self):
        return ops.convert_to_tensor(2.0)


class Listed(keras.metrics.Metric):
    """It keeps what a step that is Python tells it."""

    def __init__(self):
        super().__init__(name="listed")
        self.kept = []

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.kept.append(float(np.mean(np.abs(np.asarray(y_true) - np.asarray(y_pred)))))

    def result(self):
        return np.float32(np.mean(self.kept)) if self.kept else np.float32(0)

    def reset_state(self):
        self.kept = []


class Raw(keras.Model):
    """A step that tells the loss of its batch. asks: does it update the metrics of `compile`, called so?"""

    asks, called = True, ()

    def test_step(self, data):
        x, y = data
        y_pred = self(x, training=False)
        loss = self.compute_loss(x, y, y_pred)
        self.metrics[0].update_state(loss)
        if self.asks:
            self.metrics[1].update_state(y, y_pred)
        return {"loss": loss, **dict.fromkeys(self.called, -1.0)}


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("metrics", [[], [Constant], [keras.metrics.MeanSquaredError]])
def test_each_metric_that_a_step_updates_says_its_own(metrics, eagerly):
    def found(asks):
        model, given = built(Raw), [metric() for metric in metrics]
        model.asks, model.called = asks, [metric.name for metric in given]
        model.compile("sgd", "mse", metrics=given, run_eagerly=eagerly)
        if not asks:
            model.metrics[1].build(Y, Y)
        plain = keras.Model(model.inputs, model.outputs)
        plain.compile("sgd", "mse", metrics=[metric(name=given[k].name) for k, metric in enumerate(metrics)])
        how = {"batch_size": 3, "verbose": 0, "return_dict": True}
        return model.evaluate(X, Y, **how), plain.evaluate(X, Y, **how)

    logs, expected = found(asks=True)
    assert logs == pytest.approx(expected, rel=1e-6)
    logs, expected = found(asks=False)
    silent = {name: -1.0 for name in expected if name == "mean_squared_error"}
    assert logs == pytest.approx({**expected, **silent}, rel=1e-6)


def test_a_metric_that_python_keeps_says_its_own():
    model = built(Raw)
    model.called = ["listed"]
    model.compile("sgd", "mse", metrics=[Listed()], run_eagerly=True)
    plain = keras.Model(model.inputs, model.outputs)
    plain.compile("sgd", "mse", metrics=["mae"])
    how = {"batch_size": 3, "verbose": 0}
    np.testing.assert_allclose(model.evaluate(X, Y, **how), plain.evaluate(X, Y, **how), rtol=1e-6)


def test_metrics_that_no_step_asks_for_are_not_there():
    model = built(Raw, metrics=["mae"])
    model.asks = False
    plain = keras.Model(model.inputs, model.outputs)
    plain.compile("sgd", "mse")
    how = {"batch_size": 3, "verbose": 0}
    assert model.evaluate(X, Y, **how) == pytest.approx(plain.evaluate(X, Y, **how), rel=1e-6)


def test_compute_metrics_counts_for_batches_and_the_metrics_for_epochs():
    class Doubled(keras.Model):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            found = super().compute_metrics(x, y, y_pred, sample_weight)
            return {name: value * 2 for name, value in found.items()}

    model = built(Doubled)
    found = model.evaluate(X, Y, verbose=0)
    assert model.test_on_batch(X, Y) == pytest.approx(2 * found, rel=1e-6)
