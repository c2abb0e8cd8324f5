"""Sequences of different lengths as one array."""

from __future__ import annotations

from typing import Any

import numpy as np


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Sequences cut or filled up to one length.

    Shapes:  (samples,) sequences of (steps, a...) -> (samples, maxlen, a...).
    Args:    maxlen: the length; that of the longest by default. padding, truncating: "pre" fills or cuts at
             the beginning, "post" at the end. value: what fills; for text with `dtype=object`.
    Raises:  ValueError for what is no list of sequences, for elements of different shapes, and for other
             names.

    >>> pad_sequences([[1], [2, 3]]).tolist(), pad_sequences([[1], [2, 3, 4]], 2, padding="post").tolist()
    ([[0, 1], [2, 3]], [[1, 0], [3, 4]])
    """
    if not hasattr(sequences, "__len__"):
        raise ValueError("`sequences` must be iterable.")
    for x in sequences:
        if not hasattr(x, "__len__"):
            raise ValueError(f"`sequences` must be a list of iterables. Found non-iterable: {x}")
    of_text = dtype is object or np.dtype(dtype).kind in "USO"
    if isinstance(value, str) and not of_text:
        raise ValueError(
            f"`dtype` {dtype} is not compatible with `value`'s type: {type(value)}\nYou should set "
            "`dtype=object` for variable length strings."
        )
    shape = next((np.asarray(x).shape[1:] for x in sequences if len(x)), ())
    length = max(map(len, sequences)) if maxlen is None else maxlen
    out = np.full((len(sequences), length, *shape), value, dtype=dtype)
    for place, sequence in enumerate(sequences):
        if not len(sequence):
            continue
        kept = np.asarray(_cut(sequence, length, truncating), dtype=dtype)
        if kept.shape[1:] != shape:
            raise ValueError(
                f"Shape of sample {kept.shape[1:]} of sequence at position {place} is different from "
                f"expected shape {shape}"
            )
        out[place, _filled(len(kept), length, padding)] = kept
    return out


def _cut(sequence: Any, length: int, truncating: str) -> Any:
    if truncating not in ("pre", "post"):
        raise ValueError(f'Truncating type "{truncating}" not understood')
    return sequence[:length] if truncating == "post" else sequence[-length:]


def _filled(size: int, length: int, padding: str) -> slice:
    if padding not in ("pre", "post"):
        raise ValueError(f'Padding type "{padding}" not understood')
    return slice(0, size) if padding == "post" else slice(length - size, length)
