"""Texts as lists of word numbers: the choices that `imdb.load_data` and `reuters.load_data` share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Texts = list[list[int]]


def shuffled(texts: Any, labels: Any, rng: np.random.RandomState) -> tuple[Any, Any]:
    """Texts and labels in the same new order."""
    order = np.arange(len(texts))
    rng.shuffle(order)
    return texts[order], labels[order]


def numbered(texts: Any, start_char: int | None, index_from: int) -> Texts:
    """Word numbers moved up by `index_from`, with `start_char` before each text."""
    start = [] if start_char is None else [start_char]
    return [start + [int(word) + (index_from or 0) for word in text] for text in texts]


def shorter(texts: Texts, labels: Any, maxlen: int | None) -> tuple[Texts, Any]:
    """Only the texts of fewer than `maxlen` words."""
    if not maxlen:
        return texts, labels
    kept = [k for k, text in enumerate(texts) if len(text) < maxlen]
    return [texts[k] for k in kept], [labels[k] for k in kept]


def limited(texts: Texts, num_words: int | None, skip_top: int, oov_char: int | None) -> Texts:
    """Words outside of [skip_top, num_words) as `oov_char`, or left out if that is None."""
    if not num_words:
        num_words = max((max(text) for text in texts if text), default=0)
    if oov_char is None:
        return [[word for word in text if skip_top <= word < num_words] for text in texts]
    return [[word if skip_top <= word < num_words else oov_char for word in text] for text in texts]


def as_objects(texts: Sequence[list[int]]) -> np.ndarray:
    """Lists as the elements of an array, whatever their lengths."""
    found = np.empty(len(texts), dtype=object)
    for k, text in enumerate(texts):
        found[k] = text
    return found
