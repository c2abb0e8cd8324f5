"""A program: trains small networks on the CPU that KCOMPILE_CPU names, and prints what happened as JSON.

networks   name -> largest difference between the weights after compiled steps and after NumPy's, or the error
           that was raised where the code cannot run.
kernels    name -> assembly of each kernel of those steps, of what they call, and of the executor.
"""

from __future__ import annotations

import json
import sys

import numpy as np

import kcompile as keras
from kcompile import compiler, layers
from kcompile.codegen import emit
from kcompile.codegen.build import compile_module
from kcompile.codegen.spec import flat
from kcompile.core.errors import CompileError
from kcompile.runtime.executor import executor_source

STEPS = 2
BATCH = 5  # no multiple of any vector


def mlp():
    return [keras.Input((20,)), layers.Dense(37, activation="relu"), layers.Dense(3)]


def cnn():
    return [
        keras.Input((9, 9, 3)),
        layers.Conv2D(17, 3, strides=2, padding="same", activation="relu"),
        layers.DepthwiseConv2D(3, padding="same"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(3),
    ]


def groups():
    return [
        keras.Input((9, 9, 16)),
        layers.Conv2D(16, 3, groups=4, activation="relu"),
        layers.Conv2D(32, 3, groups=8, strides=2),
        layers.Flatten(),
        layers.Dense(3),
    ]


def winograd():
    return [
        keras.Input((10, 10, 16)),
        layers.Conv2D(20, 3, padding="same", activation="relu"),
        layers.Conv2D(16, 3),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3),
    ]


def lstm():
    return [keras.Input((7,), dtype="int32"), layers.Embedding(11, 6), layers.LSTM(9), layers.Dense(3)]


def transformer():
    tokens = keras.Input((7,), dtype="int32")
    x = layers.Embedding(11, 8)(tokens)
    y = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(y, y, use_causal_mask=True)])
    y = layers.Dense(19, activation="gelu")(layers.LayerNormalization()(x))
    return keras.Model(tokens, layers.Dense(3)(layers.GlobalAveragePooling1D()(layers.Dense(8)(y))))


NETWORKS = (mlp, cnn, groups, winograd, lstm, transformer)


def trained(network, eagerly, weights=None):
    """Weights before and after some steps."""
    keras.utils.set_random_seed(3)
    model = network()
    model = model if isinstance(model, keras.Model) else keras.Sequential(model)
    if weights is not None:
        model.set_weights(weights)
    before = model.get_weights()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.3, momentum=0.9), loss, run_eagerly=eagerly)
    rng = np.random.default_rng(5)
    shape = (BATCH, *model.input_shape[1:])
    is_text = model.inputs[0].dtype == "int32"
    x = rng.integers(0, 11, shape) if is_text else rng.normal(size=shape).astype("float32")
    for _ in range(STEPS):
        model.train_on_batch(x, rng.integers(0, 3, BATCH))
    return before, model.get_weights()


def difference(network):
    """Compiled beside NumPy, or the error of code that cannot run here."""
    try:
        before, compiled = trained(network, eagerly=False)
    except CompileError as error:
        return str(error)
    _, expected = trained(network, eagerly=True, weights=before)
    moved = max(float(abs(a - b).max()) for a, b in zip(before, expected, strict=True))
    assert moved > 1e-3, f"{network.__name__} learns nothing"
    return max(float(abs(a - b).max()) for a, b in zip(compiled, expected, strict=True))


def recorded(run):
    """What `run()` returns, and the different sources that were emitted meanwhile."""
    sources = {executor_source().key: executor_source()}

    def add(source):
        if not isinstance(source, str):
            sources[source.key] = source
            for external in source.externals:
                add(external)

    def recording(plan):
        specs = original(plan)
        for spec in flat(specs):
            add(spec.source)
        return specs

    original, compiler.cpu.emit = compiler.cpu.emit, recording
    try:
        return run(), list(sources.values())
    finally:
        compiler.cpu.emit = original


def main():
    networks, sources = recorded(lambda: {network.__name__: difference(network) for network in NETWORKS})
    kernels = {f"{s.name} {k}": emit.assembly(compile_module(s)) for k, s in enumerate(sources)}
    json.dump({"networks": networks, "kernels": kernels}, sys.stdout)


if __name__ == "__main__":
    main()
