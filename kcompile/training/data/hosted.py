"""Whole arrays for models that handle some of their inputs on the host: text becomes numbers here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from kcompile.core import tree
from kcompile.training.data.arrays import ArrayData, array_data
from kcompile.training.data.batches import BatchData, batches_of_arrays
from kcompile.training.data.rows import first_row


def in_memory(
    model: Any, x: Any, y: Any, sample_weight: Any, rng: np.random.Generator | None = None, **more: Any
) -> ArrayData | BatchData:
    """The data of `fit`, `evaluate` and `predict` given as arrays; arguments as `array_data` takes them.

    What the host does with the inputs is done once for all of them where batches cannot change it, and for
    each batch as it comes where they can: texts are padded to the longest of their batch. Arrays that are too
    large to be read at once are batches too.
    """
    prepare = model._host_stage_for(tree.map_structure(first_row, x))
    data = array_data(x, y, sample_weight, **more, text=prepare is not None)
    if data.is_stored or (prepare is not None and not prepare.is_fixed(data.samples)):
        return batches_of_arrays(data, rng, model._on_host)
    return data if prepare is None else replace(data, x=model._on_host(data.x))
