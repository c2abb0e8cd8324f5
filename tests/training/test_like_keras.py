"""What real Keras 3.15 does with generators and executions of several steps, recorded on its JAX backend."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from tests.training.test_fit import Recorder

rng = np.random.default_rng(0)
x = rng.normal(size=(20, 4)).astype("float32")
y = x.sum(1, keepdims=True)


def model(**settings):
    made = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    made.set_weights([np.full((4, 1), 0.1), np.zeros(1)])
    made.compile(keras.optimizers.SGD(0.01), "mse", **settings)
    return made


def batches(count):
    for k in range(count):
        yield x[4 * k % 20 : 4 * k % 20 + 4], y[4 * k % 20 : 4 * k % 20 + 4]


def arrays(made, **more):
    return made.fit(x, y, **{"batch_size": 4, "shuffle": False, "verbose": 0, **more})


class Logs(keras.callbacks.Callback):
    """The numbers of batches, and losses."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(batch)

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((batch, round(logs["loss"], 4)))


# --- steps_per_execution ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unit, more, expected",
    [
        (2, {}, [0, (1, 3.5762), 2, (3, 3.0165), 4, (5, 2.9357)]),
        (3, {}, [0, (2, 3.6567), 3, (5, 2.9357)]),
        (2, {"steps_per_epoch": 4}, [0, (1, 3.5762), 2, (3, 3.0165)]),
        (3, {"steps_per_epoch": 4}, [0, (2, 3.6567), 3, (5, 2.9357)]),  # executions are not parted
        (3, {"steps_per_epoch": 4, "epochs": 2},
         [0, (2, 3.6567), 3, (5, 2.9357), 0, (2, 2.908), 3, (5, 2.3351)]),
        (7, {}, [0, (6, 2.9357)]),
    ],
)  # fmt: skip
def test_executions_of_several_steps(unit, more, expected):
    logs = Logs()
    arrays(model(steps_per_execution=unit), callbacks=[logs], **more)
    assert logs.seen == expected


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_an_execution_that_the_data_cuts_short_ends_the_pass():
    logs = Logs()
    history = arrays(model(steps_per_execution=2), callbacks=[logs], steps_per_epoch=4, epochs=2).history[
        "loss"
    ]
    assert logs.seen[-2:] == [0, (1, 2.6126)]
    assert history == pytest.approx([3.0164671, 2.612642])


def test_executions_over_a_generator():
    logs = Logs()
    model(steps_per_execution=2).fit(batches(5), verbose=0, callbacks=[logs])
    assert logs.seen == [0, (1, 3.5762), 2, (3, 3.0165), 4, (5, 2.9357)]


def test_executions_change_no_number():
    one, three = model(), model(steps_per_execution=3)
    assert arrays(one, epochs=2).history == arrays(three, epochs=2).history
    np.testing.assert_array_equal(one.get_weights()[0], three.get_weights()[0])


def test_executions_of_evaluate_and_predict():
    made, recorder, outputs = model(steps_per_execution=2), Recorder(), []
    made.evaluate(x, y, batch_size=4, verbose=0, callbacks=[recorder])
    assert [c[1] for c in recorder.calls if c[0] == "on_test_batch_end"] == [1, 3, 5]
    note = keras.callbacks.LambdaCallback()
    note.on_predict_batch_end = lambda batch, logs=None: outputs.append((batch, logs["outputs"]))
    whole = made.predict(x, batch_size=4, verbose=0, callbacks=[note])
    assert [(k, len(part)) for k, part in outputs] == [(1, 8), (3, 8), (5, 4)]
    np.testing.assert_array_equal(np.concatenate([part for _, part in outputs]), whole)


# --- generators ---------------------------------------------------------------------------------------------


def validated(data, epochs=3, **more):
    history = model().fit(
        x, y, batch_size=10, epochs=epochs, shuffle=False, verbose=0, validation_data=data, **more
    )
    return history.history["val_loss"]


def test_validation_by_a_generator_begins_with_its_first_two_batches_each_time():
    assert validated(batches(9), validation_steps=2) == pytest.approx([3.341328, 3.101309, 2.881255])
    assert validated(batches(3), validation_steps=2) == pytest.approx([3.341328, 3.101309, 2.881255])
    taken = []

    def noted():
        for k in range(20):
            taken.append(k)
            yield x[k : k + 1], y[k : k + 1]

    assert len(validated(noted(), validation_steps=3)) == 3
    assert taken == list(range(5))  # three, then two old ones and a new one, twice


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_validation_by_a_generator_that_ends():
    assert validated(batches(3)) == pytest.approx([3.430653, 3.101309, 2.881255])


def test_validation_data_of_other_kinds_begin_anew():
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 5

        def __getitem__(self, k):
            return x[4 * k : 4 * k + 4], y[4 * k : 4 * k + 4]

    expected = pytest.approx([3.341328, 3.101309, 2.881255])
    assert validated(Batches(), validation_steps=2) == expected
    assert validated((x, y), validation_batch_size=4, validation_steps=2) == expected


def test_training_by_a_generator_that_ends_goes_on_with_its_first_two_batches():
    with pytest.warns(UserWarning, match="ran out of data"):
        history = model().fit(batches(6), epochs=2, verbose=0).history["loss"]
    assert history == pytest.approx([3.340545, 2.688475])


def test_training_and_validation_by_generators():
    history = model().fit(
        batches(6), epochs=2, steps_per_epoch=3, validation_data=batches(4), validation_steps=2, verbose=0
    ).history  # fmt: skip
    assert history["loss"] == pytest.approx([3.656697, 3.024393])
    assert history["val_loss"] == pytest.approx([3.122958, 2.708049])


@pytest.mark.parametrize("unit, count", [(1, 3), (2, 3), (4, 6)])
def test_the_bar_of_an_unknown_length(capsys, unit, count):
    """The last number is that of whole executions: 4/4 for three batches by two, 8/8 for six by four."""
    model(steps_per_execution=unit).fit(batches(count), verbose=2)
    shown = -(-count // unit) * unit
    assert capsys.readouterr().out.startswith(f"{shown}/{shown} - ")


# --- NaN ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit, at, steps", [(1, 2, 3), (2, 3, 4)])
def test_training_ends_within_the_step_whose_loss_is_no_number(capsys, unit, at, steps):
    bad = y.copy()
    bad[9] = np.nan
    made, logs = model(steps_per_execution=unit), Logs()
    history = made.fit(
        x, bad, batch_size=4, epochs=3, shuffle=False, verbose=0,
        callbacks=[keras.callbacks.TerminateOnNaN(), logs],
    )  # fmt: skip
    assert capsys.readouterr().out == f"Batch {at}: Invalid loss, terminating training\n"
    assert int(made.optimizer.iterations) == steps and history.epoch == [0]
    assert logs.seen[-1][0] == at and np.isnan(logs.seen[-1][1])
