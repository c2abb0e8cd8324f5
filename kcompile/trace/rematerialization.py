"""`remat` and `RematScope`: accepted, because the compiler itself decides what to compute again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

MODES = ("full", "activations", "larger_than", "list_of_layers", None)


def remat(f: Callable[..., Any]) -> Callable[..., Any]:
    """f itself. For every value that the backward pass needs, the compiler chooses between keeping it and
    computing it again, whichever costs less; a wish cannot improve on that.
    """
    return f


class RematScope:
    """A `with` block that changes nothing: see `remat`.

    Args:    mode: "full", "activations", "larger_than", "list_of_layers" or None. output_size_threshold,
             layer_names: which layers the last two modes mean.
    Raises:  ValueError for another mode.
    """

    def __init__(
        self,
        mode: str | None = "full",
        output_size_threshold: int = 1024,
        layer_names: Sequence[str] | None = None,
    ):
        if mode not in MODES:
            raise ValueError(f"Invalid mode '{mode}'. Supported modes are: {', '.join(map(repr, MODES))}.")
        self.mode, self.output_size_threshold = mode, output_size_threshold
        self.layer_names = list(layer_names or ())

    def __enter__(self) -> RematScope:
        return self

    def __exit__(self, *_: object) -> None:
        pass
