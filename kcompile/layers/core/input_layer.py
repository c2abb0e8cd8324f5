"""Input: the placeholders that functional models begin with."""

from __future__ import annotations

from typing import Any

from kcompile.core import dtypes
from kcompile.layers.arguments import not_supported
from kcompile.layers.building import as_shapes, is_shape
from kcompile.layers.layer import Layer
from kcompile.trace.keras_tensor import KerasTensor
from kcompile.trace.operation import CallNode


class InputLayer(Layer):
    """Holds one placeholder. Users call `Input`, which returns the placeholder itself."""

    sparse = ragged = False

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
        if ragged:
            raise ValueError(f"InputLayer: `ragged=True` is not supported. Received: ragged={ragged}")
        not_supported("InputLayer", sparse=sparse)
        # Older names, which files of Keras 2 and its users have.
        shape = kwargs.pop("input_shape", None) if shape is None else shape
        batch_shape = kwargs.pop("batch_input_shape", None) if batch_shape is None else batch_shape
        super().__init__(name=name)
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments passed to InputLayer: {kwargs}")
        if input_tensor is None:
            self.batch_shape = _batch_shape(shape, batch_size, batch_shape)
            input_tensor = KerasTensor(self.batch_shape, dtypes.standardize(dtype), name=name)
        else:
            _check_tensor(input_tensor, shape, batch_size, batch_shape, dtype)
            self.batch_shape = input_tensor.shape
        self._dtype = input_tensor.dtype
        self.optional = optional
        CallNode(self, (), {}, input_tensor)
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
            "sparse": self.sparse,
            "ragged": self.ragged,
            "name": self.name,
            "optional": self.optional,
        }


def _check_tensor(tensor: Any, shape: Any, batch_size: Any, batch_shape: Any, dtype: Any) -> None:
    """What is said beside a given placeholder has to agree with it."""
    if not isinstance(tensor, KerasTensor):
        raise ValueError(
            f"Argument `input_tensor` must be a KerasTensor. Received invalid type: input_tensor={tensor} "
            f"(of type {type(tensor)})"
        )
    said = {
        "batch_size": (batch_size, tensor.shape[:1] == (batch_size,)),
        "shape": (shape, shape is None or tuple(shape) in (tensor.shape[1:], tensor.shape)),
        "batch_shape": (batch_shape, batch_shape is None or tuple(batch_shape) == tensor.shape),
        "dtype": (dtype, dtype is None or dtypes.standardize(dtype) == tensor.dtype),
    }
    for name, (value, agrees) in said.items():
        if value is not None and not agrees:
            raise ValueError(
                "When providing the `input_tensor` argument, you cannot provide an incompatible "
                f"`{name}` argument. Received: {name}={value}, input_tensor={tensor}"
            )


def _batch_shape(shape: Any, batch_size: int | None, batch_shape: Any) -> tuple[int | None, ...]:
    if (shape is None) == (batch_shape is None):
        raise ValueError(
            f"You must pass exactly one of `shape` and `batch_shape`. Received: shape={shape}, "
            f"batch_shape={batch_shape}"
        )
    if batch_shape is not None and batch_size is not None:
        raise ValueError("You cannot pass both `batch_shape` and `batch_size` at the same time.")
    dims = (batch_size, *_as_tuple(shape)) if batch_shape is None else _as_tuple(batch_shape)
    if not is_shape(dims) or any(d is not None and d < 0 for d in dims):
        raise ValueError(f"Dimensions of an Input must be ints >= 0 or None. Received: shape={dims}")
    return as_shapes(dims)


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
