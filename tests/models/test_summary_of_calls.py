"""`summary()` of models that were built by a batch: shapes as Keras prints them."""

from __future__ import annotations

import re

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers

X = np.ones((5, 4), "float32")


class Small(keras.Model):
    def __init__(self):
        super().__init__(name="small")
        self.d = layers.Dense(3, name="d")
        self.drop = layers.Dropout(0.5, name="drop")
        self.inner = keras.Sequential([layers.Dense(2, name="q"), layers.ReLU(name="r")], name="inner")

    def call(self, x):
        return self.inner(self.drop(self.d(x)))


class Recurrent(keras.Model):
    def __init__(self):
        super().__init__(name="recurrent")
        self.em = layers.Embedding(7, 5, name="em")
        self.l = layers.LSTM(3, name="l", return_state=True)
        self.d = layers.Dense(1, name="d")

    def call(self, x):
        return self.d(self.l(self.em(x))[0])


def shapes(model, **how):
    """The column of shapes by the names of layers."""
    lines = []
    model.summary(print_fn=lines.append, line_length=76, **how)
    rows = [re.split(r"\s*│\s*", line) for line in "\n".join(lines).split("\n") if line.startswith("│")]
    return {row[1].split(" (")[0]: row[2].strip() for row in rows}


def called(model, x=X):
    model(x)
    return model


def compiled(model):
    model.compile("sgd", "mse")
    return model


BUILT_BY = {
    "a call": (lambda m: m(X), 5),
    "two calls": (lambda m: (m(X), m(X[:2])), 5),
    "predict": (lambda m: m.predict(X, verbose=0), 5),
    "evaluate": (lambda m: compiled(m).evaluate(X, X[:, :2], verbose=0), 5),
    "train_on_batch": (lambda m: compiled(m).train_on_batch(X, X[:, :2]), 5),
    "fit": (lambda m: compiled(m).fit(X, X[:, :2], batch_size=2, verbose=0), 2),
    "a call, then fit": (lambda m: (m(X), compiled(m).fit(X, X[:, :2], batch_size=2, verbose=0)), 5),
}


@pytest.mark.parametrize("name", BUILT_BY)
def test_the_batch_that_built_a_layer_is_shown(name):
    build, n = BUILT_BY[name]
    model = Small()
    build(model)
    assert shapes(model) == {"d": f"({n}, 3)", "drop": "?", "inner": f"({n}, 2)"}


def test_layers_of_models_inside():
    found = shapes(called(Small()), expand_nested=True)
    assert found == {"d": "(5, 3)", "drop": "?", "inner": "(5, 2)", "└ q": "(5, 2)", "└ r": "(5, 2)"}


def test_several_outputs_are_written_as_the_layer_gives_them():
    found = shapes(called(Recurrent(), np.ones((3, 6), "int32")), positions=[0.3, 0.8, 1.0])
    assert found == {"em": "(3, 6, 5)", "l": "((3, 3), (3, 3), (3, 3))", "d": "(3, 1)"}


def test_what_was_built_without_a_batch_has_none():
    model = Small()
    model(keras.Input((4,)))
    assert shapes(model) == {"d": "(None, 3)", "drop": "?", "inner": "(None, 2)"}
    deferred = keras.Sequential([layers.Dense(3, name="a"), layers.Dense(2, name="b")])
    assert shapes(deferred) == {"a": "?", "b": "?"}
    assert shapes(called(deferred)) == {"a": "(5, 3)", "b": "(5, 2)"}
    known = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="a")])
    assert shapes(called(known)) == {"a": "(None, 3)"}


def test_another_batch_is_computed_as_before():
    model = called(Small())
    assert model(X[:2]).shape == (2, 2) and model.predict(X[:3], verbose=0).shape == (3, 2)


def test_a_chain_of_several_outputs_names_no_connections():
    """As in Keras: one call behind the other is a chain, whatever of it goes out."""
    x = keras.Input((3,))
    first = layers.Dense(2)(x)
    for outputs, connected in (([first, layers.Dense(1)(first)], False), ([first, layers.Dense(1)(x)], True)):
        lines: list[str] = []
        keras.Model(x, outputs).summary(print_fn=lines.append)
        assert ("Connected to" in "".join(lines)) == connected
