"""FeatureSpace: tables of floats, ints and text as vectors, one preprocessing layer for each column."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import config, dtypes, registry, tree
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.layers.core.input_layer import Input
from kcompile.layers.layer import Layer
from kcompile.layers.preprocessing.category_encoding import CategoryEncoding
from kcompile.layers.preprocessing.data_layer import as_data
from kcompile.layers.preprocessing.discretization import Discretization
from kcompile.layers.preprocessing.features import (
    Cross,
    Feature,
    TFDConcat,
    TFDIdentity,
    batches_of_feature,
    cardinality,
    check_mode,
    hashing,
    made,
)
from kcompile.layers.preprocessing.graph_tensors import call_in_graph, is_in_graph, outside_of_autograph
from kcompile.layers.preprocessing.hashing import HashedCrossing
from kcompile.layers.preprocessing.integer_lookup import IntegerLookup
from kcompile.layers.preprocessing.normalization import Normalization
from kcompile.layers.preprocessing.rescaling import Rescaling
from kcompile.layers.preprocessing.string_lookup import StringLookup
from kcompile.layers.preprocessing.text_vectorization import TextVectorization
from kcompile.trace.keras_tensor import KerasTensor


class FeatureSpace(Layer):
    """Encodes dicts of columns; `adapt` first learns what the columns' layers need.

    Args:    features: a type for each column, such as "float_normalized" or
             FeatureSpace.float_normalized(). Types: float, float_rescaled, float_normalized,
             float_discretized, integer_categorical, string_categorical, integer_hashed, string_hashed.
             output_mode: "concat" for one vector, "dict" for one output for each feature. crosses: tuples of
             names of categorical features that are hashed together, or FeatureSpace.cross(...).
             crossing_dim, hashing_dim, num_discretization_bins: sizes where a feature does not say.
    Raises:  ValueError for unknown types and names, and for calls before `adapt`.

    >>> space = FeatureSpace({"size": "float", "kind": "string_categorical"})
    >>> space.adapt({"size": [1.0, 2.0], "kind": ["a", "b"]})
    >>> space({"size": [3.0], "kind": ["a"]}).tolist()
    [[0.0, 0.0, 1.0, 3.0]]
    """

    def __init__(
        self,
        features: dict[str, Any],
        output_mode: str = "concat",
        crosses: Any = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ):
        super().__init__(name=name)
        if not features:
            raise ValueError("The `features` argument cannot be None or empty.")
        check_mode(output_mode, ("concat", "dict"))
        self.crossing_dim, self.hashing_dim = crossing_dim, hashing_dim
        self.num_discretization_bins, self.output_mode = num_discretization_bins, output_mode
        self.features = {name: self._feature(name, value) for name, value in features.items()}
        self.crosses = [self._cross(cross, set(features)) for cross in crosses or ()]
        self.crosses_by_name = {cross.name: cross for cross in self.crosses}
        self.inputs = {n: Input((1,), dtype=f.dtype, name=n) for n, f in self.features.items()}
        self.preprocessors = {n: f.preprocessor for n, f in self.features.items()}
        self.crossers = {c.name: HashedCrossing(c.crossing_dim, name=c.name) for c in self.crosses}
        self.one_hot_encoders: dict[str, Any] = {}
        self.concat: Any = None
        self.encoded_features: Any = None
        self._is_adapted = False

    # --- kinds of features ----------------------------------------------------------------------------------

    @classmethod
    def cross(cls, feature_names: Any, crossing_dim: int, output_mode: str = "one_hot") -> Cross:
        """Features to be hashed together into so many bins."""
        return Cross(feature_names, crossing_dim, output_mode=output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Any, output_mode: str) -> Feature:
        """A feature with a layer of its own."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        return made("float", name, "float32", "float", lambda n: TFDIdentity(dtype="float32", name=n))

    @classmethod
    def float_rescaled(
        cls, scale: builtins.float = 1.0, offset: builtins.float = 0.0, name: str | None = None
    ) -> Feature:
        return made("float_rescaled", name, "float32", "float", lambda n: Rescaling(scale, offset, name=n))

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        return made("float_normalized", name, "float32", "float", lambda n: Normalization(axis=-1, name=n))

    @classmethod
    def float_discretized(
        cls, num_bins: int, bin_boundaries: Any = None, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        def make(n: str) -> Any:
            return Discretization(num_bins=num_bins, bin_boundaries=bin_boundaries, name=n)

        return made("float_discretized", name, "float32", output_mode, make)

    @classmethod
    def integer_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        def make(n: str) -> Any:
            return IntegerLookup(name=n, max_tokens=max_tokens, num_oov_indices=num_oov_indices)

        return made("integer_categorical", name, "int32", output_mode, make)

    @classmethod
    def string_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        def make(n: str) -> Any:
            return StringLookup(name=n, max_tokens=max_tokens, num_oov_indices=num_oov_indices)

        return made("string_categorical", name, dtypes.STRING, output_mode, make)

    @classmethod
    def string_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        make = hashing(num_bins)
        return made("string_hashed", name, dtypes.STRING, output_mode, make)

    @classmethod
    def integer_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        return made("integer_hashed", name, "int32", output_mode, hashing(num_bins))

    def _feature(self, name: str, value: Any) -> Feature:
        if isinstance(value, Feature):
            return value
        if isinstance(value, dict):
            return deserialize_keras_object(value)
        sizes: dict[str, dict[str, Any]] = {
            "float_discretized": {"num_bins": self.num_discretization_bins},
            "integer_hashed": {"num_bins": self.hashing_dim},
            "string_hashed": {"num_bins": self.hashing_dim},
        }
        if value not in KINDS:
            raise ValueError(f"Invalid feature type: {value}. Expected one of {', '.join(KINDS)}.")
        return getattr(type(self), value)(name=name, **sizes.get(value, {}))

    def _cross(self, cross: Any, known: set[str]) -> Cross:
        if isinstance(cross, dict):
            cross = deserialize_keras_object(cross)
        if isinstance(cross, Cross):
            return cross
        if not self.crossing_dim:
            raise ValueError(
                "When specifying `crosses`, the argument `crossing_dim` (dimensionality of the crossing "
                "space) should be specified as well."
            )
        if not set(cross) <= known:
            raise ValueError(
                "All features referenced in the `crosses` argument should be present in the `features` dict. "
                f"Received unknown features: {cross}"
            )
        return Cross(cross, crossing_dim=self.crossing_dim)

    # --- learning -------------------------------------------------------------------------------------------

    def adapt(self, dataset: Any) -> None:
        """Let the layers learn from a dict of columns, or from an iterable of dicts of values or batches."""
        if not isinstance(dataset, dict) and not hasattr(dataset, "__iter__"):
            raise ValueError(
                "`adapt()` can only be called on a dict of arrays or lists, or on an iterable of dicts. "
                f"Received instead: {dataset} (of type {type(dataset)})"
            )
        for name in self._adaptable():
            self.preprocessors[name].adapt(batches_of_feature(dataset, name))
        self._is_adapted = True
        self.get_encoded_features()
        self.built = True

    def _adaptable(self) -> list[str]:
        """Names of the features whose layers learn."""

        def learns(layer: Any) -> bool:
            if isinstance(layer, Normalization):
                return layer.input_mean is None
            if isinstance(layer, TextVectorization):
                return not layer._has_input_vocabulary
            return hasattr(layer, "adapt")

        return [name for name, layer in self.preprocessors.items() if learns(layer)]

    def _check_adapted(self) -> None:
        if not self._is_adapted and self._adaptable():
            raise ValueError(
                "You need to call `.adapt(dataset)` on the FeatureSpace before you can start using it."
            )
        self._is_adapted = True

    # --- encoding -------------------------------------------------------------------------------------------

    def get_inputs(self) -> dict[str, Any]:
        """Placeholders for the columns, to build a model on."""
        self.get_encoded_features()
        return self.inputs

    def get_encoded_features(self) -> Any:
        """The encoded placeholders."""
        if self.encoded_features is None:
            self._check_adapted()
            self.encoded_features = self._encoded(dict(self.inputs), symbolic=True)
        return self.encoded_features

    @outside_of_autograph
    def __call__(self, data: Any) -> Any:
        """Encode a dict of columns (n,) or (n, 1), or of single values."""
        encoded = self.get_encoded_features()
        if is_in_graph(data):
            rows = all(len(x.shape) for x in tree.flatten(data))
            cut = [KerasTensor(x.shape if rows else x.shape[1:], x.dtype) for x in tree.flatten(encoded)]
            return call_in_graph(self, data, tree.pack_as(encoded, cut))
        if not isinstance(data, dict):
            raise ValueError(
                f"A FeatureSpace can only be called with a dict. Received: data={data} (of type {type(data)}"
            )
        for name in [*self.features, *data]:
            if name not in data or name not in self.features:
                raise KeyError(
                    f"A FeatureSpace must be called with the features {sorted(self.features)}. '{name}' is "
                    f"{'missing' if name in self.features else 'none of them'}: received {sorted(data)}."
                )
        columns = {name: np.asarray(as_data(value)) for name, value in data.items()}
        is_row = any(not column.shape for column in columns.values())
        columns = {n: c.reshape(-1, 1) if c.ndim < 2 else c for n, c in columns.items()}
        encoded = self._encoded(columns)
        return tree.map_structure(lambda x: x[0] if is_row and x.shape[0] == 1 else x, encoded)

    def _encoded(self, columns: dict[str, Any], symbolic: bool = False) -> Any:
        values = {name: self.preprocessors[name](x) for name, x in columns.items()}
        crossed = {c.name: self.crossers[c.name]([values[n] for n in c.feature_names]) for c in self.crosses}
        found = {}
        for name, x in [*sorted(values.items()), *sorted(crossed.items())]:
            spec = self.crosses_by_name[name] if name in crossed else self.features[name]
            found[name] = self._one_hot(name, x) if spec.output_mode == "one_hot" else x
            if symbolic:
                self._check_numbers(name, found[name])
        if self.output_mode == "dict":
            return found
        # Counts of tokens are ints where a layer is called, floats in models, as the placeholders say.
        found = {
            name: ops.cast(x, config.floatx()) if dtypes.is_int(str(x.dtype)) else x
            for name, x in found.items()
        }
        if self.concat is None:
            self.concat = TFDConcat(axis=-1)
        return self.concat(list(found.values()))

    def _one_hot(self, name: str, x: Any) -> Any:
        if name not in self.one_hot_encoders:
            if not str(x.dtype).startswith("int"):
                raise ValueError(
                    f"Feature '{name}' has `output_mode='one_hot'`. Thus its preprocessor should return an "
                    f"integer dtype. Instead it returns a {x.dtype} dtype."
                )
            size = cardinality(name, self.preprocessors.get(name) or self.crossers.get(name))
            self.one_hot_encoders[name] = CategoryEncoding(num_tokens=size, output_mode="multi_hot")
        return self.one_hot_encoders[name](x)

    def _check_numbers(self, name: str, x: Any) -> None:
        if self.output_mode == "concat" and (str(x.dtype).startswith("int") or x.dtype == dtypes.STRING):
            raise ValueError(
                f"Cannot concatenate features because feature '{name}' has not been encoded (it has dtype "
                f"{x.dtype}). Consider using `output_mode='dict'`."
            )

    # --- config and files -----------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        return {
            "features": serialize_keras_object(dict(self.features)),
            "output_mode": self.output_mode,
            "crosses": serialize_keras_object(list(self.crosses)),
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def get_build_config(self) -> dict[str, Any]:
        return {name: f.preprocessor.get_build_config() for name, f in self.features.items()}

    def build_from_config(self, config: dict[str, Any] | None) -> None:
        for name, settings in (config or {}).items():
            layer = self.features[name].preprocessor
            if not layer.built:
                layer.build_from_config(settings)
        # The other layers that learn say themselves that they have learned nothing.
        layers = [self.preprocessors[name] for name in self._adaptable()]
        self._is_adapted = all(layer.built for layer in layers if isinstance(layer, Normalization))

    def save(self, filepath: Any) -> None:
        """Save to a .keras file, for `keras.models.load_model`."""
        from kcompile.saving import save_model

        save_model(self, filepath)

    def save_own_variables(self, store: Any) -> None:
        """There are none."""

    def load_own_variables(self, store: Any) -> None:
        """There are none."""


KINDS = (
    "float", "float_rescaled", "float_normalized", "float_discretized", "integer_categorical",
    "string_categorical", "integer_hashed", "string_hashed",
)  # fmt: skip


registry.publish("keras.utils", {"FeatureSpace": FeatureSpace})
