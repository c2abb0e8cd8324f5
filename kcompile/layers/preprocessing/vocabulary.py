"""Vocabularies: learned from data, read from files, and looked up on the host and in compiled code."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import serialization

Token = bytes | int
FILE = "vocabulary.txt"
EXACT = "vocabulary.json"  # beside it, where lines cannot hold the tokens


class Vocabulary:
    """Tokens in order; the first of them has the index `start`."""

    def __init__(self, tokens: Iterable[Token], start: int):
        self.tokens, self.start = list(tokens), start
        self._indices: dict[Token, int] | None = None
        self._sorted: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    def indices(self, items: Iterable[Token], default: int) -> np.ndarray:
        """The index of each item, int64: on the host."""
        if self._indices is None:
            self._indices = {token: k for k, token in enumerate(self.tokens, self.start)}
        get = self._indices.get
        return np.array([get(item, default) for item in items], "int64")

    def find(self, x: Any, default: int) -> Any:
        """The index of each int of an array or traced value, int64: a binary search in the sorted tokens."""
        if not self.tokens:
            return ops.full_like(x, default)
        keys, indices = self._sorted_tokens()
        place = ops.zeros_like(x)
        step = len(keys) // 2 + 1
        while step:  # the number of keys is a power of two less one, so that no step leaves them
            reached = ops.less(ops.take(keys, place + np.int64(step - 1)), x)
            place = ops.where(reached, place + np.int64(step), place)
            step //= 2
        place = ops.minimum(place, np.int64(len(self.tokens) - 1))
        return ops.where(ops.equal(ops.take(keys, place), x), ops.take(indices, place), np.int64(default))

    def _sorted_tokens(self) -> tuple[np.ndarray, np.ndarray]:
        """Tokens in ascending order, filled up with the largest int, and their indices."""
        if self._sorted is None:
            tokens = np.array(self.tokens, "int64")
            order = np.argsort(tokens)
            size = (1 << len(tokens).bit_length()) - 1
            keys = np.full(size, np.iinfo("int64").max)
            keys[: len(tokens)] = tokens[order]
            self._sorted = keys, order + self.start
        return self._sorted


class Counts:
    """What `adapt` has seen: how often each token occurs, and in how many documents."""

    def __init__(self) -> None:
        self.tokens: Counter[Token] = Counter()
        self.documents: Counter[Token] = Counter()
        self.rows = 0

    def add(self, rows: Iterable[Sequence[Token]], documents: bool) -> None:
        for row in rows:
            self.tokens.update(row)
            self.rows += 1
            if documents:
                self.documents.update(set(row))

    def ranked(self, without: Iterable[Token | None], most: int | None) -> list[Token]:
        """Tokens by falling count, equal ones by falling order."""
        for token in without:
            if token is not None:
                self.tokens.pop(token, None)
        found = sorted(self.tokens.items(), key=lambda item: (item[1], item[0]), reverse=True)
        return [token for token, _ in found[:most]]

    def inverse_document_frequencies(self, tokens: list[Token]) -> np.ndarray:
        """log(1 + documents / (1 + documents with the token))."""
        occurring = np.array([self.documents[token] for token in tokens], "float64")
        return np.log(1 + self.rows / (1 + occurring))


def read_lines(path: Any) -> list[str]:
    """The lines of a vocabulary file that the user names; never one that a saved model names.

    Raises:  ValueError while a model is being read from a file, for a file that is not there, and for empty
             or repeated lines.
    """
    if serialization.is_reading():
        raise ValueError(
            "Requested the loading of a vocabulary file outside of the model archive. A saved model could "
            "make its reader open any file or address so, which is never done here: give the layer its "
            f"vocabulary as a list before saving. Vocabulary file: {str(path)[:200]!r}"
        )
    if "://" in str(path) or not Path(path).is_file():
        raise ValueError(f"Vocabulary file {path} does not exist.")
    lines = lines_of(Path(path).read_text("utf-8"))
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        if not line or line in seen:
            raise ValueError(
                f"Line {number} of vocabulary file {path} {'repeats ' + repr(line) if line else 'is empty'}. "
                "Give every token a line of its own, once."
            )
        seen.add(line)
    return lines


def lines_of(text: str) -> list[str]:
    """The lines of a vocabulary file, without empty ones at its end."""
    lines = text.replace("\r\n", "\n").split("\n")
    while lines and lines[-1] == "":
        lines.pop()
    return lines


def write_tokens(folder: str, shown: list[str], tokens: list[Token], token: Callable[[Any], Token]) -> None:
    """Write a vocabulary into a folder: a token a line, as Keras does.

    Tokens with line breaks, and bytes that are no text, do not come back from lines: then a second file
    has them all, which Keras leaves alone.

    Args:    shown: the tokens as text. token: makes a token of what is read.
    """
    text = "\n".join(shown)
    Path(folder, FILE).write_bytes(text.encode("utf-8"))
    if not all(isinstance(one, bytes) for one in tokens):
        return  # numbers
    if [token(line) for line in lines_of(text)] != tokens:
        exact = [one.decode("utf-8", "surrogateescape") for one in tokens if isinstance(one, bytes)]
        Path(folder, EXACT).write_text(json.dumps(exact), "ascii")


def read_tokens(folder: str, token: Callable[[Any], Token]) -> list[Token] | None:
    """What `write_tokens` wrote, None if that is nothing.

    Raises:  ValueError for lines that are no text, and for a second file that holds no list of text.
    """
    lines, exact = Path(folder, FILE), Path(folder, EXACT)
    if exact.is_file():
        given = json.loads(exact.read_text("ascii"))
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            raise ValueError(f"'{EXACT}' of a saved layer must hold a list of text.")
        return [token(one.encode("utf-8", "surrogateescape")) for one in given]
    if not lines.is_file():
        return None
    try:
        return [token(line) for line in lines_of(lines.read_text("utf-8"))]
    except UnicodeDecodeError as error:
        raise ValueError(
            f"The vocabulary '{FILE}' of a saved layer is damaged: it is no UTF-8 text."
        ) from error
