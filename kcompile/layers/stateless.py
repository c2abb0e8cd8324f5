"""`Layer.stateless_call`: a layer as a function of its variables' values, which changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kcompile.trace.stateless import StatelessScope, values_in


def stateless_call(
    layer: Any,
    trainable: Sequence[Any],
    non_trainable: Sequence[Any],
    call: Any,
    return_losses: bool,
) -> tuple[Any, ...]:
    """What `call()`, the layer's on some inputs, gives where its variables have these values."""
    if not layer.built:
        raise ValueError(
            f"To call stateless_call, {type(layer).__name__} must be built (i.e. its variables must have "
            "been already created). You can build it by calling it on some data."
        )
    mapping: list[tuple[Any, Any]] = []
    for kind, values in (("trainable_variables", trainable), ("non_trainable_variables", non_trainable)):
        variables = getattr(layer, kind)
        if len(values) != len(variables):
            raise ValueError(
                f"Argument `{kind}` must be a list of tensors corresponding 1:1 to "
                f"{type(layer).__name__}().{kind}. Received list with length {len(values)}, but expected "
                f"{len(variables)} variables."
            )
        mapping.extend(zip(variables, values, strict=True))
    scope = StatelessScope(mapping, collect_losses=return_losses)
    with _losses_apart(layer), scope:
        outputs = call()
        losses = layer.losses if return_losses else []
    found = outputs, values_in(scope, layer.non_trainable_variables)
    return (*found, losses) if return_losses else found


@contextmanager
def _losses_apart(layer: Any) -> Iterator[None]:
    """What is given to `add_loss` inside is forgotten, what was there before is there again."""
    before = [(inner, list(inner._losses)) for inner in layer._flatten_layers()]
    try:
        yield
    finally:
        for inner, losses in before:
            inner._losses[:] = losses
