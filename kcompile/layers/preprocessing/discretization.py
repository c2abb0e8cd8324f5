"""Discretization: numbers as the bins that they fall into."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import config
from kcompile.layers.arguments import one_of
from kcompile.layers.call_spec import is_tensor
from kcompile.layers.preprocessing.data_layer import DataLayer, batches_of
from kcompile.layers.preprocessing.encoding import encoded, encoded_shape, no_sparse
from kcompile.trace.keras_tensor import KerasTensor


class Discretization(DataLayer):
    """The number of boundaries that each input has reached, as an int or one-hot.

    Args:    bin_boundaries: ascending numbers; or num_bins: so many bins of equal weight, learned by `adapt`
             with the relative error `epsilon`. output_mode: "int", "one_hot", "multi_hot" or "count".
    Raises:  ValueError for both or neither of bin_boundaries and num_bins.

    >>> Discretization(bin_boundaries=[0.0, 1.0])(np.array([[-1.0, 0.5, 3.0]])).tolist()
    [[0, 1, 2]]
    """

    summary: np.ndarray

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.sparse = no_sparse("Discretization", sparse)
        one_of("output_mode", output_mode, ("int", "one_hot", "multi_hot", "count"))
        if num_bins is not None and num_bins < 0:
            raise ValueError(
                f"`num_bins` must be greater than or equal to 0. Received: `num_bins={num_bins}`"
            )
        if (num_bins is None) == (bin_boundaries is None):
            raise ValueError(
                "You need to set either `num_bins` or `bin_boundaries`, and not both. Received: "
                f"`num_bins={num_bins}` and `bin_boundaries={bin_boundaries}`"
            )
        self.bin_boundaries, self.num_bins, self.epsilon = bin_boundaries, num_bins, epsilon
        self.output_mode = output_mode
        self.reset_state()

    @property
    def input_dtype(self) -> str:
        return config.floatx()

    @property
    def output_dtype(self) -> str:
        return "int32" if self.output_mode == "int" else self.compute_dtype

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn the boundaries from an array, or from batches, of which at most `steps` are used.

        Raises:  ValueError for a layer with given boundaries.
        """
        self._check_learns()
        self.reset_state()
        at_once = is_tensor(data) or isinstance(data, (int, float))
        for batch in [data] if at_once else batches_of(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Take a batch into account."""
        self._check_learns()
        values = np.array(data).astype("float32")
        self.summary = _merged(_summary(values, self.epsilon), self.summary, self.epsilon)

    def _check_learns(self) -> None:
        if self.num_bins is None:
            raise ValueError(
                "Cannot adapt a Discretization layer that has been initialized with `bin_boundaries`, use "
                "`num_bins` instead."
            )

    def finalize_state(self) -> None:
        """Boundaries from what was seen."""
        if self.num_bins is not None:
            self.bin_boundaries = _compressed(self.summary, 1.0 / self.num_bins)[0, :-1].tolist()

    def reset_state(self) -> None:
        """Forget what was seen."""
        self.summary = np.zeros((2, 0), "float32")

    def call(self, inputs: Any) -> Any:
        if self.bin_boundaries is None:
            raise ValueError(
                "You need to either pass the `bin_boundaries` argument at construction time or call "
                "`adapt(dataset)` before you can start using the `Discretization` layer."
            )
        bins = ops.digitize(inputs, np.asarray(self.bin_boundaries, "float32"))
        return encoded(bins, self.output_mode, len(self.bin_boundaries) + 1, self.output_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        known = self.bin_boundaries is not None
        return encoded_shape(
            input_shape, self.output_mode, len(self.bin_boundaries) + 1 if known else self.num_bins
        )

    def compute_output_spec(self, inputs: Any) -> Any:
        return KerasTensor(self.compute_output_shape(inputs.shape), self.output_dtype)

    def load_own_variables(self, store: Any) -> None:
        if len(store) == 1:  # files of older versions of Keras
            self.summary = np.asarray(store["0"])

    def get_config(self) -> dict[str, Any]:
        names = ("bin_boundaries", "num_bins", "epsilon", "output_mode", "sparse", "name", "dtype")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        if config.get("bin_boundaries") is None or config.get("num_bins") is None:
            return cls(**config)
        layer = cls(**{k: v for k, v in config.items() if k != "bin_boundaries"})
        layer.bin_boundaries = config["bin_boundaries"]  # learned ones
        return layer


# Summaries of many numbers: (2, n) float32, representatives in ascending order and the weight of each. The
# definitions below are Keras's, so that adapted boundaries are equal to its own.


def _summary(values: np.ndarray, epsilon: float) -> np.ndarray:
    """About 1 / epsilon of the numbers, equally spaced in their order."""
    step = max(values.size * epsilon, 1)
    chosen = np.sort(values, axis=None)[int(step - 1) :: int(step)]
    return np.stack([chosen, np.full_like(chosen, step)])


def _merged(a: np.ndarray, b: np.ndarray, epsilon: float) -> np.ndarray:
    both = np.concatenate([a, b], axis=1)
    return _compressed(both[:, np.argsort(both[0])], epsilon)


def _compressed(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """Representatives at equal steps of the cumulative weight, interpolated."""
    if summary.shape[1] * epsilon < 1:
        return summary
    at = epsilon + np.arange(0.0, 1.0, epsilon)
    weights = summary[1].cumsum()
    shares = weights / weights[-1]
    reached = np.interp(at, shares, weights)
    gained = reached - np.concatenate([[0], reached[:-1]])
    return np.stack([np.interp(at, shares, summary[0]), gained]).astype("float32")
