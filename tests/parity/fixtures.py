"""The numbers of real Keras, made by `make_training_fixtures.py`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np


@cache
def training() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parent / "training.npz") as file:
        return dict(file)
