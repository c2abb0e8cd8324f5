"""Arrays of unequal lengths are met before anything runs, each named with its shape."""

from __future__ import annotations

import re

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from kcompile.training import programs


@pytest.fixture(autouse=True)
def nothing_is_compiled(monkeypatch):
    def fail(self):
        raise AssertionError("a program was compiled before the mistake was seen")

    monkeypatch.setattr(programs.StepProgram, "run", property(fail))


def rows(n, k=3):
    return np.ones((n, k), "float32")


def labels(n):
    return rows(n, 1)


def model():
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    joined = layers.Concatenate()([a, b])
    made = keras.Model([a, b], [layers.Dense(1, name=name)(joined) for name in ("o", "p")])
    made.compile("sgd", {"o": "mse", "p": "mse"})
    return made


BOTH = [labels(4), labels(4)]
CASES = {
    "inputs": (([rows(4), rows(5)], BOTH), "x[0] (4, 3), x[1] (5, 3), y[0] (4, 1), y[1] (4, 1)"),
    "inputs by name": (
        ({"a": rows(4), "b": rows(1)}, {"o": labels(4), "p": labels(4)}),
        "x['a'] (4, 3), x['b'] (1, 3), y['o'] (4, 1), y['p'] (4, 1)",
    ),
    "labels": (((rows(4), rows(4)), (labels(4), labels(3))), "y[0] (4, 1), y[1] (3, 1)"),
    "labels by name": (
        ({"a": rows(4), "b": rows(4)}, {"o": labels(2), "p": labels(4)}),
        "y['o'] (2, 1), y['p'] (4, 1)",
    ),
    "weights": (
        ([rows(4), rows(4)], BOTH, [np.ones(4), np.ones(6)]),
        "sample_weight[0] (4,), sample_weight[1] (6,)",
    ),
    "weights by name": (
        ([rows(4), rows(4)], {"o": labels(4), "p": labels(4)}, {"o": np.ones(4), "p": np.ones(6)}),
        "sample_weight['o'] (4,), sample_weight['p'] (6,)",
    ),
}


def as_batches(data):
    data = tuple(tuple(part) if isinstance(part, list) else part for part in data)
    return (batch for batch in [data] * 3)


def late(data):
    good = ([rows(4), rows(4)], BOTH)
    return (batch for batch in [(tuple(good[0]), tuple(good[1]))] * 2 + [data])


CALLS = {
    "fit": lambda m, d: m.fit(d[0], d[1], sample_weight=d[2] if len(d) > 2 else None, verbose=0),
    "evaluate": lambda m, d: m.evaluate(d[0], d[1], sample_weight=d[2] if len(d) > 2 else None, verbose=0),
    "validation": lambda m, d: m.fit([rows(2)] * 2, [labels(2)] * 2, validation_data=d, verbose=0),
    "train_on_batch": lambda m, d: m.train_on_batch(*d),
    "test_on_batch": lambda m, d: m.test_on_batch(*d),
    "generator": lambda m, d: m.fit(as_batches(d), verbose=0, shuffle=False),
    "evaluated generator": lambda m, d: m.evaluate(as_batches(d), verbose=0),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("case", CASES)
def test_unequal_lengths(case, call):
    data, text = CASES[case]
    with pytest.raises(ValueError, match=f"(?s)Data cardinality is ambiguous.*{re.escape(text)}"):
        CALLS[call](model(), data)


@pytest.mark.parametrize("method", ["predict", "predict_on_batch"])
@pytest.mark.parametrize("x", [[rows(4), rows(5)], {"a": rows(4), "b": rows(1)}], ids=["list", "dict"])
def test_unequal_inputs_of_predictions(method, x):
    with pytest.raises(ValueError, match=r"(?s)'x' sizes: 4, [15].*x\[.+\] \(4, 3\), x\[.+\] \([15], 3\)"):
        getattr(model(), method)(x)


def test_a_later_batch(monkeypatch):
    class Run:
        def __call__(self, *arrays, **_):
            return [np.zeros(()) for _ in range(3)]

    monkeypatch.setattr(programs.StepProgram, "run", Run())
    with pytest.raises(ValueError, match=r"(?s)'y' sizes: 4, 3.*y\[1\] \(3, 1\)"):
        model().fit(late(((rows(4), rows(4)), (labels(4), labels(3)))), verbose=0, shuffle=False)


def test_a_dataset():
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return [rows(4), rows(3)], BOTH

    with pytest.raises(ValueError, match=r"x\[0\] \(4, 3\), x\[1\] \(3, 3\)"):
        model().fit(Batches(), verbose=0)
