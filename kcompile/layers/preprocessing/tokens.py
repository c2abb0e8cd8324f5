"""Texts as lists of tokens: standardized, split, joined to n-grams. All on bytes, as TensorFlow does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

PUNCTUATION = b"!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'"
LOWER = ("lower", "lower_and_strip_punctuation")
STRIP = ("strip_punctuation", "lower_and_strip_punctuation")


def standardized(texts: np.ndarray, how: Any, encoding: str) -> Any:
    """An array of bytes in lower case (ASCII letters only) or without punctuation; or what `how` returns.

    A callable gets an array of str.
    """
    if callable(how):
        plain = np.array([t.decode(encoding) for t in texts.ravel().tolist()], dtype="U")
        return how(plain.reshape(texts.shape))
    if how is None:
        return texts
    strip = PUNCTUATION if how in STRIP else b""
    out = np.empty(texts.shape, object)
    items = texts.ravel().tolist()
    if how in LOWER:
        items = [t.lower() for t in items]
    out.reshape(-1)[:] = [t.translate(None, strip) for t in items] if strip else items
    return out


def _characters(text: bytes) -> list[bytes]:
    return [c.encode("utf-8") for c in text.decode("utf-8", "replace")]


SPLITS: dict[str, Callable[[bytes], list[bytes]]] = {"whitespace": bytes.split, "character": _characters}


def with_ngrams(tokens: list[bytes], widths: tuple[int, ...] | None) -> list[bytes]:
    """The runs of so many tokens, joined by spaces, width after width.

    >>> with_ngrams([b"a", b"b", b"c"], (1, 2))
    [b'a', b'b', b'c', b'a b', b'b c']
    """
    if widths is None:
        return tokens
    return [b" ".join(tokens[k : k + width]) for width in widths for k in range(len(tokens) - width + 1)]
