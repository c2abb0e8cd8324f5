"""Normalization of features by means and variances that were learned or given."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import config
from kcompile.layers.call_spec import is_tensor
from kcompile.layers.preprocessing.data_layer import DataLayer, batches_of

BATCH = 128  # rows that are read at once from a data set of rows
Shape = tuple[int | None, ...]


class Normalization(DataLayer):
    """(inputs - mean) / sqrt(variance), with a mean and a variance for each index of some axes.

    Args:    axis: the axes that keep means of their own, an int or several; None for one mean of all.
             mean, variance: numbers to use; `adapt` learns them otherwise. invert: inputs * sqrt(variance)
             + mean instead.
    Raises:  ValueError for a mean without a variance, and for shapes that do not fit.

    >>> layer = Normalization()
    >>> layer.adapt(np.array([[0.0, 5.0], [2.0, 9.0]], "float32"))
    >>> layer(np.array([[2.0, 5.0]], "float32")).tolist()
    [[1.0, -1.0]]
    """

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.axis = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        self.input_mean, self.input_variance, self.invert = mean, variance, invert
        self.supports_masking = True
        self.mean: Any = None
        self.variance: Any = None
        self._build_input_shape: Shape | None = None
        _check_statistics(mean, variance, self.axis)

    def build(self, input_shape: Any) -> None:
        if input_shape is None:
            return
        self._build_input_shape = tuple(input_shape)
        self._keep_axis = _kept(self.axis, self._build_input_shape)
        self._reduce_axis = tuple(d for d in range(len(input_shape)) if d not in self._keep_axis)
        shape = tuple(input_shape[d] for d in self._keep_axis)
        self._broadcast_shape = tuple(n if d in self._keep_axis else 1 for d, n in enumerate(input_shape))
        if self.input_mean is not None:
            self.mean, self.variance = self._aligned(self.input_mean), self._aligned(self.input_variance)
            return
        self.adapt_mean = self.add_weight(name="mean", shape=shape, initializer="zeros", trainable=False)
        self.adapt_variance = self.add_weight(
            name="variance", shape=shape, initializer="ones", trainable=False
        )
        # Nothing reads it; files of older versions of Keras hold one.
        self.count = self.add_weight(
            name="count", shape=(), dtype="int", initializer="zeros", trainable=False
        )
        self.finalize_state()

    def _aligned(self, given: Any) -> np.ndarray:
        """Given statistics with their axes, from the right, at the axes that are kept."""
        value = np.asarray(given)
        shape = [1] * len(self._broadcast_shape)
        for k in range(1, value.ndim + 1):
            shape[self._keep_axis[-k]] = value.shape[-k]
        return np.broadcast_to(value.reshape(shape), self._broadcast_shape).astype(self.compute_dtype)

    def adapt(self, data: Any) -> None:
        """Learn mean and variance from an array, or from batches: a PyDataset, a list of arrays, a generator.

        Raises:  ValueError for shapes that do not fit, and for no batch at all; TypeError for other data.
        """
        if is_tensor(data):
            array = np.asarray(data)
            self._build_for(array.shape)
            mean, variance = (f(array, axis=self._reduce_axis) for f in (np.mean, np.var))
        elif hasattr(data, "__iter__"):
            mean, variance = self._of_batches(batches_of(_in_batches(data)))
        else:
            raise TypeError(
                f"Unsupported data type: {type(data)}. `adapt` takes arrays and iterables of them."
            )
        self.adapt_mean.assign(mean)
        self.adapt_variance.assign(variance)
        self.finalize_state()

    def _build_for(self, shape: Shape) -> None:
        if not self.built:
            self.build(shape)
        elif not self._fits(shape):
            raise ValueError(
                f"The layer was built with input_shape={self._build_input_shape}, but adapt() is being "
                f"called with data with an incompatible shape, data.shape={shape}"
            )

    def _fits(self, shape: Shape) -> bool:
        built = self._build_input_shape
        return built is not None and all(d < len(shape) and shape[d] == built[d] for d in self._keep_axis)

    def _of_batches(self, batches: Any) -> tuple[Any, Any]:
        """Mean and variance over all batches, each weighted by what it counts."""
        first = next(batches, None)
        if first is None:
            raise ValueError(
                "adapt() received an empty iterable (no batches). Expected at least one batch of arrays."
            )
        if getattr(first, "shape", None) is None:
            raise TypeError(
                "adapt() expects an iterable that yields arrays with a `.shape`. Got an element of type "
                f"{type(first).__name__}."
            )
        self._build_for(tuple(first.shape))
        mean = variance = np.zeros([self._broadcast_shape[d] for d in self._keep_axis], self.compute_dtype)
        count = 0
        for item in itertools.chain([first], batches):
            batch = np.asarray(item).astype(self.compute_dtype)
            if not self._fits(batch.shape):
                raise ValueError(
                    "adapt() yielded a batch with incompatible shape. Expected "
                    f"{self._build_input_shape}, got {batch.shape}."
                )
            own_mean, own_variance = (f(batch, axis=self._reduce_axis) for f in (np.mean, np.var))
            size = math.prod(batch.shape[d] for d in self._reduce_axis)
            count += size
            share = size / count
            joined = mean * (1 - share) + own_mean * share
            # Variance within the parts and between them.
            variance = (variance + (mean - joined) ** 2) * (1 - share) + (
                own_variance + (own_mean - joined) ** 2
            ) * share
            mean = joined
        return mean, variance

    def finalize_state(self) -> None:
        """Use the learned weights from now on."""
        if self.input_mean is not None or not hasattr(self, "adapt_mean"):
            return
        self.mean, self.variance = (
            v.numpy().reshape(self._broadcast_shape).astype(self.compute_dtype)
            for v in (self.adapt_mean, self.adapt_variance)
        )

    def call(self, inputs: Any) -> Any:
        if self.mean is None:
            raise ValueError("You must call `.build(input_shape)` on the layer before using it.")
        x = ops.cast(inputs, self.compute_dtype)
        deviation = np.maximum(np.sqrt(self.variance), config.epsilon()).astype(self.compute_dtype)
        return x * deviation + self.mean if self.invert else (x - self.mean) / deviation

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "invert": self.invert,
            "mean": np.array(self.input_mean).tolist(),
            "variance": np.array(self.input_variance).tolist(),
        }

    def load_own_variables(self, store: Any) -> None:
        super().load_own_variables(store)
        self.finalize_state()

    def get_build_config(self) -> dict[str, Any] | None:
        return {"input_shape": self._build_input_shape} if self._build_input_shape else None


def _in_batches(data: Any) -> Any:
    """A data set whose elements are single rows, in batches; anything else as it is."""
    if not callable(getattr(data, "batch", None)):
        return data
    first: Any = next(iter(data), None)
    first = first[0] if isinstance(first, tuple) else first
    return data.batch(BATCH) if np.ndim(first) == 1 else data


def _check_statistics(mean: Any, variance: Any, axis: tuple[int, ...]) -> None:
    if (mean is None) != (variance is None):
        raise ValueError(
            "When setting values directly, both `mean` and `variance` must be set. Received: "
            f"mean={mean} and variance={variance}"
        )
    if mean is None:
        return
    if np.shape(mean) != np.shape(variance):
        raise ValueError(
            "When setting values directly, `mean` and `variance` must have the same shape. Received: mean "
            f"shape {np.shape(mean)} and variance shape {np.shape(variance)}"
        )
    if np.ndim(mean) > len(axis):
        raise ValueError(
            f"The rank of `mean` must be less than or equal to the number of axes ({len(axis)}). Received: "
            f"mean shape {np.shape(mean)} for axis {axis}"
        )


def _kept(axis: tuple[int, ...], shape: Shape) -> tuple[int, ...]:
    """The kept axes in ascending order, counted from the left."""
    rank = len(shape)
    if any(not -rank <= a < rank for a in axis):
        raise ValueError(
            f"All `axis` values must be in the range [-ndim, ndim). Received inputs with ndim={rank}, while "
            f"axis={axis}"
        )
    kept = tuple(sorted(a % rank for a in axis))
    for d in kept:
        if shape[d] is None:
            raise ValueError(
                "All `axis` values to be kept must have a known shape. Received "
                f"axis={axis}, inputs.shape={shape}, with unknown axis at index {d}"
            )
    return kept
