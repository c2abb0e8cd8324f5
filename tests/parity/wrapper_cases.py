"""Layers around other layers, as functions of the module `layers` of either library: see
make_wrapper_fixtures.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True)
class WrapperCase:
    """How to make the layer, the shape of its input, and how it is called."""

    make: Callable[[Any], Any]
    shape: Shape
    training: bool = False  # is there something to compare with training=True?
    mask: int = 0  # call(mask=...) with a mask of the input's first so many dimensions
    reverse: bool = False

    def inputs(self) -> np.ndarray:
        return np.random.default_rng(sum(self.shape)).normal(size=self.shape).astype("float32")

    def call(self) -> dict[str, Any]:
        lengths = 1 + np.arange(np.prod(self.shape[: self.mask - 1], dtype=int)) % self.shape[self.mask - 1]
        kept = np.arange(self.shape[self.mask - 1]) < lengths[:, None]
        mask = {"mask": kept.reshape(self.shape[: self.mask])} if self.mask else {}
        return {**mask, **({"reverse": True} if self.reverse else {})}

    def weights(self, shapes: list[Shape]) -> list[np.ndarray]:
        """Positive numbers, because some weights are variances."""
        rng = np.random.default_rng(7)
        return [rng.uniform(0.2, 1.2, s).astype("float32") for s in shapes]


STEPS, FRAMES = (3, 4, 5), (2, 3, 5, 4, 2)
CASES = {
    "each dense": WrapperCase(lambda L: L.TimeDistributed(L.Dense(2, activation="tanh")), STEPS),
    "each dense, masked": WrapperCase(lambda L: L.TimeDistributed(L.Dense(2)), STEPS, mask=2),
    "each mean, masked": WrapperCase(
        lambda L: L.TimeDistributed(L.GlobalAveragePooling1D()), (2, 3, 4, 5), mask=3
    ),
    "each conv": WrapperCase(lambda L: L.TimeDistributed(L.Conv2D(2, 3, padding="same")), FRAMES),
    "each pool": WrapperCase(lambda L: L.TimeDistributed(L.GlobalMaxPooling2D()), FRAMES),
    "each flatten": WrapperCase(lambda L: L.TimeDistributed(L.Flatten()), FRAMES),
    "each batch": WrapperCase(lambda L: L.TimeDistributed(L.BatchNormalization()), STEPS, training=True),
    "each batch, wide": WrapperCase(
        lambda L: L.TimeDistributed(L.BatchNormalization(momentum=0.7)), (3, 20, 5), training=True
    ),
    "each of each": WrapperCase(
        lambda L: L.TimeDistributed(L.TimeDistributed(L.Dense(2))), (2, 3, 2, 4), training=True
    ),
    "spectral dense": WrapperCase(lambda L: L.SpectralNormalization(L.Dense(3)), (4, 5), training=True),
    "spectral dense, thrice": WrapperCase(
        lambda L: L.SpectralNormalization(L.Dense(3, use_bias=False), power_iterations=3),
        (4, 5),
        training=True,
    ),
    "spectral conv": WrapperCase(
        lambda L: L.SpectralNormalization(L.Conv2D(3, 2, activation="relu")), (2, 4, 5, 2), training=True
    ),
    "spectral transposed": WrapperCase(
        lambda L: L.SpectralNormalization(L.Conv1DTranspose(3, 2, strides=2)), (2, 4, 2), training=True
    ),
    "reversed": WrapperCase(lambda L: L.ReversibleEmbedding(7, 5), STEPS, reverse=True),
    "reversed, apart": WrapperCase(
        lambda L: L.ReversibleEmbedding(7, 5, tie_weights=False), STEPS, reverse=True
    ),
    "reversed, capped": WrapperCase(
        lambda L: L.ReversibleEmbedding(7, 5, logit_soft_cap=2.0), (3, 5), reverse=True
    ),
}
