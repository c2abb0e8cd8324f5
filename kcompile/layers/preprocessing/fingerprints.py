"""Hashes: of text on the host, of ints (as the text of their decimal digits) in compiled code too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import dtypes
from kcompile.layers.preprocessing import farm_hash
from kcompile.layers.preprocessing.sip_hash import sip_hash
from kcompile.layers.preprocessing.words import left, right, where, word

MOST_DIGITS = 20  # of a 64-bit int, with its sign
Key = tuple[int, int] | None

# --- text ---------------------------------------------------------------------------------------------------


def of_texts(texts: Sequence[bytes], key: Key = None) -> np.ndarray:
    """Hashes of texts, uint64: FarmHash64, or SipHash with a key.

    >>> hex(of_texts([b"abc"])[0]), hex(of_texts([b""])[0])
    ('0x24a5b3a074e7f369', '0x9ae16a3b2f90404f')
    """
    found = np.empty(len(texts), "uint64")
    by_length: dict[int, list[int]] = {}
    for place, text in enumerate(texts):
        by_length.setdefault(len(text), []).append(place)
    for length, places in by_length.items():
        rows = np.frombuffer(b"".join(texts[p] for p in places), "uint8").reshape(len(places), length)
        found[places] = _of_length(length, rows, key)
    return found


def _of_length(length: int, rows: np.ndarray, key: Key) -> Any:
    """Hashes of texts that are equally long, (texts, length) bytes."""

    def at(start: int, size: int = 8) -> np.ndarray:
        part = np.zeros((len(rows), 8), "uint8")
        part[:, :size] = rows[:, start : start + size]
        return part.view("<u8")[:, 0].astype("uint64")

    n = word(length)
    if key is not None:
        whole = length // 8
        blocks = [(True, at(8 * k)) for k in range(whole)]
        return sip_hash(key, blocks, n, at(8 * whole, length % 8))
    if length == 0:
        return farm_hash.EMPTY
    if length < 4:
        return farm_hash.of_1_to_3(n, at(0, 1), at(length // 2, 1), at(length - 1, 1))
    if length < 8:
        return farm_hash.of_4_to_7(n, at(0, 4), at(length - 4, 4))
    if length <= 16:
        return farm_hash.of_8_to_16(n, at(0), at(length - 8))
    if length <= 32:
        return farm_hash.of_17_to_32(n, at(0), at(8), at(length - 16), at(length - 8))
    whole_text = farm_hash.of_33_to_64 if length <= 64 else farm_hash.of_65_and_more
    return whole_text(length, at)


# --- ints ---------------------------------------------------------------------------------------------------


def of_ints(x: Any, key: Key = None) -> Any:
    """Hashes of ints by the text of their decimal digits, uint64; of bools by "true" and "false"."""
    name = dtypes.standardize(x.dtype)
    if name == "bool":
        no, yes = of_texts([b"false", b"true"], key)
        return where(x, np.asarray(yes), np.asarray(no))
    length, ends = _decimal(x, signed=name in dtypes.SIGNED)
    starts = _from_the_left(length, ends)
    if key is not None:
        whole = right(length, 3)
        blocks = [(ops.greater(whole, word(k)), starts[k]) for k in range(2)]
        rest = _chosen(whole, starts)
        return sip_hash(key, blocks, length, rest)
    first, second, _ = starts
    last, before = ends[0], ends[1]
    byte = word(0xFF)
    middle = ops.bitwise_and(right(first, ops.minimum(left(right(length, 1), 3), word(56))), byte)
    short = farm_hash.of_1_to_3(length, ops.bitwise_and(first, byte), middle, right(last, 56))
    low = ops.bitwise_and(first, word(0xFFFFFFFF))
    found = where(length < word(4), short, farm_hash.of_4_to_7(length, low, right(last, 32)))
    found = where(length < word(8), found, farm_hash.of_8_to_16(length, first, last))
    return where(length < word(17), found, farm_hash.of_17_to_32(length, first, second, before, last))


def _chosen(place: Any, items: list[Any]) -> Any:
    found = items[-1]
    for k in range(len(items) - 2, -1, -1):
        found = where(ops.equal(place, word(k)), items[k], found)
    return found


def _decimal(x: Any, signed: bool) -> tuple[Any, list[Any]]:
    """The length of the decimal text, and its words from the end: bytes -8 to -1, -16 to -9, -24 to -17.

    Where the text is shorter, bytes before its start are 0.
    """
    bits = ops.cast(ops.cast(x, "int64"), "uint64") if signed else ops.cast(x, "uint64")
    negative = ops.less(x, np.zeros((), dtypes.numpy_dtype(dtypes.standardize(x.dtype)))) if signed else None
    size = bits if negative is None else where(negative, word(0) - bits, bits)
    digits = word(1) + sum(ops.cast(size >= word(10**k), "uint64") for k in range(1, MOST_DIGITS))
    ends = []
    for end in range(0, 24, 8):
        found: Any = None
        for k in range(end, min(end + 8, MOST_DIGITS)):
            letter = _letter(size, digits, negative, k)
            letter = left(letter, 8 * (7 - (k - end)))
            found = letter if found is None else ops.bitwise_or(found, letter)
        ends.append(found)
    return digits if negative is None else digits + ops.cast(negative, "uint64"), ends


def _letter(size: Any, digits: Any, negative: Any, place: int) -> Any:
    """The character at a place counted from the end."""
    digit = ops.mod(ops.floor_divide(size, word(10**place)), word(10)) + word(ord("0"))
    before = word(0)
    if negative is not None:
        is_sign = ops.logical_and(negative, ops.equal(digits, word(place)))
        before = where(is_sign, word(ord("-")), word(0))
    return where(digits > word(place), digit, before)


def _from_the_left(length: Any, ends: list[Any]) -> list[Any]:
    """The words at 0, 8 and 16 of texts of up to 24 bytes, from their words counted from the end."""
    last, middle, front = ends
    missing = ops.mod(word(24) - length, word(8))  # bytes of the first word that lie before the text
    shift = left(missing, 3)
    up = word(64) - shift

    def word_of(low: Any, high: Any) -> Any:
        moved = where(ops.equal(missing, word(0)), word(0), left(high, ops.minimum(up, word(63))))
        return ops.bitwise_or(right(low, shift), moved)

    a, b, c = word_of(front, middle), word_of(middle, last), right(last, shift)
    nothing = word(0)
    two, three = ops.greater(length, word(8)), ops.greater(length, word(16))
    return [
        where(three, a, where(two, b, c)),
        where(three, b, where(two, c, nothing)),
        where(three, c, nothing),
    ]
