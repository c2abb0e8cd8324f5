"""Automatic names: dense, dense_1, dense_2, as Keras counts them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from kcompile.core.errors import ArgumentError

_counts: dict[str, int] = {}


def to_snake_case(name: str) -> str:
    """`BatchNormalization` -> `batch_normalization`, `Conv2D` -> `conv2d`.

    >>> to_snake_case("Conv2D"), to_snake_case("MaxPooling2D"), to_snake_case("ReLU")
    ('conv2d', 'max_pooling2d', 're_lu')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def checked_name(name: object) -> str:
    """`name`, if it can be the name of an object.

    Raises:  ArgumentError for what is no text, or has a "/", which stands between the parts of paths.
    """
    if not isinstance(name, str) or "/" in name:
        raise ArgumentError(
            f"Argument `name` must be a string and cannot contain character `/`. Received: name={name} "
            f"(of type {type(name)})"
        )
    return name


def auto_name(prefix: str) -> str:
    """The next free automatic name for this prefix."""
    prefix = to_snake_case(prefix)
    count = _counts.get(prefix, 0)
    _counts[prefix] = count + 1
    return prefix if count == 0 else f"{prefix}_{count}"


@contextmanager
def uncounted() -> Iterator[None]:
    """What is made in here and thrown away leaves the automatic names as they were.

    >>> with uncounted():
    ...     a = auto_name("thrown_away")
    >>> a == auto_name("thrown_away")
    True
    """
    before = dict(_counts)
    try:
        yield
    finally:
        _counts.clear()
        _counts.update(before)


def reset() -> None:
    """Start counting anew (`keras.utils.clear_session`)."""
    _counts.clear()
