"""Hashing and HashedCrossing: ints and text as the bins that their hashes fall into."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import config, dtypes
from kcompile.layers.preprocessing import farm_hash, fingerprints
from kcompile.layers.preprocessing.data_layer import DataLayer, as_data, stacked
from kcompile.layers.preprocessing.encoding import encoded, encoded_shape, no_sparse
from kcompile.layers.preprocessing.text import as_text
from kcompile.layers.preprocessing.words import remainder, word
from kcompile.trace.keras_tensor import KerasTensor

CROSSING_KEY = 956888297470  # TensorFlow's, with which every crossing begins
Salt = tuple[int, int] | None


def salt_of(layer: str, salt: Any) -> list[int] | None:
    """The key of a hash from one int or two.

    Raises:  ValueError for anything else.
    """
    if salt is None:
        return None
    if isinstance(salt, (tuple, list)) and len(salt) == 2:
        return list(salt)
    if isinstance(salt, int):
        return [salt, salt]
    raise ValueError(
        f"The `salt` argument for `{layer}` can only be a tuple of size 2 integers, or a single integer. "
        f"Received: salt={salt}."
    )


def hashed(x: Any, bins: int, salt: Any, layer: str) -> Any:
    """The bin of each value, int64: text on the host, numbers in compiled code too."""
    key = None if salt is None else (salt[0], salt[1])
    if dtypes.is_text(x):
        texts = as_text(x, layer)
        found = fingerprints.of_texts(texts.ravel().tolist(), key).reshape(texts.shape)
        return (found % np.uint64(bins)).astype("int64")
    if dtypes.is_float(dtypes.standardize(x.dtype)):
        x = ops.cast(x, "int64")
    return remainder(fingerprints.of_ints(x, key), bins)


class Hashing(DataLayer):
    """The hash of each int or text, modulo a number of bins.

    The hash is that of TensorFlow, and so of Keras: FarmHash64 of the text, or of an int's decimal digits;
    with a salt SipHash. Text is hashed on the host; numbers inside compiled programs too.

    Args:    num_bins: how many bins there are. mask_value: the value that bin 0 is kept for. salt: one or two
             ints. output_mode: "int", "one_hot", "multi_hot" or "count".

    >>> Hashing(num_bins=3)(["A", "B", "C"]).tolist()
    [1, 0, 1]
    """

    _convert_input_args = False  # floats stay as they are given

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ):
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "int64" if output_mode == "int" else config.floatx()
        super().__init__(**kwargs)
        if num_bins is None or num_bins <= 0:
            raise ValueError(
                "The `num_bins` for `Hashing` cannot be `None` or non-positive values. Received: "
                f"num_bins={num_bins}."
            )
        if output_mode == "int" and self.dtype_policy.name not in ("int32", "int64"):
            raise ValueError(
                'When `output_mode="int"`, `dtype` should be an integer type, "int32" or "int64". Received: '
                f"dtype={kwargs['dtype']}"
            )
        accepted = ("int", "one_hot", "multi_hot", "count")
        if output_mode not in accepted:
            raise ValueError(
                f"Invalid value for argument `output_mode`. Expected one of {accepted}. Received: "
                f"output_mode={output_mode}"
            )
        self.num_bins, self.mask_value, self.output_mode = num_bins, mask_value, output_mode
        self.sparse = no_sparse("Hashing", sparse)
        self.salt = salt_of("Hashing", salt)
        self.strong_hash = salt is not None

    def call(self, inputs: Any) -> Any:
        if inputs is None:
            raise ValueError(f"Layer '{self.name}' hashes ints and text. Received: None")
        x = stacked(inputs)
        if self.output_mode == "one_hot" and x.shape and x.shape[-1] == 1:
            x = x[..., 0]
        return encoded(self._bins(x), self.output_mode, self.num_bins, self.dtype)

    def _bins(self, x: Any) -> Any:
        if self.mask_value is None or self.num_bins == 1:
            return hashed(x, self.num_bins, self.salt, self.name)
        found = hashed(x, self.num_bins - 1, self.salt, self.name) + np.int64(1)
        if dtypes.is_text(x):
            masked = as_text(x, self.name) == as_text(np.array(self.mask_value, object), self.name).item()
        else:
            masked = ops.equal(x, np.asarray(self.mask_value))
        return ops.where(masked, np.int64(0), found)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.output_mode == "one_hot" and len(input_shape) and input_shape[-1] == 1:
            return (*input_shape[:-1], self.num_bins) if len(input_shape) > 1 else (1, self.num_bins)
        return encoded_shape(input_shape, self.output_mode, self.num_bins)

    def compute_output_spec(self, inputs: Any) -> Any:
        return KerasTensor(self.compute_output_shape(inputs.shape), self.dtype)

    def get_config(self) -> dict[str, Any]:
        own = {n: getattr(self, n) for n in ("num_bins", "salt", "mask_value", "output_mode", "sparse")}
        return {**super().get_config(), **own}


class HashedCrossing(DataLayer):
    """The bin of several features taken together, by their combined hash.

    Called with a list or tuple of features of equal shape, (), (batch,) or (batch, 1), ints or text.

    Args:    num_bins: how many bins there are. output_mode: "int" or "one_hot".

    >>> HashedCrossing(num_bins=5)((np.array(["A", "B"]), np.array([101, 101]))).tolist()
    [1, 4]
    """

    _convert_input_args = False  # floats stay as they are given

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, dtype="int64" if output_mode == "int" and dtype is None else dtype)
        if output_mode not in ("int", "one_hot"):
            raise ValueError(
                "Unknown value for `output_mode` argument of HashedCrossing. Allowed values are: ('int', "
                f"'one_hot'). Received: output_mode={output_mode}"
            )
        self.num_bins, self.output_mode = num_bins, output_mode
        self.sparse = no_sparse("HashedCrossing", sparse)

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        several = isinstance(inputs, (list, tuple))
        return super().__call__([as_data(x) for x in inputs] if several else inputs, *args, **kwargs)

    def call(self, inputs: Any) -> Any:
        self._check(inputs)
        found: Any = word(CROSSING_KEY)
        for x in inputs:
            if dtypes.is_text(x):
                texts = as_text(x, self.name)
                own = fingerprints.of_texts(texts.ravel().tolist()).reshape(texts.shape)
            else:
                own = ops.cast(ops.cast(x, "int64"), "uint64")
            found = farm_hash.concatenated(found, own)
        return encoded(remainder(found, self.num_bins), self.output_mode, self.num_bins, self.compute_dtype)

    def _check(self, inputs: Any) -> None:
        if not isinstance(inputs, (list, tuple)):
            raise ValueError(
                f"`HashedCrossing` should be called on a list or tuple of inputs. Received: inputs={inputs}"
            )
        if len(inputs) < 2:
            raise ValueError(
                f"`HashedCrossing` should be called on at least two inputs. Received: inputs={inputs}"
            )
        shape = tuple(inputs[0].shape)
        if len(shape) > 2 or (len(shape) == 2 and shape[-1] != 1):
            raise ValueError(
                "All `HashedCrossing` inputs should have shape `()`, `(batch_size)` or `(batch_size, 1)`. "
                f"Received: inputs={inputs}"
            )
        if any(tuple(x.shape) != shape for x in inputs[1:]):
            raise ValueError(
                f"All `HashedCrossing` inputs should have equal shape. Received: inputs={inputs}"
            )
        if not all(dtypes.is_text(x) or dtypes.is_int(dtypes.standardize(x.dtype)) for x in inputs):
            raise ValueError(
                "All `HashedCrossing` inputs should have an integer or string dtype. Received: "
                f"inputs={inputs}"
            )

    def compute_output_shape(self, input_shape: Any) -> Any:
        if len(input_shape) < 2 or not all(isinstance(shape, (tuple, list)) for shape in input_shape):
            raise ValueError(
                f"Expected as input a list/tuple of 2 tensors. Received input_shape={input_shape}"
            )
        if any(len(s) and s[-1] != input_shape[0][-1] for s in input_shape[1:]):
            raise ValueError(
                f"Expected the two input tensors to have identical shapes. Received input_shape={input_shape}"
            )
        return encoded_shape(tuple(input_shape[0]), self.output_mode, self.num_bins)

    def compute_output_spec(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)) or len(inputs) < 2:
            self._check(inputs)
        return KerasTensor(self.compute_output_shape([tuple(x.shape) for x in inputs]), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("num_bins", "output_mode", "sparse", "name", "dtype")}
