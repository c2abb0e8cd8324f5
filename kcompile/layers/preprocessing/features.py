"""The columns of a FeatureSpace: what they are, and how a layer for one of them learns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import dtypes, registry
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.layers.preprocessing.category_encoding import CategoryEncoding
from kcompile.layers.preprocessing.data_layer import DataLayer, as_data
from kcompile.layers.preprocessing.discretization import Discretization
from kcompile.layers.preprocessing.hashing import HashedCrossing, Hashing
from kcompile.layers.preprocessing.index_lookup import IndexLookup
from kcompile.trace.naming import auto_name

BATCH = 32  # rows that an adapting layer sees at once


class Cross:
    """Features that are taken together."""

    def __init__(self, feature_names: Any, crossing_dim: int, output_mode: str = "one_hot"):
        check_mode(output_mode, ("int", "one_hot"))
        self.feature_names, self.crossing_dim = tuple(feature_names), crossing_dim
        self.output_mode = output_mode

    @property
    def name(self) -> str:
        return "_X_".join(self.feature_names)

    def get_config(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("feature_names", "crossing_dim", "output_mode")}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Cross:
        return cls(**config)


class Feature:
    """A column: its dtype, the layer for it, and whether its numbers become one-hot rows."""

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str):
        check_mode(output_mode, ("int", "one_hot", "float"))
        given = isinstance(preprocessor, dict)
        self.preprocessor = deserialize_keras_object(preprocessor) if given else preprocessor
        self.dtype, self.output_mode = dtype, output_mode

    def get_config(self) -> dict[str, Any]:
        layer = serialize_keras_object(self.preprocessor)
        return {"dtype": self.dtype, "preprocessor": layer, "output_mode": self.output_mode}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Feature:
        return cls(**config)


class TFDConcat(DataLayer):
    """Joins the features. It has the name that Keras's files know it by."""

    def __init__(self, axis: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, xs: Any) -> Any:
        return ops.concatenate(xs, axis=self.axis)


class TFDIdentity(DataLayer):
    """Leaves a feature as it is. It has the name that Keras's files know it by."""

    def call(self, x: Any) -> Any:
        return x


def check_mode(mode: Any, allowed: tuple[str, ...]) -> None:
    """Raise ValueError for an output mode that is not allowed."""
    if mode not in allowed:
        raise ValueError(
            f"Invalid value for argument `output_mode`. Expected one of {set(allowed)}. Received: "
            f"output_mode={mode}"
        )


def made(kind: str, name: str | None, dtype: str, mode: str, make: Callable[[str], Any]) -> Feature:
    """A feature whose layer is named after it."""
    return Feature(dtype, make(f"{name or auto_name(kind)}_preprocessor"), mode)


def hashing(num_bins: int) -> Callable[[str], Any]:
    """Makes the layer of a hashed feature."""
    return lambda name: Hashing(name=name, num_bins=num_bins)


def cardinality(name: str, layer: Any) -> int:
    """How many different numbers a layer returns."""
    if isinstance(layer, IndexLookup):
        return layer.vocabulary_size()
    if isinstance(layer, CategoryEncoding):
        return layer.num_tokens
    if isinstance(layer, Discretization) and layer.num_bins is None:
        return len(layer.bin_boundaries) + 1
    if isinstance(layer, (Discretization, HashedCrossing, Hashing)):
        return layer.num_bins  # type: ignore[return-value]
    raise ValueError(
        f"Feature '{name}' has `output_mode='one_hot'`. However it isn't a standard feature and the "
        "dimensionality of its output space is not known, thus it cannot be one-hot encoded. Try using "
        "`output_mode='int'`."
    )


def batches_of_feature(dataset: Any, name: str) -> Iterator[np.ndarray]:
    """The values of a feature as batches with a last axis of their own."""
    rows = np.asarray(as_data(dataset[name])) if isinstance(dataset, dict) else (row[name] for row in dataset)
    waiting: list[Any] = []
    for row in rows:
        value = np.asarray(as_data(row))
        if value.ndim:
            yield value[..., None] if value.ndim == 1 else value
            continue
        waiting.append(value[()])  # of any library, as Python or NumPy has it
        if len(waiting) == BATCH:
            yield _column(waiting)
            waiting = []
    if waiting:
        yield _column(waiting)


def _column(values: list[Any]) -> np.ndarray:
    is_text = isinstance(values[0], (str, bytes)) or dtypes.is_text(np.asarray(values[0]))
    return np.array(values, object if is_text else None)[:, None]


registry.publish(
    "keras.src.layers.preprocessing.feature_space",
    {kind.__name__: kind for kind in (Cross, Feature, TFDConcat, TFDIdentity)},
)
