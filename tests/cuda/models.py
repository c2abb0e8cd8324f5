"""Models whose training steps the CUDA tests run, and the kernels of those steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import kcompile as keras
from kcompile.codegen import cuda
from kcompile.codegen.cuda_source import CudaKernel
from kcompile.ir.graph import Graph
from kcompile.passes import pipeline
from kcompile.schedule.plan import Plan, plan_graph

layers = keras.layers


def mnist_cnn(
    filters: tuple[int, int] = (32, 64), units: int = 128, side: int = 28, optimizer: Any = "adam"
) -> Any:
    """The MNIST example's network, or a narrower one, compiled to train."""
    model = keras.Sequential(
        [
            keras.Input((side, side, 1)),
            layers.Conv2D(filters[0], 3, activation="relu", name="conv_1"),
            layers.Conv2D(filters[1], 3, activation="relu", name="conv_2"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Dropout(0.25, name="dropout_1"),
            layers.Flatten(name="flatten"),
            layers.Dense(units, activation="relu", name="dense_1"),
            layers.Dropout(0.5, name="dropout_2"),
            layers.Dense(10, activation="softmax", name="dense_2"),
        ],
        name="cnn",
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def token_classifier(words: int = 50, width: int = 24) -> Any:
    """What the CNN lacks: gather and scatter by index, normalization along rows and down columns, wide
    outputs.
    """
    model = keras.Sequential(
        [
            keras.Input((12,), dtype="int32"),
            layers.Embedding(words, width),
            layers.LayerNormalization(),
            layers.Dense(40, activation="gelu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(words),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05), loss)
    return model


def digits(count: int, side: int = 28, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images of noise, and labels."""
    rng = np.random.default_rng(seed)
    return rng.random((count, side, side, 1), np.float32), rng.integers(0, 10, count).astype(np.int32)


def tokens(count: int, words: int = 50, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, words, (count, 12)).astype(np.int32), rng.integers(0, words, count).astype(
        np.int32
    )


def step_graph(model: Any, data: Sequence[np.ndarray], kind: str = "train") -> Graph:
    """The graph of a training or test step on such a batch."""
    x, y = data
    return model._training.programs.batch(kind, (x, y, None)).traced.graph


def cuda_plan(graph: Graph) -> Plan:
    return plan_graph(pipeline.run(graph), cuda.target())


def step_kernels(model: Any, data: Sequence[np.ndarray], kind: str = "train") -> list[CudaKernel]:
    """The CUDA kernels of a step."""
    return cuda.emit(cuda_plan(step_graph(model, data, kind)))
