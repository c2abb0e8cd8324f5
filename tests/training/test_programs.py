"""Which steps are traced and compiled anew, and which are kept."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile.training import programs as module
from tests.training.models import classifier, data, linear

x, y = data()


@pytest.fixture
def compiled(monkeypatch):
    """Names of the programs that were compiled, in order."""
    names = []
    original = module.StepProgram.__dict__["run"].func

    def run(self):
        names.append(self.traced.graph.name)
        return original(self)

    prop = type(module.StepProgram.__dict__["run"])(run)
    prop.__set_name__(module.StepProgram, "run")
    monkeypatch.setattr(module.StepProgram, "run", prop)
    return names


def test_one_program_for_all_batch_sizes(compiled):
    model = linear()
    for n in (20, 7, 1):
        model.train_on_batch(x[:n], y[:n])
        model.predict_on_batch(x[:n])
    assert compiled == ["train", "predict"]


def test_fit_again_compiles_nothing(compiled):
    model = linear()
    for n in (20, 10):
        model.fit(x[:n], y[:n], epochs=2, validation_split=0.2, verbose=0)
    assert compiled == ["train epoch", "test epoch"]


def test_another_model_changes_nothing(compiled):
    model = linear()
    model.train_on_batch(x, y)
    linear()  # counts as a change of layers: the step is traced again, and found to be the same
    model.train_on_batch(x, y)
    assert compiled == ["train"]


def test_trainable_counts_at_once(compiled):
    model = linear()
    model.train_on_batch(x, y)
    before = model.get_weights()
    model.layers[-1].trainable = False
    model.train_on_batch(x, y)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    model.layers[-1].trainable = True
    model.train_on_batch(x, y)
    assert not np.array_equal(before[0], model.get_weights()[0])
    assert compiled == ["train"] * 3


def test_compile_makes_a_new_step(compiled):
    model = linear(optimizer=keras.optimizers.SGD(0.1))
    model.train_on_batch(x, y)
    model.predict_on_batch(x)
    model.compile("adam", "mae")
    model.train_on_batch(x, y)
    model.predict_on_batch(x)
    assert compiled == ["train", "predict", "train"]  # the prediction is the same computation


def test_the_rate_is_no_reason_to_compile(compiled):
    model = linear(optimizer=keras.optimizers.SGD(0.1))
    model.train_on_batch(x, y)
    before = model.get_weights()[0]
    model.optimizer.learning_rate = 0.0
    model.train_on_batch(x, y)
    model.optimizer.learning_rate.assign(0.0)
    model.train_on_batch(x, y)
    assert compiled == ["train"]
    np.testing.assert_array_equal(before, model.get_weights()[0])


def test_a_schedule_in_place_of_a_rate(compiled):
    model = linear(optimizer=keras.optimizers.SGD(0.1))
    model.train_on_batch(x, y)
    before = model.get_weights()[0]
    model.optimizer.learning_rate = keras.optimizers.schedules.PiecewiseConstantDecay([10**6], [0.0, 0.0])
    model.train_on_batch(x, y)
    assert compiled == ["train"] * 2
    np.testing.assert_array_equal(before, model.get_weights()[0])


def test_an_attribute_of_a_layer_counts(compiled):
    class Scale(keras.layers.Layer):
        factor = 1.0

        def call(self, inputs):
            return inputs * self.factor

    scale = Scale()
    model = keras.Sequential([keras.Input((4,)), scale])
    assert model.predict(x, verbose=0) == pytest.approx(x)
    scale.factor = 3.0
    assert model.predict(x, verbose=0) == pytest.approx(3 * x)


def test_a_layer_added_later_counts():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((20, 2)), verbose=0)
    model.add(keras.layers.Dense(3))
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((20, 3)), verbose=0)
    assert model.predict(x, verbose=0).shape == (20, 3)


def test_metrics_of_single_batches_do_not_add_up():
    model = classifier(3, metrics=["accuracy"])
    labels = np.arange(20) % 3
    model.fit(x, labels, verbose=0)
    first = model.test_on_batch(x, labels)
    assert model.test_on_batch(x, labels) == first
    model.train_on_batch(x[:3], labels[:3])
    assert model.get_metrics_result()["loss"] != pytest.approx(first[0], abs=0)


def test_weights_set_between_steps_are_used():
    model = linear()
    model.train_on_batch(x, y)
    model.set_weights([np.zeros((4, 1)), np.ones(1)])
    np.testing.assert_array_equal(model.predict(x, verbose=0), np.ones((20, 1)))
    model.layers[-1].bias.assign([2.0])
    np.testing.assert_array_equal(model.predict_on_batch(x), np.full((20, 1), 2.0))


def test_a_step_moves_what_layers_assign():
    """Moving averages and seeds are part of the step, in whole epochs too."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(momentum=0.5)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(x + 3, x, epochs=12, batch_size=20, verbose=0)
    mean = model.layers[-1].moving_mean.numpy()
    np.testing.assert_allclose(mean, (x + 3).mean(0), rtol=1e-2)


def test_dropout_draws_anew_in_each_step():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.25, seed=1)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    losses = {model.train_on_batch(x, x) for _ in range(4)}
    assert len(losses) == 4
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)
