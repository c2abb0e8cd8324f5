"""What is exported: each configuration of the parity tests, and the networks of the benchmarks.

The same weights are set whatever library builds a model, so that all files must compute the same.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from benchmarks.peers import keras_layers
from benchmarks.workloads import WORKLOADS, data
from tests.parity.layer_cases import CASES

LAYERS = {f"layer {case.name}": case for case in CASES}
MODELS = {f"model {name}": work for name, work in WORKLOADS.items()}
NAMES = [*MODELS, *LAYERS]
BATCH = 2  # of the networks


def build(keras: Any, name: str) -> Any:
    """The model of a case. keras: Keras or kcompile."""
    if name in MODELS:
        model, _ = keras_layers.network(keras, MODELS[name])
        model.set_weights(_weights(name, [tuple(w.shape) for w in model.weights]))
        return model
    case = LAYERS[name]
    arrays = case.inputs()
    inputs = [keras.Input(a.shape[1:], dtype=a.dtype.name, name=f"x{k}") for k, a in enumerate(arrays)]
    layer = getattr(keras.layers, case.layer)(**case.kwargs)
    model = keras.Model(inputs, layer(*case.arranged(inputs), **case.options))
    model.set_weights(case.weights([tuple(w.shape) for w in model.weights]))
    return model


def inputs(name: str) -> list[np.ndarray]:
    """Numbers to run a case on."""
    return [data(MODELS[name], BATCH)[0]] if name in MODELS else LAYERS[name].inputs()


def _weights(name: str, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """Small numbers; vectors are positive, because some are variances."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    made = [rng.normal(0, 0.05, s) if len(s) > 1 else rng.uniform(0.5, 1, s) for s in shapes]
    return [array.astype("float32") for array in made]
