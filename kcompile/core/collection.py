"""Building large structures without the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collection() -> Iterator[None]:
    """Without garbage collection inside.

    Graphs, expressions and Numba's objects live long, and looking through them again and again took a third
    of the time to plan a network of hundreds of kernels.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
