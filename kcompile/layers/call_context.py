"""What holds for everything inside one outermost call: whether it trains."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kcompile.core.errors import message

_local = threading.local()


class CallContext:
    """The outermost layer of the call in progress, and the innermost `training`."""

    def __init__(self, entry_layer: Any):
        self.entry_layer = entry_layer
        self.training: bool | None = None


def current() -> CallContext | None:
    return getattr(_local, "context", None)


@contextmanager
def call_limit(limit: int, what: str) -> Iterator[None]:
    """Inside, more than `limit` calls of layers are refused: models inside of models that call each other
    ten times each need few bytes of a file.
    """
    outer, _local.room = getattr(_local, "room", None), [limit, what]
    try:
        yield
    finally:
        _local.room = outer


def _count(room: list[Any], layer: Any) -> None:
    room[0] -= 1
    if room[0] < 0:
        raise ValueError(message(f"Layers are called more often than {room[1]}.", at=f"layer {layer.name!r}"))


@contextmanager
def entered(layer: Any) -> Iterator[CallContext]:
    """The context of a call of `layer`; an outermost call makes a new one and forgets losses."""
    room = getattr(_local, "room", None)
    if room is not None:
        _count(room, layer)
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
