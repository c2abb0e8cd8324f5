"""Training on an emulated device against training on the CPU, from the same weights, with the same random
bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile.core.config import config
from tests.cuda.models import digits, mnist_cnn, token_classifier, tokens

# Two float32 computations in different orders; weights are of the order of 1.
TOLERANCE = 1e-5


def trained(make: Any, data: Any, steps: int, target: str) -> tuple[list[Any], list[np.ndarray]]:
    """Logs of each step and the weights after the last."""
    keras.utils.set_random_seed(1)
    with config(target=target):
        model = make()
        return [model.train_on_batch(*data) for _ in range(steps)], model.get_weights()


def assert_same_training(make: Any, data: Any, steps: int) -> None:
    logs, weights = trained(make, data, steps, "cpu")
    emulated_logs, emulated = trained(make, data, steps, "cuda-emulated")
    np.testing.assert_allclose(emulated_logs, logs, rtol=TOLERANCE)
    for got, want in zip(emulated, weights, strict=True):
        np.testing.assert_allclose(got, want, atol=TOLERANCE)
    assert logs[0] != logs[-1]  # it learned something


def narrow_cnn() -> Any:
    return mnist_cnn((8, 12), 24, side=12, optimizer=keras.optimizers.SGD(0.05, momentum=0.9))


def test_mnist_cnn_step():
    """Convolutions, pooling, both dropouts, both dense layers, the loss, all gradients, the update, the
    metrics.
    """
    assert_same_training(narrow_cnn, digits(6, 12), 3)


def test_gathers_scatters_and_normalizations():
    assert_same_training(token_classifier, tokens(5), 3)


@pytest.mark.parametrize("name", ["adam", "adadelta", "rmsprop"])
def test_optimizers_update_in_place(name):
    make = keras.optimizers.get

    def model() -> Any:
        net = keras.Sequential([keras.Input((5,)), keras.layers.Dense(7, "tanh"), keras.layers.Dense(10)])
        net.compile(make(name), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return net

    x, y = digits(9, 5)
    assert_same_training(model, (x[:, 0, :, 0], y), 4)


def test_fit_evaluate_and_predict():
    """Whole epochs, shuffled, with a short last batch."""
    x, y = digits(20, 10)
    found = {}
    for target in ("cpu", "cuda-emulated"):
        keras.utils.set_random_seed(2)
        with config(target=target):
            model = mnist_cnn((2, 3), 4, side=10, optimizer="sgd")
            history = model.fit(x, y, batch_size=8, epochs=2, verbose=0).history
            found[target] = [
                *history["loss"],
                *model.evaluate(x, y, verbose=0),
                model.predict(x[:3], verbose=0),
            ]
    for got, want in zip(found["cuda-emulated"], found["cpu"], strict=True):
        np.testing.assert_allclose(got, want, rtol=TOLERANCE)
