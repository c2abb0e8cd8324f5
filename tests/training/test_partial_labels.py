"""Labels for some of a model's outputs: those with a loss, whose metrics and weights they are for, too."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers

rng = np.random.default_rng(0)
X = rng.normal(size=(48, 12)).astype("float32")
CLASSES, NUMBERS = rng.integers(0, 4, 48), rng.normal(size=(48, 2)).astype("float32")
WEIGHTS = np.linspace(0, 1, 48).astype("float32")


def network(loss=("sparse", None), **settings):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((12,))
    a = layers.Dense(4, name="a", activation="softmax")(inputs)
    b = layers.Dense(2, name="b")(a)
    model = keras.Model(inputs, [a, b])
    loss = ["sparse_categorical_crossentropy" if one == "sparse" else one for one in loss]
    model.compile("sgd", loss, **settings)
    return model


def history(model, labels, weights=None, **how):
    return model.fit(X, labels, sample_weight=weights, shuffle=False, verbose=0, **how).history


@pytest.mark.parametrize(
    "settings, names",
    [
        ({"metrics": [["accuracy"], None]}, {"a_accuracy"}),
        ({"metrics": [["accuracy"], []]}, {"a_accuracy"}),
        ({"metrics": {"a": "accuracy"}}, {"a_accuracy"}),
        ({"weighted_metrics": [["accuracy"], None]}, {"a_accuracy"}),
        (
            {"metrics": [["accuracy"], None], "weighted_metrics": [["accuracy"], None]},
            {"a_accuracy", "a_weighted_accuracy"},
        ),
    ],
)
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_metrics_of_the_output_with_a_loss(settings, names, weights):
    expected = history(network(**settings), [CLASSES, None], weights)
    assert expected.keys() == {"loss", *names}
    for labels in (CLASSES, [CLASSES], {"a": CLASSES}):
        assert history(network(**settings), labels, weights) == expected
    rows = (slice(0, 32), slice(32, 48))
    batches = ((X[k], CLASSES[k]) if weights is None else (X[k], CLASSES[k], weights[k]) for k in rows)
    assert network(**settings).fit(batches, steps_per_epoch=2, verbose=0, shuffle=False).history == expected
    model = network(**settings)
    given = model.evaluate(X, CLASSES, sample_weight=weights, verbose=0, return_dict=True)
    assert given.keys() == expected.keys()
    assert model.test_on_batch(X, [CLASSES], weights, return_dict=True) == pytest.approx(given, rel=1e-5)
    assert model.train_on_batch(X, CLASSES, weights, return_dict=True) == pytest.approx(given, rel=1e-5)


def test_labels_are_those_of_the_output_with_a_loss():
    """Keras takes them for the first output's, and tells nothing of this metric."""
    found = network([None, "mse"], metrics=[None, ["mae"]]).evaluate(X, NUMBERS, verbose=0, return_dict=True)
    both = network([None, "mse"], metrics=[None, ["mae"]]).evaluate(X, [None, NUMBERS], verbose=0)
    assert [found["loss"], found["b_mae"]] == pytest.approx(both)


def three(**settings):
    inputs = keras.Input((12,))
    outputs = [layers.Dense(2, name=name, kernel_initializer="ones")(inputs) for name in "abc"]
    model = keras.Model(inputs, outputs)
    model.compile("sgd", ["mse", None, "mse"], **settings)
    return model


def test_two_labels_of_three():
    settings = {"metrics": [["mae"], None, None], "weighted_metrics": [None, None, ["mae"]]}
    labels, weights = (NUMBERS, 2 * NUMBERS), (WEIGHTS, 1 - WEIGHTS)
    expected = three(**settings).evaluate(
        X, [labels[0], None, labels[1]], sample_weight=[weights[0], None, weights[1]], verbose=0
    )
    found = three(**settings).evaluate(X, list(labels), sample_weight=list(weights), verbose=0)
    assert found == pytest.approx(expected)
    assert expected[2] != pytest.approx(expected[1])


def test_metrics_alone_tell_what_labels_are_for():
    class Model(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return keras.ops.mean(y_pred[0] ** 2)

    inputs = keras.Input((12,))
    model = Model(inputs, [layers.Dense(4, name="a")(inputs), layers.Dense(2, name="b")(inputs)])
    model.compile("sgd", metrics=[None, ["mae"]])
    expected = np.abs(model.predict(X, verbose=0)[1] - NUMBERS).mean()
    assert model.evaluate(X, NUMBERS, verbose=0, return_dict=True)["b_mae"] == pytest.approx(expected)


@pytest.mark.parametrize(
    "settings, labels, text",
    [
        ({"loss": (None, "mse")}, [CLASSES, None], "The loss needs labels, and output 'b' has none"),
        ({"loss": ("sparse", "mse")}, {"a": CLASSES, "b": None}, "The loss needs labels, and output 'b'"),
        ({"metrics": {"b": ["mae"]}}, {"a": CLASSES, "b": None}, "Metric 'mae' needs labels, and output 'b'"),
        ({"metrics": [None, "accuracy"]}, CLASSES, "Metric 'accuracy' needs labels, and output 'b' has none"),
        ({"loss": (None, "mse")}, {"a": CLASSES}, "different structures.*or 1 for those.*: 'b'"),
        ({"loss": ("sparse", None)}, [CLASSES] * 3, "give 2 label arrays .* or 1 for those .* labels: 'a'"),
    ],
)
def test_labels_that_are_missing(settings, labels, text):
    with pytest.raises(ValueError, match=f"(?s){text}") as caught:
        history(network(**settings), labels)
    assert "%" not in str(caught.value)
