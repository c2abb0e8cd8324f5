"""Many small arrays as one compressed file: their bytes in one array, and an index in their order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def save(path: Path, results: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Write the arrays of each name."""
    pairs = [(name, np.asarray(leaf)) for name, leaves in results.items() for leaf in leaves]
    index = json.dumps([(name, leaf.dtype.name, leaf.shape) for name, leaf in pairs]).encode()
    data = b"".join(leaf.tobytes() for _, leaf in pairs)
    np.savez_compressed(
        path, **{k: np.frombuffer(v, np.uint8) for k, v in (("index", index), ("data", data))}
    )


def load(path: Path) -> dict[str, list[np.ndarray]]:
    """What `save` wrote."""
    with np.load(path) as stored:
        data, index = stored["data"].tobytes(), json.loads(stored["index"].tobytes())
    found: dict[str, list[np.ndarray]] = {}
    offset = 0
    for name, dtype, shape in index:
        array = np.frombuffer(data, np.dtype(dtype), int(np.prod(shape)), offset).reshape(shape)
        offset += array.nbytes
        found.setdefault(name, []).append(array)
    return found


# --- nested structures --------------------------------------------------------------------------------------


def taken_apart(value: Any, arrays: list[np.ndarray]) -> Any:
    """Plain data in the place of a structure, whose arrays go into the list."""
    if isinstance(value, dict):
        return {"dict": {k: taken_apart(v, arrays) for k, v in value.items()}}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [taken_apart(v, arrays) for v in value]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return {"plain": value}
    arrays.append(np.asarray(value))
    return {"array": len(arrays) - 1}


def put_together(form: Any, arrays: Sequence[np.ndarray]) -> Any:
    """The structure that `taken_apart` was given."""
    [(kind, value)] = form.items()
    if kind == "dict":
        return {k: put_together(v, arrays) for k, v in value.items()}
    if kind in ("list", "tuple"):
        items = [put_together(v, arrays) for v in value]
        return items if kind == "list" else tuple(items)
    return arrays[value] if kind == "array" else value
