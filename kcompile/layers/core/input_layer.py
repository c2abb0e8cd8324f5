"""Input: the placeholders that functional models begin with."""

from __future__ import annotations

from typing import Any

from kcompile.core import dtypes
from kcompile.layers.arguments import not_supported
from kcompile.layers.layer import Layer
from kcompile.trace.keras_tensor import KerasTensor
from kcompile.trace.operation import CallNode


class InputLayer(Layer):
    """Holds one placeholder. Users call `Input`, which returns the placeholder itself."""

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        input_tensor: Any = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ):
        not_supported("InputLayer", sparse=sparse, ragged=ragged)
        kwargs.pop("input_shape", None)
        super().__init__(name=name)
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments passed to InputLayer: {kwargs}")
        if input_tensor is not None and not isinstance(input_tensor, KerasTensor):
            raise ValueError(
                "Argument `input_tensor` must be a KerasTensor. Received invalid type: "
                f"input_tensor={input_tensor}"
            )
        if input_tensor is not None:
            batch_shape, dtype = input_tensor.shape, dtype or input_tensor.dtype
        self.batch_shape = _batch_shape(shape, batch_size, batch_shape)
        self._dtype = dtypes.standardize(dtype)
        self.optional = optional
        output = input_tensor or KerasTensor(self.batch_shape, self._dtype, name=name)
        CallNode(self, (), {}, output)
        self._build_at_init()

    def call(self) -> Any:
        raise NotImplementedError("An InputLayer is not called; it holds the placeholder of `Input`.")

    @property
    def dtype(self) -> str:
        return self._dtype

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_shape": self.batch_shape,
            "dtype": self._dtype,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": self.optional,
        }


def _batch_shape(shape: Any, batch_size: int | None, batch_shape: Any) -> tuple[int | None, ...]:
    if (shape is None) == (batch_shape is None):
        raise ValueError(
            f"You must pass exactly one of `shape` and `batch_shape`. Received: shape={shape}, "
            f"batch_shape={batch_shape}"
        )
    if batch_shape is not None and batch_size is not None:
        raise ValueError("You cannot pass both `batch_shape` and `batch_size` at the same time.")
    dims = (batch_size, *_as_tuple(shape)) if batch_shape is None else _as_tuple(batch_shape)
    for d in dims:
        if d is not None and (not isinstance(d, int) or d < 0):
            raise ValueError(f"Dimensions of an Input must be ints >= 0 or None. Received: shape={dims}")
    return dims


def _as_tuple(shape: Any) -> tuple[Any, ...]:
    if isinstance(shape, (tuple, list)):
        return tuple(shape)
    raise ValueError(f"The shape of an Input must be a tuple, such as (28, 28). Received: shape={shape}")


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> Any:
    """A placeholder to build a functional model on.

    Args:    shape: without the batch, None where unknown. batch_shape: with it. tensor: a placeholder to use.

    >>> Input((28, 28), name="image").shape
    (None, 28, 28)
    """
    layer = InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name)
    return layer.output
