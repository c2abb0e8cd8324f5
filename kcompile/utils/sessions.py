"""What is common to everything that runs in a process: seeds and automatic names."""

from __future__ import annotations

import random as python_random

import numpy as np

from kcompile.random import reset_global_seed_generator
from kcompile.trace import naming


def set_random_seed(seed: int) -> None:
    """Make initial weights, dropout and the order of samples the same in every run.

    Seeds Python's `random` and NumPy's global generator, from which all seeds of the library are drawn.

    Raises:  ValueError unless `seed` is an integer.

    >>> set_random_seed(1); a = np.random.rand()
    >>> set_random_seed(1); a == np.random.rand()
    True
    """
    if not isinstance(seed, int):
        raise ValueError(
            f"Expected `seed` argument to be an integer. Received: seed={seed} (of type {type(seed)})"
        )
    python_random.seed(seed)
    np.random.seed(seed)
    reset_global_seed_generator()


def clear_session(free_memory: bool = True) -> None:
    """Count automatic names from the start: the next Dense is "dense" again; and a new global generator."""
    naming.reset()
    reset_global_seed_generator()
