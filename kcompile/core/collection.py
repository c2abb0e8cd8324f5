"""Building large structures without the garbage collector."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

LONG = 0.5  # seconds of building, which leave so much behind that looking through it takes a while

_is_owed = False  # a collection, of what a long building has left


@contextmanager
def paused_collection() -> Iterator[None]:
    """Without garbage collection inside, nor at once after much was built.

    Graphs, expressions and Numba's objects live long, and looking through them again and again took a third
    of the time to plan a network of hundreds of kernels. What compiling them has left takes 0.3 s to look
    through, which would come at the next object that is made, right before the first training step. So it
    becomes old without being looked at, and is collected before the next building, if not earlier.
    """
    global _is_owed
    if not gc.isenabled():  # inside of another one, or the user wants it so
        yield
        return
    if _is_owed:
        _is_owed = False
        gc.collect()
    began = time.monotonic()
    gc.disable()
    try:
        yield
    finally:
        if time.monotonic() - began >= LONG and not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()  # all that was frozen belongs to the oldest generation now
            _is_owed = True
        gc.enable()
