"""How a message shows an argument: a tensor by its dtype and shape, anything else as Python writes it."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np

_LENGTH = 60  # of an argument as it is shown


def shown(x: Any) -> str:
    """An argument in a message: a tensor by its dtype and shape, anything else as Python writes it.

    >>> shown(np.zeros((2, 3))), shown("valid"), shown([np.zeros(2), (1,)])
    ('float64(2, 3)', "'valid'", '[float64(2,), (1,)]')
    """
    try:
        text = _described(x)
    except Exception:  # whatever its class does there: the error to tell is another one
        text = f"<{type(x).__name__}>"
    return text if len(text) <= _LENGTH else f"{text[: _LENGTH - 3]}..."


def _described(x: Any) -> str:
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return f"{np.dtype(x.dtype).name if isinstance(x, np.ndarray) else x.dtype}{tuple(x.shape)}"
    return _listed(x) if isinstance(x, (list, tuple, dict)) else repr(x)


def _listed(xs: list[Any] | tuple[Any, ...] | dict[Any, Any]) -> str:
    """A collection in a message, the tensors in it by their shapes; not more of it than is shown."""
    if isinstance(xs, dict):
        return f"{{{', '.join(f'{key!r}: {shown(x)}' for key, x in islice(xs.items(), _LENGTH))}}}"
    inside = ", ".join(map(shown, islice(xs, _LENGTH)))
    if isinstance(xs, list):
        return f"[{inside}]"
    return f"({inside},)" if len(xs) == 1 else f"({inside})"
