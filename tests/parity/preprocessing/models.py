"""Models with preprocessing layers that are stored in files, and inputs for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.preprocessing.cases import TABLE, TEXTS

TEXT = np.array([["hello b"], ["x unknown"], [""]], object)


def _vectors(mode: str, **settings: Any) -> Any:
    def make(keras: Any) -> Any:
        layer = keras.layers.TextVectorization(output_mode=mode, **settings)
        layer.adapt(TEXTS)
        return keras.Sequential([keras.Input((1,), dtype="string"), layer, keras.layers.Dense(2)])

    return make


def _embedded(keras: Any) -> Any:
    layers = keras.layers
    vectors = layers.TextVectorization(output_sequence_length=4)
    vectors.adapt(TEXTS)
    stack = [
        keras.Input((1,), dtype="string"),
        vectors,
        layers.Embedding(20, 3),
        layers.Flatten(),
        layers.Dense(1),
    ]
    model = keras.Sequential(stack)
    model.compile("adam", "mse")
    return model


def _table(keras: Any) -> Any:
    layers = keras.layers
    size, count, kind = (
        keras.Input((1,), dtype=dtype, name=name)
        for name, dtype in (("size", "float32"), ("count", "int64"), ("kind", "string"))
    )
    normal, index, text = (
        layers.Normalization(),
        layers.IntegerLookup(output_mode="one_hot"),
        layers.StringLookup(),
    )
    normal.adapt(np.array(TABLE["size"])[:, None])
    index.adapt(np.array(TABLE["count"]))
    text.adapt(np.array(TABLE["kind"]))
    bins = layers.Discretization(num_bins=3, output_mode="one_hot")
    bins.adapt(np.array(TABLE["size"]))
    crossed = layers.HashedCrossing(5, output_mode="one_hot")([kind, count])
    hashed = layers.Hashing(4, output_mode="one_hot", salt=3)(count)
    embedded = layers.Flatten()(layers.Embedding(5, 2)(text(kind)))
    numbers = layers.Rescaling(1.0)(index(count))
    joined = layers.Concatenate()([normal(size), bins(size), numbers, crossed, hashed, embedded])
    return keras.Model({"size": size, "count": count, "kind": kind}, layers.Dense(1)(joined))


def _space(keras: Any) -> Any:
    kinds = {"size": "float_normalized", "count": "integer_categorical", "kind": "string_categorical"}
    space = keras.utils.FeatureSpace(kinds, crosses=[("kind", "count")])
    space.adapt({name: TABLE[name] for name in kinds})
    return space


_COLUMNS = {
    "size": np.array([[0.5], [9.0]], "float32"),
    "count": np.array([[2], [77]]),
    "kind": np.array([["a"], ["q"]], object),
}
FILES: dict[str, Any] = {
    "counts": (_vectors("count"), TEXT),
    "weighted": (_vectors("tf_idf", pad_to_max_tokens=True, max_tokens=14), TEXT),
    "embedded": (_embedded, TEXT),
    "table": (_table, _COLUMNS),
    "space": (_space, _COLUMNS),
}
