"""FarmHash64, the fingerprint that TensorFlow and so Keras hash text with.

Source: G. Pike, FarmHash (2014), the function Hash64 of its namespace farmhashna. All of its arithmetic is
modulo 2**64. Each function below hashes many texts whose lengths lie in one range; what differs between them
(lengths, and words of eight bytes) are arrays or traced values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcompile.layers.preprocessing.words import left, mixed, rotated, word, xor

K0, K1, K2 = word(0xC3A5C85C97CB3127), word(0xB492B66FBE98F273), word(0x9AE16A3B2F90404F)
CAT = word(0xC6A4A7935BD1E995)
Fetch = Callable[[int], Any]  # the word of eight bytes, the lowest first, from an offset on
Pair = tuple[Any, Any]

EMPTY = K2  # the hash of no bytes


def of_1_to_3(length: Any, first: Any, middle: Any, last: Any) -> Any:
    """From the first byte, that at length // 2 and the last."""
    y, z = first + left(middle, 8), length + left(last, 2)
    return mixed(xor(y * K2, z * K0)) * K2


def of_4_to_7(length: Any, first: Any, last: Any) -> Any:
    """From the first and the last four bytes."""
    return _joined(length + left(first, 3), last, K2 + left(length, 1))


def of_8_to_16(length: Any, first: Any, last: Any) -> Any:
    """From the first and the last eight bytes."""
    factor = K2 + left(length, 1)
    a = first + K2
    return _joined(rotated(last, 37) * factor + a, (rotated(a, 25) + last) * factor, factor)


def of_17_to_32(length: Any, first: Any, second: Any, before_last: Any, last: Any) -> Any:
    """From the words at 0, 8, length - 16 and length - 8."""
    factor = K2 + left(length, 1)
    a, c, d = first * K1, last * factor, before_last * K2
    u = rotated(a + second, 43) + rotated(c, 30) + d
    return _joined(u, a + rotated(second + K2, 18) + c, factor)


def of_33_to_64(length: int, at: Fetch) -> Any:
    factor = K2 + word(2 * length)
    a, b = at(0) * K2, at(8)
    c, d = at(length - 8) * factor, at(length - 16) * K2
    y = rotated(a + b, 43) + rotated(c, 30) + d
    z = _joined(y, a + rotated(b + K2, 18) + c, factor)
    e, f = at(16) * factor, at(24)
    g, h = (y + at(length - 32)) * factor, (z + at(length - 24)) * factor
    return _joined(rotated(e + f, 43) + rotated(g, 30) + h, e + rotated(f + a, 18) + g, factor)


def of_65_and_more(length: int, at: Fetch) -> Any:
    """Blocks of 64 bytes one after the other, then the last 64 bytes."""
    none = at(0) ^ at(0)
    x, y = none + word(81), none + (word(81) * K1 + word(113))
    z = mixed(y * K2 + word(113)) * K2
    v, w = (none, none), (none, none)
    x = x * K2 + at(0)
    last = length - 64
    for start in range(0, (length - 1) // 64 * 64, 64):
        x, y, z, v, w = _block(x, y, z, v, w, at, start, K1)
    factor = K1 + left(z & word(0xFF), 1)
    w = (w[0] + word((length - 1) & 63), w[1])
    v = (v[0] + w[0], v[1])
    w = (w[0] + v[0], w[1])
    x, y, z, v, w = _block(x, y, z, v, w, at, last, factor, more=word(9))
    u = _joined(v[0], w[0], factor) + mixed(y) * K0 + z
    return _joined(u, _joined(v[1], w[1], factor) + x, factor)


def _block(
    x: Any, y: Any, z: Any, v: Pair, w: Pair, at: Fetch, start: int, k: Any, more: Any = None
) -> tuple[Any, Any, Any, Pair, Pair]:
    times = (lambda a: a) if more is None else (lambda a: a * more)
    x = xor(rotated(x + y + v[0] + at(start + 8), 37) * k, times(w[1]))
    y = rotated(y + v[1] + at(start + 48), 42) * k + times(v[0]) + at(start + 40)
    z = rotated(z + w[0], 33) * k
    v = _weak(at, start, v[1] * k, x + w[0])
    w = _weak(at, start + 32, z + w[1], y + at(start + 16))
    return z, y, x, v, w


def _weak(at: Fetch, start: int, a: Any, b: Any) -> Pair:
    """32 bytes and two words as two words."""
    z = at(start + 24)
    a = a + at(start)
    b = rotated(b + a + z, 21)
    total = a + at(start + 8) + at(start + 16)
    return total + z, b + rotated(total, 44) + a


def _joined(u: Any, v: Any, factor: Any) -> Any:
    """16 bytes as 8."""
    a = mixed(xor(u, v) * factor)
    return mixed(xor(v, a) * factor) * factor


def concatenated(a: Any, b: Any) -> Any:
    """The fingerprint of two fingerprints, in order; TensorFlow's FingerprintCat64."""
    b = xor(xor(a, CAT), mixed(b * CAT) * CAT) * CAT
    return mixed(mixed(b) * CAT)
