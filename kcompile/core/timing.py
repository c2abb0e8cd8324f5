"""How long the stages of a compilation take, for KCOMPILE_DEBUG=timings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from kcompile.core import config


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Print the time that the block takes, where that is asked for."""
    started = time.perf_counter()
    yield
    if config.debugs("timings"):
        print(f"{stage}: {(time.perf_counter() - started) * 1e3:.2f} ms")
