"""The arguments of one layer call, bound to the names of `call`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from kcompile.core import dtypes, tree
from kcompile.ir.graph import Value
from kcompile.ops.public import Symbolic
from kcompile.trace.keras_tensor import KerasTensor, known_shape
from kcompile.trace.masks import mask_of, set_mask


class Signature:
    """The parameters of a `call` method, without `self`."""

    def __init__(self, function: Callable[..., Any]):
        parameters = list(inspect.signature(function).parameters.values())[1:]
        self.signature = inspect.Signature(parameters)
        self.names = [p.name for p in parameters]
        self.has_training = "training" in self.names
        default = self.signature.parameters["training"].default if self.has_training else None
        self.default_training = None if default is inspect.Parameter.empty else default


@cache
def signature_of(function: Callable[..., Any]) -> Signature:
    return Signature(function)


def is_tensor(x: Any) -> bool:
    return isinstance(x, (np.ndarray, Value, Symbolic, np.generic)) or hasattr(x, "__array__")


def check_positional(args: tuple[Any, ...]) -> None:
    for x in tree.flatten(list(args)):
        if x is not None and not is_tensor(x):
            raise ValueError(
                "Only input tensors may be passed as positional arguments. The following argument value "
                f"should be passed as a keyword argument: {x} (of type {type(x)})"
            )


class CallSpec:
    """Bound arguments: `arguments` by name as the user gave them, `first` the first of them.

    records_all: whether a functional model records what was filled in, masks and `training`, as arguments.
    """

    def __init__(
        self,
        signature: Signature,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        records_all: bool = True,
    ):
        self.signature, self.records_all = signature, records_all
        self._filled: dict[str, bool] = {}  # what was filled in; whether None had been given for it
        self.positional = len(args)
        self.training = kwargs.get("training")
        if not signature.has_training:  # as in Keras, a `call` that takes anything is not told either
            kwargs = {k: v for k, v in kwargs.items() if k != "training"}
        self.bound = signature.signature.bind(*args, **kwargs)
        self.arguments = self.bound.arguments
        self.first = args[0] if args else next(iter(self.arguments.values()), None)

    def as_written(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional arguments as the user gave them, all others by name: what a functional model records."""
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for name, value in self.arguments.items():
            if name in self._filled and not self.records_all:
                if not self._filled[name]:
                    continue
                value = None
            kind = self.signature.signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                args.extend(value)
            elif kind is inspect.Parameter.VAR_KEYWORD:
                kwargs.update(value)
            elif len(args) < self.positional:
                args.append(value)
            else:
                kwargs[name] = value
        return tuple(args), kwargs

    def tensors(self) -> dict[str, Any]:
        """The arguments made of tensors, alone or nested."""
        found = {}
        for name, value in self.arguments.items():
            leaves = [x for x in tree.flatten(value) if x is not None]
            if leaves and all(is_tensor(x) for x in leaves):
                found[name] = value
        return found

    def fill_masks(self) -> None:
        """Give `call` the masks of its tensors: `mask` if there is one tensor only, else `<name>_mask`."""
        tensors = self.tensors()
        for name, value in tensors.items():
            wanted = "mask" if len(tensors) == 1 else f"{name}_mask"
            if wanted in self.signature.names and self.arguments.get(wanted) is None:
                self._filled[wanted] = wanted in self.arguments
                self.arguments[wanted] = tree.map_structure(mask_of, value)

    def previous_mask(self) -> Any:
        """What the masks of the outputs are made of: the argument `mask`, else those of the first input."""
        given = self.arguments.get("mask")
        return tree.map_structure(mask_of, self.first) if given is None else given

    def fill_training(self, context: Any) -> None:
        """`training` is what was given, else what the surrounding call says, else the default of `call`."""
        training = context.training if self.training is None else self.training
        if training is None:
            training = self.signature.default_training
        context.training = training
        if self.signature.has_training and training is not None:
            if self.training is None:
                self._filled["training"] = "training" in self.arguments
            self.arguments["training"] = training

    def shapes(self, known: Callable[[Any], tuple[int | None, ...]] = known_shape) -> dict[str, Any]:
        """`<name>_shape` for every tensor argument but `mask` and masks that were filled in; dimensions are
        None that are not `known`.
        """
        given = {k: v for k, v in self.tensors().items() if k != "mask" and k not in self._filled}
        return {f"{name}_shape": shape_of(value, known) for name, value in given.items()}

    def placeholders(self) -> dict[str, Any]:
        """Placeholders for all tensor arguments but masks."""
        return {
            name: tree.map_structure(_placeholder, value) for name, value in self._without_masks().items()
        }

    def _without_masks(self) -> dict[str, Any]:
        return {name: value for name, value in self.tensors().items() if not name.endswith("mask")}


def _placeholder(x: Any) -> KerasTensor | None:
    if x is None:
        return None
    text = isinstance(x, np.ndarray) and dtypes.is_text(x)
    return KerasTensor(known_shape(getattr(x, "shape", ())), dtypes.STRING if text else x.dtype)


def shape_of(structure: Any, known: Callable[[Any], tuple[int | None, ...]] = known_shape) -> Any:
    """Shapes in the place of tensors."""
    return tree.map_structure(lambda x: None if x is None else known(getattr(x, "shape", ())), structure)


def is_as_it_is(args: tuple[Any, ...], kwargs: dict[str, Any], dtype: str) -> bool:
    """Is it a call on one tensor of the layer's dtype? Keras records masks and `training` of such."""
    if kwargs or len(args) != 1 or not is_tensor(args[0]):
        return False
    given = getattr(args[0], "dtype", None)
    return getattr(given, "name", given) == dtype


def converted(x: Any, dtype: str | None) -> Any:
    """An argument of a call: arrays of any library as NumPy's, floats in `dtype` unless it is None."""
    if isinstance(x, KerasTensor):
        return _cast(x, dtype) if dtype and dtypes.is_float(x.dtype) and x.dtype != dtype else x
    method = getattr(x, "__kcompile_value__", None)
    x = x if method is None else method()
    if not isinstance(x, Value):
        if not is_tensor(x):
            return x
        x = x if isinstance(x, np.ndarray) else np.asarray(x)
        if dtypes.is_text(x):
            return x
    name = x.dtype if isinstance(x, Value) else dtypes.standardize(x.dtype)
    return _cast(x, dtype) if dtype and name != dtype and dtypes.is_float(name) else x


def _cast(x: Any, dtype: str) -> Any:
    from kcompile import ops

    mask, y = mask_of(x), ops.cast(x, dtype)
    return y if mask is None else set_mask(y, mask)
