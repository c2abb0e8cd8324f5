"""What real Keras 3.15 does with generators and executions of several steps; numbers of its JAX backend."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import kcompile as keras
from kcompile.training.data import read_ahead
from tests.parity import epoch_cases
from tests.parity.epoch_cases import X, Y, batches, model


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """However busy the machine is, no item takes so long that a thread reads ahead, which changes the order
    of events.
    """
    monkeypatch.setattr(read_ahead, "SLOW", 1e9)


EXPECTED = json.loads((Path(epoch_cases.__file__).parent / "epochs.json").read_text())


def test_every_case_has_its_numbers():
    assert epoch_cases.make_cases().keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_batches_logs_and_histories(name):
    found, expected = epoch_cases.run(keras, name), EXPECTED[name]
    assert found.keys() == expected.keys()
    assert [row[:2] for row in found["seen"]] == [row[:2] for row in expected["seen"]]
    numbers = [[row[2] for row in rows["seen"]] for rows in (found, expected)]
    np.testing.assert_allclose(*numbers, rtol=1e-5)
    assert found["warned"] == expected["warned"]
    assert found.get("events") == expected.get("events")
    if "history" in expected:
        assert found["iterations"] == expected["iterations"]
        assert list(found["history"]) == list(expected["history"])
        for key, values in expected["history"].items():
            np.testing.assert_allclose(found["history"][key], values, rtol=1e-5, err_msg=key)


def test_executions_change_no_number():
    one, three = epoch_cases.fit(keras, 1, epochs=2), epoch_cases.fit(keras, 3, epochs=2)
    assert one["history"] == three["history"]


def test_the_outputs_of_an_execution_are_joined():
    outputs = []
    note = keras.callbacks.LambdaCallback()
    note.on_predict_batch_end = lambda batch, logs=None: outputs.append(logs["outputs"])
    made = model(keras, steps_per_execution=2)
    whole = made.predict(X, batch_size=4, verbose=0, callbacks=[note])
    assert [len(part) for part in outputs] == [8, 8, 4]
    np.testing.assert_array_equal(np.concatenate(outputs), whole)


def test_a_validation_takes_no_more_of_a_generator_than_it_needs():
    taken = []

    def noted():
        for k in range(20):
            taken.append(k)
            yield X[k : k + 1], Y[k : k + 1]

    epoch_cases.validated(keras, noted(), 3)
    assert taken == list(range(5))  # three, then two old ones and a new one, twice


@pytest.mark.parametrize("call", ["fit", "evaluate", "predict"])
def test_warnings_point_to_the_call(call):
    with pytest.warns(UserWarning, match="ran out of data") as caught:
        getattr(model(keras), call)(batches(6), verbose=0)
    assert {w.filename for w in caught} == {__file__}


def test_a_warning_names_the_data_set_of_another_library():
    class Loader:
        __module__ = "torch.utils.data.dataloader"

        def __iter__(self):
            return batches(5)

    with pytest.warns(UserWarning, match="provided as a torch DataLoader"):
        model(keras).fit(Loader(), verbose=0)


def test_a_step_of_ones_own_trains_on_without_gradients():
    class Model(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return 3.0

    inputs = keras.Input((4,))
    made = Model(inputs, keras.layers.Dense(1)(inputs))
    made.compile(keras.optimizers.AdamW(0.1, weight_decay=0.5))
    before = made.get_weights()[0]
    assert made.fit(X, Y, verbose=0).history == {"loss": [3.0]}
    np.testing.assert_allclose(made.get_weights()[0], before * 0.95, rtol=1e-6)
    assert int(made.optimizer.iterations) == 1


@pytest.mark.compiled
def test_no_gradients_compiled():
    found = epoch_cases.run(keras, "no gradients, AdamW, stopped")
    for key, values in EXPECTED["no gradients, AdamW, stopped"]["history"].items():
        np.testing.assert_allclose(found["history"][key], values, rtol=1e-5, err_msg=key)


@pytest.mark.parametrize("unit, count", [(1, 3), (2, 3), (4, 6)])
def test_the_bar_of_an_unknown_length(capsys, unit, count):
    """The last number is that of whole executions: 4/4 for three batches by two, 8/8 for six by four."""
    model(keras, steps_per_execution=unit).fit(batches(count), verbose=2)
    shown = -(-count // unit) * unit
    assert capsys.readouterr().out.startswith(f"{shown}/{shown} - ")


@pytest.mark.parametrize("unit, at", [(1, 2), (2, 3)])
def test_what_is_printed_at_a_loss_that_is_no_number(capsys, unit, at):
    epoch_cases.fit(keras, unit, y=epoch_cases.BAD, callbacks=[keras.callbacks.TerminateOnNaN()])
    assert capsys.readouterr().out == f"Batch {at}: Invalid loss, terminating training\n"
