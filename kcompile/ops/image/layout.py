"""What image ops share: checks of arguments, and single or channels-first images as (n, h, w, c)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kcompile.core.config import data_format_of
from kcompile.ops import elementwise as ew
from kcompile.ops import movement


def one_of(name: str, value: Any, allowed: Sequence[str]) -> str:
    """`value`, if it is among `allowed`."""
    if value not in allowed:
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected one of {set(allowed)}. Received: {name}={value}"
        )
    return value


def check_rank(images: Any, name: str = "images", ranks: tuple[int, ...] = (3, 4)) -> None:
    if len(images.shape) not in ranks:
        raise ValueError(
            f"Invalid {name} rank: expected rank 3 (single image) or rank 4 (batch of images). "
            f"Received input with shape: {name}.shape={images.shape}"
        )


def channels_last(op: str, images: Any, data_format: str | None) -> tuple[Any, Callable[[Any], Any]]:
    """Images as (n, h, w, c), and the function that brings a result into the given form."""
    x = ew.as_tensor(images)
    check_rank(x)
    first, single = data_format_of(data_format) == "channels_first", len(x.shape) == 3
    if single:
        x = movement.expand_dims(x, 0)
    if first:
        x = movement.transpose(x, (0, 2, 3, 1))

    def restore(y: Any) -> Any:
        y = movement.transpose(y, (0, 3, 1, 2)) if first else y
        return movement.squeeze(y, 0) if single else y

    return x, restore


def channel_axis(data_format: str | None) -> int:
    return -3 if data_format_of(data_format) == "channels_first" else -1
