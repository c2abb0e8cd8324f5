"""What users give a functional model, brought into the order of its inputs."""

from __future__ import annotations

import warnings
from typing import Any

from kcompile.core import tree
from kcompile.core.errors import ShapeError, message
from kcompile.trace.keras_tensor import KerasTensor, known_shape


def flat_inputs(given: Any, wanted: Any, names: list[str], model: str) -> list[Any]:
    """The tensors in `given` for the inputs in the structure `wanted`, in its order.

    A list may be given for a dict if the dict's keys are sorted, and a dict for a list, by the inputs' names.

    Raises:  ValueError where something is missing or cannot be told apart.
    """
    if isinstance(given, dict) and not isinstance(wanted, dict):
        _check_keys(given, names)
        if isinstance(wanted, KerasTensor) or any(map(tree.is_nested, wanted)):
            warnings.warn(_mismatch(given, wanted, model), stacklevel=4)
        return [given[name] for name in names]
    if isinstance(wanted, dict) and not isinstance(given, dict):
        if list(wanted) != sorted(wanted):
            raise ValueError(
                _mismatch(given, wanted, model, hint=f"give a dict with the keys {list(wanted)}")
            )
        warnings.warn(_mismatch(given, wanted, model), stacklevel=4)
        return tree.flatten(given)
    if isinstance(wanted, dict):
        picked = _pick(given, wanted, model)
        if not _same_form(given, wanted):  # what is more than wanted is left alone
            warnings.warn(_mismatch(given, wanted, model), stacklevel=4)
        return picked
    flat = tree.flatten(given)
    if len(flat) != len(names):
        hint = f"give {names[0]!r} alone" if len(names) == 1 else f"give a list of {names}, in this order"
        raise ShapeError(_mismatch(given, wanted, model, hint))
    alone = len(names) == 1 and not tree.is_nested(given) and isinstance(wanted, (list, tuple))
    if not alone and not _same_form(given, wanted):
        warnings.warn(_mismatch(given, wanted, model), stacklevel=4)
    return flat


def _same_form(given: Any, wanted: Any) -> bool:
    """Are they nested alike? Lists and tuples are the same here."""
    if isinstance(wanted, dict):
        same = isinstance(given, dict) and given.keys() == wanted.keys()
        return same and all(_same_form(given[key], wanted[key]) for key in wanted)
    if isinstance(wanted, (list, tuple)):
        same = isinstance(given, (list, tuple)) and len(given) == len(wanted)
        return same and all(map(_same_form, given, wanted))
    return not tree.is_nested(given)


def _pick(given: Any, wanted: Any, model: str) -> list[Any]:
    """What `wanted` has, of what is given; more may be given."""
    if isinstance(wanted, dict):
        if not isinstance(given, dict):
            raise ValueError(_mismatch(given, wanted, model))
        _check_keys(given, list(wanted))
        return [x for key in sorted(wanted) for x in _pick(given[key], wanted[key], model)]
    if isinstance(wanted, (list, tuple)):
        if not isinstance(given, (list, tuple)) or len(given) != len(wanted):
            raise ValueError(_mismatch(given, wanted, model))
        return [x for pair in zip(given, wanted, strict=True) for x in _pick(*pair, model)]
    return [given]


def _check_keys(given: dict[str, Any], names: list[str]) -> None:
    for name in names:
        if name not in given:
            raise ValueError(
                f'Missing data for input "{name}". You passed a data dictionary with keys {list(given)}. '
                f"Expected the following keys: {names}"
            )


def _mismatch(given: Any, wanted: Any, model: str, hint: str = "") -> str:
    def shape(x: Any) -> Any:
        return f"Tensor(shape={known_shape(x.shape)})" if hasattr(x, "shape") else repr(x)

    return message(
        f"The structure of the inputs is not that of the model '{model}'.",
        expected=f"{tree.map_structure(lambda x: x.name, wanted)}",
        received=f"{tree.map_structure(shape, given)}",
        hint=hint,
    )


def possible_batches(model: Any, batches: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of batches that a model takes: these, or the one that its inputs were made for."""
    first = [x.shape[0] for x in getattr(model, "inputs", None) or [] if x.shape]
    fixed = {size for size in first if size is not None}
    return tuple(fixed) or batches
