"""Many small arrays as one compressed file: their bytes in one array, and an index in their order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

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
