"""Whole arrays for models that handle some of their inputs on the host: text becomes numbers here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from kcompile.training.data.arrays import ArrayData, array_data
from kcompile.training.data.batches import BatchData


def in_memory(model: Any, x: Any, y: Any, sample_weight: Any, **more: Any) -> ArrayData | BatchData:
    """The data of `fit`, `evaluate` and `predict` given as arrays; arguments as `array_data` takes them.

    What the host does with the inputs is done once for all of them where batches cannot change it, and for
    each batch as it comes where they can: texts are padded to the longest of their batch.
    """
    prepare = model._host_stage_for(x)
    data = array_data(x, y, sample_weight, **more, text=prepare is not None)
    if prepare is None:
        return data
    if prepare.is_fixed(data.samples):
        return replace(data, x=model._on_host(data.x))
    rng = np.random.default_rng(np.random.randint(2**31))  # follows the seed that the user has set

    def batches() -> Iterator[Any]:
        order = data.order(rng)
        for start in range(0, data.samples, data.batch_size):
            yield data.rows(order[start : start + data.batch_size])

    return BatchData(batches, data.num_batches, restarts=True, prepare=model._on_host)
