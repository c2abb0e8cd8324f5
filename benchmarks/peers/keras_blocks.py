"""Blocks that are measured alone, in Keras's words."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from benchmarks.block import Block, Named
from benchmarks.workloads import Workload


def block(keras: Any, work: Workload) -> tuple[Callable[..., Any], list[Any]]:
    """What takes inputs to the output of a workload that is one block, and its layer if that has weights."""
    (one,) = work.layers
    assert isinstance(one, Block)
    found = made(keras, one.keras)
    if one.is_loss:
        return lambda x, targets: found(targets, x), []
    if one.keras.name.startswith("ops."):
        return found, []

    def call(*inputs: Any) -> Any:
        given = inputs if one.apart or len(inputs) == 1 else (list(inputs),)
        return found(*given, training=True)

    if not one.weights:
        return call, []
    call(keras.Input(work.input_shape), *(keras.Input(other.shape) for other in one.others))
    return call, [found]


def made(keras: Any, part: Named) -> Any:
    """The layer, the loss, or the function with its options given."""
    arguments = [made(keras, one) if isinstance(one, Named) else one for one in part.arguments]
    if "." not in part.name:
        return getattr(keras.layers, part.name)(*arguments, **part.options)
    found = attrgetter(part.name)(keras)
    if part.name.startswith("ops."):
        return lambda *inputs: found(*inputs, *arguments, **part.options)
    return found(*arguments, **part.options)
