"""Text as ONNX operators: looked up, put in lower case, freed of characters, split, joined to n-grams.

ONNX's own StringNormalizer changes all letters that have cases; TensorFlow, and so Keras, those of ASCII
only. Here each character is replaced by itself: texts are split at it and joined again. `g` is the builder.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from kcompile.ir.types import TensorType
from kcompile.layers.preprocessing.tokens import LOWER, PUNCTUATION, STRIP
from kcompile.layers.preprocessing.vocabulary import Token

END = np.iinfo("int64").max
SPACE = "\t\n\v\f\r"  # what separates words as a space does
GUARD = "\0"  # in front of a text


def decoded(tokens: Sequence[Token]) -> list[str]:
    """Tokens as ONNX stores them.

    Raises:  NotImplementedError for tokens that are not UTF-8.
    """
    try:
        return [t.decode("utf-8") for t in tokens if isinstance(t, bytes)]
    except UnicodeDecodeError as error:
        raise NotImplementedError(f"its vocabulary has tokens that are not UTF-8: {error.object!r}") from None


def numbered(g: Any, x: str, numbers: dict[str, int], default: int) -> str:
    """The number of each text."""
    keys, values = list(numbers), list(numbers.values())
    return str(g.node("LabelEncoder", x, keys_strings=keys, values_int64s=values, default_int64=default))


def named(g: Any, x: str, names: dict[int, str], default: str) -> str:
    """The text of each number."""
    keys, values = list(names), list(names.values())
    x = g.cast(x, "int64")
    return str(g.node("LabelEncoder", x, keys_int64s=keys, values_strings=values, default_string=default))


def standardized(g: Any, x: str, how: str | None) -> str:
    """ASCII letters in lower case, and ASCII punctuation gone."""
    if how not in LOWER and how not in STRIP:
        return x
    x = g.node("StringConcat", g.constant(np.array(GUARD, object)), x)  # an empty text would have no parts
    if how in LOWER:
        for upper, lower in zip(string.ascii_uppercase, string.ascii_lowercase, strict=True):
            x = replaced(g, x, upper, lower)
    if how in STRIP:
        for character in PUNCTUATION.decode():
            x = replaced(g, x, character, "")
    parts, _ = _split(g, x, delimiter=GUARD, maxsplit=1)
    return str(g.node("Gather", parts, g.constant(np.array(1, np.int64)), axis=-1))


def words(g: Any, x: str) -> str:
    """Texts (n,) as their words (n, most), with "" behind the last."""
    x = g.node("StringConcat", g.constant(np.array(" ", object)), x)  # an empty text would have no parts
    for character in SPACE:
        x = replaced(g, x, character, " ")
    return _split(g, x)[0]


def _split(g: Any, x: str, **how: Any) -> tuple[str, str]:
    parts, counts = g.node("StringSplit", x, outputs=2, **how)
    shape = g.shape(x)
    g.types[parts] = TensorType((*shape, g.symbols.unknown()), "string")
    g.types[counts] = TensorType(shape, "int64")
    return parts, counts


def replaced(g: Any, x: str, old: str, new: str) -> str:
    """Texts, not all of which may be empty, with a character replaced: split at it, then the parts joined."""
    parts, counts = _split(g, x, delimiter=old)
    number = [g.constant(np.array([k], np.int64)) for k in (0, 1, END, -1)]
    first = g.node("Gather", parts, g.constant(np.array(0, np.int64)), axis=-1)
    rest = g.node("Slice", parts, number[1], number[2], number[3])
    width = g.node("Shape", rest, start=-1)
    if new:  # in front of each part but the first
        scalar = [g.constant(np.array(k, np.int64)) for k in (0, 1)]
        places = g.node("Range", scalar[1], g.node("Add", g.reshape_to_scalar(width), scalar[1]), scalar[1])
        counted = g.node("Unsqueeze", counts, number[3])
        before = [g.constant(np.array(text, object)) for text in (new, "")]
        rest = g.node("StringConcat", g.node("Where", g.node("Less", places, counted), *before), rest)
    return _joined(g, first, rest, width)


def _joined(g: Any, first: str, rest: str, width: str) -> str:
    """first (...) and rest (..., width) as one text each."""
    shape = g.shape(first)
    types = {
        "place": TensorType((), "int64"),
        "going": TensorType((), "bool"),
        "text": TensorType(shape, "string"),
    }
    inputs = {g.name(wish): type_ for wish, type_ in types.items()}
    g.types.update(inputs)
    place, going, text = inputs
    with g.inside() as nodes:
        part = g.node("Gather", rest, place, axis=-1)
        longer = g.node("StringConcat", text, part)
        still = g.node("Identity", going)
    outputs = {still: types["going"], longer: types["text"]}
    made = g.node("Loop", width, "", first, body=g.loop_body(inputs, outputs, nodes))
    g.types[made] = types["text"]
    return str(made)


def with_ngrams(g: Any, tokens: str, widths: tuple[int, ...] | None, padded: bool) -> str:
    """Runs of so many tokens (n, t), joined by spaces, width after width.

    padded: "" stands behind the last token of a row, and behind its last run.
    """
    if widths is None:
        return tokens
    runs = [_runs(g, tokens, width, padded) for width in widths]
    joined = runs[0] if len(runs) == 1 else str(g.node("Concat", *runs, axis=-1))
    g.types[joined] = TensorType((*g.shape(tokens)[:-1], g.symbols.unknown()), "string")
    return joined if len(runs) == 1 or not padded else _closed_up(g, joined)


def _runs(g: Any, tokens: str, width: int, padded: bool) -> str:
    axis, space = g.constant(np.array([-1], np.int64)), g.constant(np.array(" ", object))
    made = last = ""
    for k in range(width):
        end = k - width + 1 if k < width - 1 else END
        begin_end = (g.constant(np.array([place], np.int64)) for place in (k, end))
        last = g.node("Slice", tokens, *begin_end, axis)
        g.types[last] = TensorType((*g.shape(tokens)[:-1], g.symbols.unknown()), "string")
        made = g.node("StringConcat", g.node("StringConcat", made, space), last) if made else last
    if width == 1 or not padded:
        return made
    none = g.constant(np.array("", object))
    return str(g.node("Where", g.node("Equal", last, none), none, made))


def _closed_up(g: Any, tokens: str) -> str:
    """Tokens moved to the front of their row, in order, before the "" between them."""
    number = {k: g.constant(np.array(k, np.int64)) for k in (0, 1)}
    size = g.reshape_to_scalar(g.node("Shape", tokens, start=-1))
    places = g.node("Range", number[0], size, number[1])
    empty = g.node("Equal", tokens, g.constant(np.array("", object)))
    late = g.node("Add", g.node("Where", empty, size, number[0]), places)
    count = g.node("Shape", tokens, start=-1)
    _, order = g.node("TopK", late, count, axis=-1, largest=0, sorted=1, outputs=2)
    made = g.node("GatherElements", tokens, order, axis=-1)
    g.types[made] = g.type(tokens)
    return str(made)


def of_length(g: Any, x: str, length: int | None) -> str:
    """Rows (n, t) of numbers cut or filled up with 0 to a length."""
    if length is None:
        return x
    longer = g.node("Pad", x, g.constant(np.array([0, 0, 0, length], np.int64)))
    bounds = (g.constant(np.array([k], np.int64)) for k in (0, length, 1))
    made = g.node("Slice", longer, *bounds)
    g.types[made] = TensorType((g.shape(x)[0], length), "int64")
    return str(made)
