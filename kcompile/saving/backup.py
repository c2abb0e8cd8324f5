"""What a training needs to go on, in one file: a weights file, and beside the weights where `fit` stands.

One file, because two could not be replaced at once: a process that is killed leaves the old one or the new
one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kcompile.core.files import replacing
from kcompile.saving import safe_json
from kcompile.saving.safe_hdf5 import open_group
from kcompile.saving.weights import TRAINING, read_weights, write_weights

NOTES = "notes"


def save_training(
    model: Any, path: str, notes: Mapping[str, Any] | None, arrays: Mapping[str, np.ndarray]
) -> None:
    """Replace a file by weights, optimizer, notes (plain data; None: no more) and arrays by name."""
    training = None
    if notes is not None:
        training = {NOTES: np.frombuffer(json.dumps(notes).encode(), np.uint8), **arrays}
    with replacing(path) as file:
        write_weights(model, file, training)


def load_training(model: Any, path: str) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
    """Load weights and optimizer; the notes and arrays, None for a file that has none, as Keras writes it.

    Raises:  ValueError for a file that is damaged or does not fit the model.
    """
    name = os.path.basename(path)
    opened, root = open_group(Path(path), name)
    with opened:
        group = root.group(TRAINING)
        found = None
        if group is not None:
            arrays = {key: group.read(key) for key in group.names()}
            if NOTES not in arrays:
                raise safe_json.refused(f"{name}: {TRAINING}", "no notes", "notes")
            found = safe_json.parse(arrays.pop(NOTES).tobytes(), f"{name}: {TRAINING}/{NOTES}"), arrays
        read_weights(model, root, name)
    return found
