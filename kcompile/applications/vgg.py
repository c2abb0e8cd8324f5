"""VGG (Simonyan and Zisserman, 2014, https://arxiv.org/abs/1409.1556): blocks of 3x3 convolutions."""

from __future__ import annotations

from typing import Any

from kcompile import layers
from kcompile.applications import building
from kcompile.applications.building import Fetch, Options
from kcompile.models import Functional

FILTERS = (64, 128, 256, 512, 512)
HIDDEN = 4096


def network(options: Options, counts: tuple[int, ...], fetch: Fetch) -> Functional:
    """counts: convolutions of each block."""
    building.check(options)
    start = x = building.image(options, building.check_size(options, 224, 32))
    for block, (filters, count) in enumerate(zip(FILTERS, counts, strict=True), 1):
        for k in range(1, count + 1):
            name = f"block{block}_conv{k}"
            x = layers.Conv2D(filters, 3, activation="relu", padding="same", name=name)(x)
        x = layers.MaxPooling2D(2, 2, name=f"block{block}_pool")(x)
    x = top(x, options) if options.include_top else building.pooled(x, options)
    return building.finished(start, x, options, fetch)


def top(x: Any, options: Options) -> Any:
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc1", "fc2"):
        x = layers.Dense(HIDDEN, activation="relu", name=name)(x)
    activation = building.check_classifier(options)
    return layers.Dense(options.classes, activation=activation, name="predictions")(x)
