"""Checks of constructor arguments that layers share. All raise ValueError, or ArgumentError for what is of
another type, with the argument's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile.core import config
from kcompile.core.errors import ArgumentError


def positive_int(name: str, value: Any) -> int:
    """`value` as an int above 0."""
    whole = hasattr(value, "__index__") and not isinstance(value, bool)
    if not whole or value <= 0:
        raise (ValueError if whole else ArgumentError)(
            f"Received an invalid value for `{name}`, expected a positive integer. Received: {name}={value}"
        )
    return value


def boolean(name: str, value: Any) -> bool:
    """`value`, which is True or False."""
    if not isinstance(value, bool):
        raise ValueError(
            f"Expected `{name}` to be a boolean. Received: {name}={value} (of type {type(value)})"
        )
    return value


def int_tuple(name: str, value: Any, n: int, allow_zero: bool = False) -> tuple[int, ...]:
    """`value` as n ints: one int stands for all."""
    error = f"The `{name}` argument must be a tuple of {n} integers. Received {name}={value}"
    values = (value,) * n if isinstance(value, int) else value
    try:
        values = tuple(values)
        if len(values) != n or any(int(v) != v for v in values):
            raise ArgumentError(error)
    except (TypeError, ValueError):
        raise ArgumentError(error) from None
    wrong = {v for v in values if v < 0 or (v == 0 and not allow_zero)}
    if wrong:
        test = "value >= 0" if allow_zero else "value > 0"
        raise ArgumentError(f"{error}, including values {wrong} that do not satisfy `{test}`")
    return tuple(int(v) for v in values)


def one_of(name: str, value: Any, allowed: Sequence[str]) -> str:
    """`value` in lower case, if it is among `allowed`."""
    text = value.lower() if isinstance(value, str) else ""
    if text not in allowed:
        raise (ValueError if isinstance(value, str) else ArgumentError)(
            f"The `{name}` argument must be one of {set(allowed)}. Received: {name}={value}"
        )
    return text


def padding_name(value: Any, causal: bool = False) -> str:
    return one_of("padding", value, ("valid", "same", "causal") if causal else ("valid", "same"))


def data_format_name(value: Any) -> str:
    """ "channels_last" or "channels_first"; None means the global setting."""
    return one_of(
        "data_format",
        config.image_data_format() if value is None else value,
        ("channels_first", "channels_last"),
    )


def spatial_pairs(name: str, value: Any, n: int) -> tuple[tuple[int, int], ...]:
    """(before, after) for each of n spatial dimensions: from one int, n ints, or n pairs."""
    error = (
        f"`{name}` should have {n} elements, each an int >= 0 or a tuple of two. Received: {name}={value}."
    )
    if isinstance(value, int):
        value = (value,) * n
    if not isinstance(value, (tuple, list)) or len(value) != n:
        raise ArgumentError(error.replace("have 2 elements", "have two elements"))
    return tuple(int_tuple(name, pair, 2, allow_zero=True) for pair in value)  # type: ignore[misc]


def not_supported(layer: str, **given: Any) -> None:
    """Raise NotImplementedError for options of Keras that are not there yet, if they are used."""
    for name, value in given.items():
        if value is not None and value is not False:
            raise NotImplementedError(f"{layer}: `{name}` is not supported. Received: {name}={value}")
