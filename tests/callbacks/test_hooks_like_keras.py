"""Hooks are called in Keras's order, with Keras's numbers and logs."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from tests.parity import fixtures
from tests.parity.block_cases import hooks as cases

CASES = cases.make_cases()


def agree(found, theirs):
    """Equal calls; numbers in logs to float32's rounding over a few steps."""
    assert [call[:2] for call in found] == [call[:2] for call in theirs]
    for (hook, number, logs), (_, _, wanted) in zip(found, theirs, strict=True):
        where = f"{hook} {number}"
        assert (logs is None) == (wanted is None), where
        if logs is None:
            continue
        assert list(logs) == list(wanted), where
        for name, value in wanted.items():
            if isinstance(value, float):
                np.testing.assert_allclose(logs[name], value, rtol=1e-4, err_msg=f"{where} {name}")
            else:
                assert logs[name] == value, where


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("name", CASES)
def test_calls(name):
    calls: list[list[object]] = []
    CASES[name](keras, calls)
    agree(calls, fixtures.block_texts("hooks")[name])


def test_rates_of_several_optimizers():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.Dense(1)])
    first, second = (keras.optimizers.SGD(rate, name=name) for rate, name in ((0.1, "one"), (0.2, "two")))
    by_path = keras.optimizers.OptimizerMap(first, {model.layers[0].kernel.path: second})
    model.compile(keras.optimizers.MultiOptimizer(by_path), "mse")
    callbacks = [
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5),
        keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=1, min_delta=1e9),
    ]
    data = np.ones((4, 2)), np.ones((4, 1))
    history = model.fit(*data, epochs=3, verbose=0, callbacks=callbacks).history
    np.testing.assert_allclose(history["learning_rate_one"], [0.05, 0.025, 0.00125], rtol=1e-5)
    np.testing.assert_allclose(history["learning_rate_two"], [0.1, 0.05, 0.0025], rtol=1e-5)
