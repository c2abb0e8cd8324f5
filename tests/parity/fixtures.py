"""The numbers of real Keras, made by `make_training_fixtures.py` and `make_block_fixtures.py`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent


@cache
def training() -> dict[str, np.ndarray]:
    with np.load(HERE / "training.npz") as file:
        return dict(file)


@cache
def block_texts(family: str) -> dict[str, Any]:
    """Configs, names, shapes and dtypes by case."""
    return json.loads((HERE / "blocks" / f"{family}.json").read_text())


@cache
def block_arrays(family: str) -> dict[str, np.ndarray]:
    """Numbers by "<number of the case>" or "<number> <what>"."""
    with np.load(HERE / "blocks" / f"{family}.npz") as file:
        return dict(file)
