"""Normalization, Discretization and CategoryEncoding; configs of all layers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from tests.parity.preprocessing.cases.case import CASES, SHAPES, case

ROWS = np.random.default_rng(0).normal(2, 3, (50, 4, 3)).astype("float32")


def _normalized(name: str, data: Any, probe: Any, **settings: Any) -> None:
    def run(keras: Any) -> Any:
        layer = keras.layers.Normalization(**settings)
        if data is not None:
            layer.adapt(data() if callable(data) else data)
        return (
            layer(probe),
            [w.path.split("/")[-1] for w in layer.weights],
            [np.asarray(w).tolist() for w in layer.get_weights()],
        )

    CASES[f"Normalization {name}"] = run


_normalized("last axis", ROWS, ROWS[:2])
_normalized("two axes", ROWS, ROWS[:2], axis=(1, -1))
_normalized("no axis", ROWS, ROWS[:2], axis=None)
_normalized("inverted", ROWS, ROWS[:2], invert=True)
_normalized("ints", (ROWS * 10).astype("int32"), (ROWS[:2] * 10).astype("int32"))
_normalized("batches", lambda: [ROWS[:30], ROWS[30:]], ROWS[:2])
_normalized("tuples", lambda: iter([(ROWS[:30], 0), (ROWS[30:], 0)]), ROWS[:2], axis=1)
_normalized("given", None, ROWS[:2], mean=1.0, variance=4.0)
_normalized("given by channel", None, ROWS[:2], mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0])
_normalized("no variance", np.ones((5, 3)), np.ones((1, 3)))
_normalized("mean alone", None, ROWS, mean=1.0)
_normalized("unequal", None, ROWS, mean=[1.0, 2.0], variance=1.0)
_normalized("far axis", ROWS, ROWS, axis=3)
_normalized("other size", None, ROWS, mean=[1.0, 2.0], variance=[1.0, 1.0])
_normalized("list of numbers", [1.0, 2.0], ROWS)
_normalized("no batches", [], ROWS)
_normalized("a number", 3, ROWS)


def _discretized(name: str, data: Any, probe: Any, steps: Any = None, **settings: Any) -> None:
    def run(keras: Any) -> Any:
        layer = keras.layers.Discretization(name="d", **settings)
        if data is not None:
            layer.adapt(data(), steps=steps)
        config = layer.get_config()
        again = keras.layers.Discretization.from_config(config)
        return layer(np.array(probe)), again(np.array(probe)), config

    CASES[f"Discretization {name}"] = run


_PROBE = [[-3.0, -0.1], [0.0, 2.5]]
_discretized("boundaries", None, _PROBE, bin_boundaries=[-0.1, 0.0, 2.5])
_discretized("ints", None, [0, 1, 2], bin_boundaries=[0.5, 1.5])
_discretized("odd numbers", None, [np.nan, np.inf, -np.inf], bin_boundaries=[0.5, 1.5])
_discretized("learned", lambda: ROWS, _PROBE, num_bins=4)
_discretized("learned roughly", lambda: ROWS, _PROBE, num_bins=5, epsilon=0.1)
_discretized("batches", lambda: [ROWS[:20], ROWS[20:33], ROWS[33:]], _PROBE, num_bins=4)
_discretized("some batches", lambda: iter([ROWS[:20], ROWS[20:]]), _PROBE, steps=1, num_bins=7)
_discretized("both", None, _PROBE, num_bins=4, bin_boundaries=[1.0])
_discretized("neither", None, _PROBE)
_discretized("nothing learned", None, _PROBE, num_bins=4)
_discretized("learned in vain", lambda: ROWS, _PROBE, bin_boundaries=[1.0])
for _mode in ("one_hot", "multi_hot", "count"):
    for _shape in SHAPES:
        _values = np.resize([1.0, 0.0, 4.0, 2.0], _shape)
        _discretized(f"{_mode} {_shape}", None, _values, bin_boundaries=[0.0, 1.0, 2.0], output_mode=_mode)
        CASES[f"CategoryEncoding {_mode} {_shape}"] = lambda keras, mode=_mode, values=_values: (
            keras.layers.CategoryEncoding(5, output_mode=mode)(values.astype("int32"))
        )


@case("CategoryEncoding weights")
def _(keras: Any) -> Any:
    layer = keras.layers.CategoryEncoding(3, output_mode="count")
    return layer(np.array([[0, 1], [1, 1]]), count_weights=np.array([[0.1, 0.2], [0.3, 0.4]]))


@case("CategoryEncoding weights of another mode")
def _(keras: Any) -> Any:
    return keras.layers.CategoryEncoding(3)(np.array([[0, 1]]), count_weights=np.array([[0.1, 0.2]]))


@case("CategoryEncoding list")
def _(keras: Any) -> Any:
    return keras.layers.CategoryEncoding(num_tokens=3)([0, 1])


for _name, _bad in {
    "no size": {},
    "size 0": {"num_tokens": 0},
    "mode": {"num_tokens": 1, "output_mode": "x"},
}.items():
    CASES[f"CategoryEncoding {_name}"] = lambda keras, bad=_bad: keras.layers.CategoryEncoding(**bad)([0])

for _kind, _args in {
    "Normalization": {"mean": 1.0, "variance": 2.0},
    "CategoryEncoding": {"num_tokens": 3},
    "Hashing": {"num_bins": 3, "salt": 5},
    "HashedCrossing": {"num_bins": 3},
    "IntegerLookup": {"vocabulary": [4, 5], "mask_token": 0, "num_oov_indices": 2},
    "StringLookup": {"vocabulary": ["a"], "output_mode": "count"},
}.items():
    CASES[f"config {_kind}"] = lambda keras, kind=_kind, args=_args: json.loads(
        json.dumps(getattr(keras.layers, kind)(name="layer", **args).get_config())
    )
