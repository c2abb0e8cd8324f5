"""Weights of classes as weights of samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kcompile.core import dtypes


def class_weight_to_sample_weights(y: Any, class_weight: Mapping[int, float]) -> np.ndarray:
    """The weight of each sample's class; 1 for classes that `class_weight` does not name.

    Shapes:  y (n,) or (n, 1) class numbers, or (n, c) one-hot -> (n,).

    >>> class_weight_to_sample_weights(np.array([0, 1, 1, 2]), {1: 3.0}).tolist()
    [1.0, 3.0, 3.0, 1.0]
    """
    if not isinstance(class_weight, Mapping):
        raise ValueError(
            "`class_weight` must be a dict from class numbers to weights. "
            f"Received: class_weight={class_weight} of type {type(class_weight).__name__}"
        )
    labels = np.asarray(y)
    if labels.ndim > 1:
        labels = np.argmax(labels, axis=-1) if labels.shape[-1] != 1 else labels[..., 0]
    classes, places = np.unique(np.round(labels).astype(np.int32), return_inverse=True)
    weights = np.array(
        [class_weight.get(int(c), 1.0) for c in classes], dtypes.numpy_dtype(dtypes.standardize(None))
    )
    return weights[places]
