"""What a layer accepts: dtype, rank and sizes of its inputs, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kcompile.core import dtypes, tree
from kcompile.core.errors import ArgumentError, DTypeError, ShapeError
from kcompile.core.wholes import whole
from kcompile.trace.keras_tensor import known_shape


def _checked_shape(shape: Any) -> tuple[int | None, ...]:
    if not isinstance(shape, Iterable):
        raise ArgumentError(f"`shape` must be a tuple of integers and None. Received: shape={shape}")
    return tuple(None if d is None else whole("shape", d, received=shape) for d in shape)


class InputSpec:
    """Requirements on one input; None means anything.

    axes: size by axis, as {-1: 3}. allow_last_axis_squeeze: a missing or additional last axis of size 1
    passes.

    >>> InputSpec(min_ndim=2, axes={-1: 3})
    InputSpec(min_ndim=2, axes={-1: 3})
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ):
        self.dtype = None if dtype is None else dtypes.standardize(dtype)
        self.shape = None if shape is None else _checked_shape(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = self._axes(axes or {})
        self.allow_last_axis_squeeze, self.name, self.optional = allow_last_axis_squeeze, name, optional

    def _axes(self, axes: Any) -> dict[int, int | None]:
        try:
            found = {int(k): v for k, v in axes.items()}
        except (AttributeError, TypeError, ValueError):
            raise TypeError(
                f"Argument `axes` must be a dict with integer keys. Received: axes={axes}"
            ) from None
        limit = self.ndim or self.max_ndim
        if found and limit is not None and max(found) >= limit:
            raise ValueError(f"Axis {max(found)} is greater than the maximum allowed value: {limit - 1}")
        return found

    def __repr__(self) -> str:
        shown = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")
        parts = [f"{k}={getattr(self, k)}" for k in shown if getattr(self, k) not in (None, {})]
        return f"InputSpec({', '.join(parts)})"

    def get_config(self) -> dict[str, Any]:
        names = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes", "optional")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        return cls(**config)


class Checked(tuple):
    """Inputs of a model that were compared with its `input_spec` before they took this form."""


def check_inputs(input_spec: Any, inputs: Any, layer: str) -> None:
    """Compare the inputs of a layer with its `input_spec`.

    Raises:  ShapeError or DTypeError (both ValueErrors), with the layer's name, what it wants and what came.
    """
    if input_spec is None or isinstance(inputs, Checked):
        return
    specs = tree.flatten(input_spec)
    tensors = _in_order(specs, inputs)
    if len(tensors) != len(specs):
        raise ShapeError(
            f'Layer "{layer}" expects {len(specs)} input(s), but it received {len(tensors)} input tensors. '
            f"Inputs received: {[_shown(t) for t in tensors]}"
        )
    for k, (spec, tensor) in enumerate(zip(specs, tensors, strict=True)):
        if spec is not None and not (tensor is None and spec.optional):
            _check(
                spec, tensor, f'Input {k}{_named(spec)} of layer "{layer}" is incompatible with the layer: '
            )


def _in_order(specs: list[Any], inputs: Any) -> list[Any]:
    """The input tensors in the order of the specs: by name where a dict was given for named inputs."""
    names = [getattr(spec, "name", None) for spec in specs]
    if isinstance(inputs, dict) and all(names):
        missing = [name for name in names if name not in inputs]
        if missing:
            raise ShapeError(
                f'Missing data for input "{missing[0]}". You passed a data dictionary with keys '
                f"{list(inputs)}. Expected the following keys: {names}"
            )
        return [inputs[name] for name in names]
    return tree.flatten(inputs)


def _named(spec: InputSpec) -> str:
    return f" with name '{spec.name}'" if spec.name else ""


def _shown(tensor: Any) -> str:
    shape = getattr(tensor, "shape", None)
    return repr(tensor) if shape is None else f"{getattr(tensor, 'dtype', '?')}{list(known_shape(shape))}"


def _check(spec: InputSpec, tensor: Any, prefix: str) -> None:
    if not hasattr(tensor, "shape"):
        raise ShapeError(
            f"{prefix}inputs must be tensors or arrays. Received: {tensor!r} (type {type(tensor)})"
        )
    shape = known_shape(tensor.shape)
    if spec.shape is not None and spec.allow_last_axis_squeeze:
        shape = _squeezed(shape, spec.shape)
    full = f"Full shape received: {shape}"
    if spec.ndim is not None and spec.shape is None and len(shape) != spec.ndim:
        raise ShapeError(f"{prefix}expected ndim={spec.ndim}, found ndim={len(shape)}. {full}")
    if spec.max_ndim is not None and len(shape) > spec.max_ndim:
        raise ShapeError(f"{prefix}expected max_ndim={spec.max_ndim}, found ndim={len(shape)}. {full}")
    if spec.min_ndim is not None and len(shape) < spec.min_ndim:
        raise ShapeError(f"{prefix}expected min_ndim={spec.min_ndim}, found ndim={len(shape)}. {full}")
    if spec.dtype is not None and dtypes.standardize(tensor.dtype) != spec.dtype:
        raise DTypeError(f"{prefix}expected dtype={spec.dtype}, found dtype={tensor.dtype}")
    _check_axes(spec, shape, prefix)
    if spec.shape is not None and not _fits(spec.shape, shape):
        raise ShapeError(f"{prefix}expected shape={spec.shape}, found shape={shape}")


def _check_axes(spec: InputSpec, shape: tuple[int | None, ...], prefix: str) -> None:
    for axis, size in spec.axes.items():
        present = -len(shape) <= axis < len(shape)
        if size is not None and (not present or shape[axis] not in (size, None)):
            raise ShapeError(
                f"{prefix}expected axis {axis} of input shape to have value {size}, but received input with "
                f"shape {shape}"
            )


def _squeezed(shape: tuple[int | None, ...], wanted: tuple[int | None, ...]) -> tuple[int | None, ...]:
    if len(shape) == len(wanted) + 1 and shape[-1] == 1:
        return shape[:-1]
    if len(shape) == len(wanted) - 1 and wanted[-1] == 1:
        return (*shape, 1)
    return shape


def _fits(wanted: tuple[int | None, ...], shape: tuple[int | None, ...]) -> bool:
    return len(wanted) == len(shape) and all(
        w is None or s is None or w == s for w, s in zip(wanted, shape, strict=True)
    )
