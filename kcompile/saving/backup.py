"""What a training needs to go on, in one file: a weights file, and beside the weights where `fit` stands.

One file, because two could not be replaced at once: a process that is killed leaves the old one or the new
one. Before its data it has their checksum.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kcompile.core.files import replacing
from kcompile.saving import checksums, safe_json
from kcompile.saving.safe_hdf5 import open_group
from kcompile.saving.state import optimizers_of
from kcompile.saving.weights import TRAINING, read_weights, write_weights

NOTES = "notes"
OPTIMIZERS = "optimizers"  # in the notes: what each has slots for


def save_training(
    model: Any, path: str, notes: Mapping[str, Any] | None, arrays: Mapping[str, np.ndarray]
) -> None:
    """Replace a file by weights, optimizer, notes (plain data; None: no more) and arrays by name."""
    training = None
    if notes is not None:
        notes = {**notes, OPTIMIZERS: _optimized(model)}
        training = {NOTES: np.frombuffer(json.dumps(notes).encode(), np.uint8), **arrays}
    with replacing(path) as file:
        write_weights(model, file, training, room=checksums.ROOM)
        checksums.seal(file)


def load_training(model: Any, path: str) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
    """Load weights and optimizer; the notes and arrays, None for a file that has none, as Keras writes it.

    Raises:  ValueError for a file that is damaged or does not fit the model.
    """
    name = os.path.basename(path)
    checksums.check_seal(path)
    opened, root = open_group(Path(path), name)
    with opened:
        group = root.group(TRAINING)
        found = None
        if group is not None:
            arrays = {key: group.read(key) for key in group.names()}
            if NOTES not in arrays:
                raise safe_json.refused(f"{name}: {TRAINING}", "no notes", "notes")
            found = safe_json.parse(arrays.pop(NOTES).tobytes(), f"{name}: {TRAINING}/{NOTES}"), arrays
            _make_slots(model, found[0])
        read_weights(model, root, name)
    return found


def _optimized(model: Any) -> dict[str, list[int]]:
    """For each optimizer with slots, by its path, the positions of its variables among those of the model."""
    positions = {variable: k for k, variable in enumerate(model.variables)}
    return {
        path: [positions.get(v, -1) for v in holder._trainable_variables]
        for path, holder in optimizers_of(model)
        if holder.built
    }


def _make_slots(model: Any, notes: Any) -> None:
    """Have the optimizers built that were. What does not fit is left to whoever reads the slots."""
    found = notes.get(OPTIMIZERS) if isinstance(notes, dict) else None
    known = found if isinstance(found, dict) else {}
    variables = dict(enumerate(model.variables))
    for path, holder in optimizers_of(model):
        places = known.get(path)
        if holder.built or not isinstance(places, list) or not places:
            continue
        if all(type(k) is int and k in variables for k in places) and len({*places}) == len(places):
            holder.build([variables[k] for k in places])
