"""Whole numbers among a user's arguments: one question of ops, initializers and training."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

from kcompile.core.errors import ArgumentError
from kcompile.core.showing import shown

Extents = Any  # of a tensor: an int, or several of them in a tuple, a list or a tensor


def whole(name: str, value: Any, *, of: str = "", least: int | None = None, received: Any = None) -> int:
    """An argument as an int. of: whose argument it is; received: all of it, if `value` is a part.

    Raises:  ArgumentError for a fraction or what else is no int, and for one below `least`.

    >>> import numpy as np
    >>> whole("strides", np.int64(2), of="max_pool", least=1)
    2
    >>> whole("steps", 2.5)
    Traceback (most recent call last):
    ...
    kcompile.core.errors.ArgumentError: `steps` must be an integer. Received: steps=2.5 (of type float)
    """
    try:
        number = int(operator.index(value))  # True stands for 1
    except (TypeError, NotImplementedError):
        number = None
    if number is not None and (least is None or number >= least):
        return number
    given = value if received is None else received
    ints = "an integer" if received is None else "an integer, or several"
    wanted = ints if number is None else f"at least {least}"
    raise ArgumentError(
        f"{of + ': ' if of else ''}`{name}` must be {wanted}. Received: {name}={shown(given)} (of type "
        f"{type(given).__name__})"
    )


def wholes(name: str, values: Any, *, of: str = "", least: int | None = None) -> tuple[int, ...]:
    """One int, or a sequence of them, as a tuple.

    >>> wholes("shape", 3), wholes("shape", [2, 3])
    ((3,), (2, 3))
    """
    several = isinstance(values, Iterable) and getattr(values, "shape", None) != ()
    many = tuple(values) if several else (values,)
    return tuple(whole(name, v, of=of, least=least, received=values) for v in many)
