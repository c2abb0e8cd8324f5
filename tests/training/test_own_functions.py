"""A program's own functions in the place of ours: how many batches they take, what they return."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(40, 4)).astype("float32"), rng.normal(size=(40, 3)).astype("float32")


def linear(**settings):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    model.compile(**{"optimizer": "sgd", "loss": "mse", **settings})
    return model


def pairs(taken):
    """A function that takes two batches a call."""

    def function(batches):
        sizes = [len(next(batches)[0]), len(next(batches)[0])]
        taken.append(sizes)
        return {"loss": float(len(taken))}

    return function


def test_a_call_that_meets_the_end_of_the_data_ends_the_epoch():
    model, taken, seen = linear(), [], []
    model.train_function, model.test_function = pairs(taken), pairs([])
    ends = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    with pytest.warns(UserWarning, match="ran out of data"):
        history = model.fit(X, Y, batch_size=8, epochs=2, callbacks=[ends], verbose=0).history
    assert history["loss"] == [2.0, 4.0] and taken == [[8, 8]] * 4 and seen == [0, 1, 0, 1]
    with pytest.warns(UserWarning, match="ran out of data"):
        assert model.evaluate(X, Y, batch_size=8, verbose=0) == 2.0


def test_an_epoch_tells_the_metrics_of_all_steps():
    """The last batch is trained on by a call that meets the end of the data, and tells nothing."""

    def twice(step):
        return lambda batches: [step(batches), step(batches)][1]

    model = linear(metrics=["mae"])
    weights = model.get_weights()
    expected = model.fit(X[:24], Y[:24], batch_size=8, shuffle=False, verbose=0).history
    model.set_weights(weights)
    model.make_train_function()
    model.train_function = twice(model.train_function)
    with pytest.warns(UserWarning, match="ran out of data"):
        found = model.fit(X[:24], Y[:24], batch_size=8, shuffle=False, verbose=0).history
    assert found == expected


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("metrics", [None, [], ["mae"]])
def test_an_epoch_tells_the_metrics_of_steps_called_by_hand(metrics, eagerly):
    """Two steps a call, the second of which meets the end of three batches."""

    class ByHand(keras.Model):
        def make_train_function(self, force=False):
            self.train_function = lambda batches: [self.train_step(next(batches)) for _ in range(2)][1]

        def make_test_function(self, force=False):
            self.test_function = lambda batches: [self.test_step(next(batches)) for _ in range(2)][1]

    plain = linear(metrics=metrics)
    model = ByHand(plain.inputs, plain.outputs)
    model.compile("sgd", "mse", metrics=metrics, run_eagerly=eagerly)
    how = {"batch_size": 8, "verbose": 0}
    expected = plain.evaluate(X[:24], Y[:24], **how)
    with pytest.warns(UserWarning, match="ran out of data"):
        np.testing.assert_allclose(model.evaluate(X[:24], Y[:24], **how), expected, rtol=1e-6)
    weights = plain.get_weights()
    expected = plain.fit(X[:24], Y[:24], shuffle=False, **how).history
    plain.set_weights(weights)
    with pytest.warns(UserWarning, match="ran out of data"):
        found = model.fit(X[:24], Y[:24], shuffle=False, **how).history
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-6)


def test_a_function_that_updates_no_metric_is_told_by_its_logs():
    model = linear()
    model.test_function = lambda batches: {"loss": float(next(batches)[0].sum())}
    assert model.evaluate(X, Y, batch_size=8, verbose=0) == pytest.approx(float(X[32:].sum()))


TAKES = {
    0: lambda batches: {"a": 1.0},
    1: lambda batches: {"a": float(len(next(batches)))},
    2: lambda batches: {"a": float(len(next(batches)) + len(next(batches)))},
}


@pytest.mark.parametrize(
    ("takes", "steps", "unit", "told"),
    [  # as Keras on TensorFlow tells callbacks, of five batches: b begins, e ends, | ends the epoch
        (0, 8, 1, "b0 e0 b1 e1 b2 e2 b3 e3 b4 e4 | b0 e0 b1 e1 b2 e2 b3 e3 b4 e4 |"),
        (0, 3, 1, "b0 e0 b1 e1 b2 e2 | b0 e0 b1 e1 | b0 e0 b1 e1 b2 e2 |"),
        (0, 8, 2, "b0 e1 b2 e3 b4 e5 | b0 e1 b2 e3 b4 e5 |"),
        (1, 3, 1, "b0 e0 b1 e1 b2 e2 | b0 e0 b1 e1 | b0 e0 b1 e1 b2 e2 |"),
        (2, 2, 1, "b0 e0 b1 e1 | b0 | b0 e0 b1 e1 | b0 |"),
    ],
)
def test_given_steps_go_on_until_the_pass_ends(takes, steps, unit, told):
    """It ends where a call meets the end of the data, or after as many steps as there are batches."""
    model, seen = linear(steps_per_execution=unit), []
    model.train_function = TAKES[takes]
    record = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: seen.append(f"b{batch}"),
        on_train_batch_end=lambda batch, logs: seen.append(f"e{batch}"),
        on_epoch_end=lambda epoch, logs: seen.append("|"),
    )
    with pytest.warns(UserWarning, match="ran out of data"):
        model.fit(
            X, Y, batch_size=8, steps_per_epoch=steps, epochs=told.count("|"), verbose=0, callbacks=[record]
        )
    assert " ".join(seen) == told


def test_each_call_takes_as_many_batches_as_it_likes():
    model, taken = linear(), []
    model.train_function = pairs(taken)
    endless = iter(lambda: (X[:8], Y[:8]), None)
    history = model.fit(endless, steps_per_epoch=3, epochs=2, shuffle=False, verbose=0).history
    assert history["loss"] == [3.0, 6.0] and taken == [[8, 8]] * 6


@pytest.mark.parametrize("loss", [None, "mse"])
def test_our_step_need_not_fit_where_it_is_not_used(loss):
    model = linear(loss=loss)
    model.train_function = model.test_function = lambda batches: {"loss": float(next(batches)[1].shape[1])}
    labels = np.zeros((40, 7), "float32")
    history = model.fit(X, labels, batch_size=8, validation_data=(X, labels), verbose=0).history
    assert history == {"loss": [7.0], "val_loss": [7.0]}


def test_labels_are_looked_at_in_a_function_called_by_hand():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = model.get_weights()[0]
    model.make_train_function()
    with pytest.raises(ValueError, match="class numbers from 0 to 2"):
        model.train_function(iter([(X[:8], np.array([0, 1, 2, 3, 99, -5, 1000000, 2]))]))
    np.testing.assert_array_equal(model.get_weights()[0], before)


@pytest.mark.parametrize("result", [1.0, None, [1.0]])
def test_a_function_must_return_logs(result):
    model = linear()
    model.train_function = lambda batches: result
    for train in (lambda: model.fit(X, Y, verbose=0), lambda: model.train_on_batch(X, Y)):
        with pytest.raises(ValueError, match="`train_function` must return a dict of logs. Received: "):
            train()


def test_a_prediction_takes_the_batches_of_an_execution():
    model, taken = linear(steps_per_execution=2), []

    def function(batches):
        taken.append([len(x) for x in batches])
        return np.concatenate([x[:, :1] for x in batches])

    model.predict_function = function
    np.testing.assert_array_equal(model.predict(X, batch_size=8, verbose=0), X[:, :1])
    assert taken == [[8, 8], [8, 8], [8]]


def test_an_error_where_training_begins_leaves_no_training():
    class Refuses(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            raise KeyError("no")

    model = linear()
    with pytest.raises(KeyError):
        model.fit(X, Y, callbacks=[Refuses()], verbose=0)
    assert model._training.progress is None
