"""Shapes for `build`, and what a layer remembers when it was built."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from kcompile.core.callers import users_level
from kcompile.core.errors import ArgumentError
from kcompile.core.interrupts import deferred
from kcompile.trace.keras_tensor import KerasTensor, infer_output
from kcompile.trace.operation import is_default
from kcompile.trace.variable import current_path, name_scope


def remembers_build(build: Callable[..., None]) -> Callable[..., None]:
    """`build` in the scope of the layer's name; then the layer is built, locked and knows its shapes."""
    signature = inspect.signature(build)

    @functools.wraps(build)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> None:
        if "_is_building" in self.__dict__:  # super().build() of a user's class
            return build(self, *args, **kwargs)
        shapes = dict(list(signature.bind(self, *args, **kwargs).arguments.items())[1:])
        with deferred():  # after Ctrl-C a layer has all its weights or none
            with name_scope(self.name, self):
                self.__dict__.update(_is_building=True, _path=current_path())
                try:
                    build(self, *args, **kwargs)
                finally:
                    del self.__dict__["_is_building"]
            self.__dict__.update(_build_shapes=shapes, built=True)
            self._tracker.locked = True
        return None

    return wrapped


def warn_of_unbuilt(layer: Any) -> None:
    """A warning where a layer without a `build` of its own is built, and others inside of it are not."""
    if is_default(layer.build) and not all(inner.built for inner in layer._layers):
        warnings.warn(
            f"`build()` was called on layer '{layer.name}', however the layer does not have a `build()` "
            "method implemented and it looks like it has unbuilt state. This will cause the layer to be "
            "marked as built, despite not being actually built, which may cause failures down the line. "
            "Make sure to implement a proper `build()` method.",
            stacklevel=users_level(),
        )


def build_config(shapes: dict[str, Any] | None) -> dict[str, Any] | None:
    """The arguments that `build` was called with, as configs have them."""
    if not shapes:
        return None
    return {"input_shape": next(iter(shapes.values()))} if len(shapes) == 1 else {"shapes_dict": shapes}


def is_shape(x: Any) -> bool:
    return isinstance(x, (tuple, list)) and all(d is None or isinstance(d, (int, np.integer)) for d in x)


def are_shapes(x: Any) -> bool:
    """Is it a structure of shapes, of more than one thing?"""
    items = list(x.values()) if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else []
    return bool(items) and not is_shape(x) and all(is_shape(item) or are_shapes(item) for item in items)


def as_shapes(structure: Any) -> Any:
    """Shapes as tuples, whatever JSON or a user made of them.

    >>> as_shapes([[None, 3], [None, 4]])
    [(None, 3), (None, 4)]
    """
    if is_shape(structure):
        return tuple(d if d is None else int(d) for d in structure)
    if isinstance(structure, dict):
        return {key: as_shapes(x) for key, x in structure.items()}
    if isinstance(structure, (list, tuple)):
        return [as_shapes(x) for x in structure]
    return structure


def placeholders(shapes: Any, dtype: str) -> Any:
    """Placeholders in the place of shapes."""
    if is_shape(shapes):
        return KerasTensor(shapes, dtype)
    if isinstance(shapes, dict):
        return {key: placeholders(x, dtype) for key, x in shapes.items()}
    if not isinstance(shapes, (tuple, list)):
        raise ArgumentError(f"A shape is a tuple of ints and None. Received: {shapes!r}")
    return [placeholders(x, dtype) for x in shapes]


def shapes_for(build: Callable[..., Any], shapes: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `build`: the first input's shape for one parameter, else shapes by `<name>_shape`."""
    parameters = inspect.signature(build).parameters.values()
    open_ended = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    names = [p.name for p in parameters if p.kind not in open_ended]
    if len(names) == 1:
        return {names[0]: next(iter(shapes.values()), None)}
    wrong = [name for name in names if not name.endswith("_shape")]
    if wrong:
        raise ValueError(
            f"For a `{build.__name__}()` method with more than one argument, all arguments should have a "
            "`_shape` suffix and match an argument from `call()`. E.g. "
            f"`{build.__name__}(self, foo_shape, bar_shape)`. Received the argument `{wrong[0]}`."
        )
    return {name: shape for name, shape in shapes.items() if name in names}


def outputs_of(layer: Any, spec: Any) -> Any:
    """Placeholders for the outputs of a call: by a user's `compute_output_shape` without the call, else by a
    trace. The library's own layers are traced, which gives dtypes too, and layers whose call builds others.
    """
    method = layer.compute_output_shape
    own = (method.__module__ or "").startswith("kcompile.")  # None in a namespace without a name
    if is_default(method) or own or not all(inner.built for inner in layer._layers):
        return infer_output(layer._call, *spec.bound.args, **spec.bound.kwargs)
    return placeholders(as_shapes(method(**shapes_for(method, spec.shapes()))), layer.compute_dtype)


def input_shape_of(kwargs: dict[str, Any]) -> tuple[int | None, ...] | None:
    """The shape without batch that `input_shape` or `input_dim` gives; both are taken out of kwargs."""
    shape = kwargs.pop("input_shape", None)
    dim = kwargs.pop("input_dim", None)
    if shape is None and dim is None:
        return None
    warnings.warn(
        "Do not pass an `input_shape`/`input_dim` argument to a layer. When using Sequential models, "
        "prefer using an `Input(shape)` object as the first layer in the model instead.",
        stacklevel=users_level(),
    )
    return (dim,) if shape is None else tuple(shape)


def weight_shape(shape: Any, name: str | None, layer: str) -> tuple[int, ...]:
    """The shape of a weight: ints only, so of inputs whose sizes are known.

    Raises:  ValueError for a dimension that is None, or no int: inputs of another structure lead to those.
    """
    if shape is not None and not hasattr(shape, "__iter__"):
        raise ValueError(f"Layer '{layer}': the shape of a weight is a tuple. Received: shape={shape}")
    dims = () if shape is None else tuple(shape)
    what = f"Received: shape={dims} for {name or 'a weight'!r}"
    if None in dims:
        raise ValueError(
            f"Layer '{layer}': shapes of weights must be fully-defined (no `None` dimensions). {what}"
        )
    wrong = [d for d in dims if not hasattr(d, "__index__")]
    if wrong:
        raise ValueError(f"Layer '{layer}': {wrong[0]!r} is no dimension of a weight's shape. {what}")
    return dims
