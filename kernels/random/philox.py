"""NumPy reference of Philox 2x32-10, bit for bit what `kcompile.kernels.math.philox` emits.

Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

MULTIPLIER = np.uint64(0xD256D193)
WEYL = 0x9E3779B9
ROUNDS = 10
WORD = np.uint64(32)


def philox2x32(
    counter_lo: ArrayLike, counter_hi: ArrayLike, key: ArrayLike
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Two random words, uint32, for each counter (lo, hi) and key; all broadcast and are taken modulo 2**32.

    >>> [hex(int(word)) for word in philox2x32(0, 0, 0)]
    ['0xff1dae59', '0x6cd10df2']
    """
    x, y, k = np.broadcast_arrays(*(_word(v) for v in (counter_lo, counter_hi, key)))
    for r in range(ROUNDS):
        product = x.astype(np.uint64) * MULTIPLIER
        round_key = (k.astype(np.uint64) + np.uint64(r * WEYL)).astype(np.uint32)
        x, y = (product >> WORD).astype(np.uint32) ^ round_key ^ y, product.astype(np.uint32)
    return x, y


def uniform(counter_lo: ArrayLike, counter_hi: ArrayLike, key: ArrayLike) -> NDArray[np.float32]:
    """float32 in [0, 1): the upper 24 bits of the first word.

    >>> float(uniform(0, 0, 0))
    0.9965466260910034
    """
    word, _ = philox2x32(counter_lo, counter_hi, key)
    return (word >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def _word(value: ArrayLike) -> NDArray[np.uint32]:
    return (np.asarray(value).astype(np.int64) & 0xFFFFFFFF).astype(np.uint32)
