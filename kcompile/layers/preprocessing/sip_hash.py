"""SipHash-2-4, a hash with a key of two words.

Source: J.-P. Aumasson, D. Bernstein, SipHash: a fast short-input PRF (2012).
"""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.layers.preprocessing.words import left, rotated, where, word, xor

START = tuple(
    word(v) for v in (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
)
State = tuple[Any, Any, Any, Any]


def sip_hash(key: tuple[int, int], blocks: list[tuple[Any, Any]], length: Any, rest: Any) -> Any:
    """The hash of texts of one or several lengths.

    blocks: (is the whole word part of the text?, the word), in order; True stands for all texts. length: in
    bytes. rest: the bytes behind the last whole word, the lowest first, padded with zeros.
    """
    k0, k1 = word(key[0]), word(key[1])
    a, b, c, d = START
    state: State = (xor(a, k0), xor(b, k1), xor(c, k0), xor(d, k1))
    for present, block in blocks:
        after = _absorbed(state, block)
        state = after if present is True else _either(present, after, state)
    state = _absorbed(state, ops.bitwise_or(rest, left(length, 56)))
    a, b, c, d = state
    state = (a, b, xor(c, word(0xFF)), d)
    for _ in range(4):
        state = _round(state)
    return xor(xor(state[0], state[1]), xor(state[2], state[3]))


def _either(condition: Any, yes: State, no: State) -> State:
    a, b, c, d = (where(condition, y, n) for y, n in zip(yes, no, strict=True))
    return a, b, c, d


def _absorbed(state: State, block: Any) -> State:
    a, b, c, d = state
    state = _round(_round((a, b, c, xor(d, block))))
    return (xor(state[0], block), *state[1:])


def _round(state: State) -> State:
    a, b, c, d = state
    a, c = a + b, c + d
    b, d = xor(_turned(b, 13), a), xor(_turned(d, 16), c)
    a = _turned(a, 32)
    c, a = c + b, a + d
    b, d = xor(_turned(b, 17), c), xor(_turned(d, 21), a)
    return a, b, _turned(c, 32), d


def _turned(a: Any, bits: int) -> Any:
    return rotated(a, 64 - bits)
