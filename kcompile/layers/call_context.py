"""What holds for everything inside one outermost call: whether it trains."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_local = threading.local()


class CallContext:
    """The outermost layer of the call in progress, and the innermost `training`."""

    def __init__(self, entry_layer: Any):
        self.entry_layer = entry_layer
        self.training: bool | None = None


def current() -> CallContext | None:
    return getattr(_local, "context", None)


@contextmanager
def entered(layer: Any) -> Iterator[CallContext]:
    """The context of a call of `layer`; an outermost call makes a new one and forgets losses."""
    outer = current()
    if outer is None:
        _local.context = CallContext(layer)
        layer._clear_losses()
    context = _local.context
    training = context.training
    try:
        yield context
    finally:
        context.training = training
        if outer is None:
            _local.context = None
