"""All of a model's numbers as nested dicts, by the variables' paths."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core.errors import unknown_name

FORMATS = ("numpy_array", "backend_tensor")  # both are NumPy arrays here


def get_state_tree(model: Any, value_format: str = "backend_tensor") -> dict[str, Any]:
    """The variables of a model, its optimizer and its metrics; see `Model.get_state_tree`."""
    if value_format not in FORMATS:
        raise ValueError(
            f"Invalid `value_format` argument. Expected one of {set(FORMATS)}. Received: "
            f"value_format={value_format}"
        )
    found: dict[str, Any] = {}
    for group, variables in _groups(model).items():
        found[group] = {}
        for path, variable in variables.items():
            *outer, last = path.split("/")
            place = found[group]
            for name in outer:
                place = place.setdefault(name, {})
            place[last] = variable.numpy()
    return found


def set_state_tree(model: Any, state_tree: dict[str, Any]) -> None:
    """Assign what `get_state_tree` returned, or a part of it.

    Raises:  ValueError for a group or a path that the model has not; nothing is assigned then.
    """
    groups = _groups(model)
    changes = []
    for group, values in state_tree.items():
        if group not in groups:
            raise unknown_name("part of a state tree", group, list(groups))
        for path, value in _leaves(values):
            if path not in groups[group]:
                raise unknown_name(f"path in {group}", path, list(groups[group]))
            changes.append((groups[group][path], np.asarray(value)))
    for variable, value in changes:
        variable.assign(value)


def _groups(model: Any) -> dict[str, dict[str, Any]]:
    optimizer = model.optimizer
    parts = {
        "trainable_variables": model.trainable_variables,
        "non_trainable_variables": model.non_trainable_variables,
        "optimizer_variables": [] if optimizer is None else optimizer.variables,
        "metrics_variables": model.metrics_variables,
    }
    return {group: {v.path: v for v in variables} for group, variables in parts.items()}


def _leaves(values: Any, path: str = "") -> Any:
    if not isinstance(values, dict):
        yield path, values
        return
    for name, value in values.items():
        yield from _leaves(value, f"{path}/{name}" if path else name)
