"""Binomial draws: how many of n trials succeed.

Few trials are drawn one by one. Otherwise the work must not grow with n: where few successes are expected
they are found by the gaps between them, and where many are, by rejection. Both are computed for all elements,
in float64, and one is selected.

Sources: L. Devroye, "Non-Uniform Random Variate Generation", 1986, X.4.3 (waiting times); W. Hörmann, "The
generation of binomial random variates", J. Stat. Comput. Simul. 46 (1993), algorithm BTRS.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.ir.op import unwrap
from kcompile.ops import cumulative, reduce
from kcompile.ops import elementwise as ew
from kcompile.ops import random as draws

FEW_TRIALS = 64
FEW_SUCCESSES = 10  # expected, at most, for the draw by gaps; the rejection needs as many
GAPS = 64  # more successes than this come, where 10 are expected, once in 1e28 draws
ATTEMPTS = 16  # each is accepted with two thirds or more


def binomial(key: Any, shape: Any, counts: Any, probabilities: Any, dtype: Any = None) -> Any:
    """How many of `counts` trials, each with the given probability, succeed.

    >>> binomial(np.array([7, 0], "uint32"), (4,), 10**9, 1.0).tolist()
    [1000000000.0, 1000000000.0, 1000000000.0, 1000000000.0]
    """
    name, dims = dtypes.standardize(dtype), tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    counts, probabilities = unwrap(counts), unwrap(probabilities)
    if isinstance(counts, (int, float, list, tuple, np.ndarray, np.generic)):
        most = math.floor(np.asarray(counts).max(initial=0))
        if most <= FEW_TRIALS:
            return _one_by_one(key, dims, np.asarray(counts), most, probabilities, name)
    n, p = ew.as_tensor(counts, "float64"), ew.as_tensor(probabilities, "float64")
    rare = ew.minimum(p, ew.subtract(1.0, p))  # of the two outcomes
    many = ew.greater_equal(ew.multiply(n, rare), FEW_SUCCESSES)
    found = ew.where(many, _by_rejection(key, dims, n, rare), _by_gaps(key, dims, n, rare))
    found = ew.where(ew.greater(p, 0.5), ew.subtract(n, found), found)
    return ew.cast(ew.add(found, np.zeros((1,) * len(dims))), name)


def _one_by_one(key: Any, dims: Any, counts: Any, most: int, probabilities: Any, name: str) -> Any:
    hits = draws.bernoulli(key, (most, *dims), ew.as_tensor(probabilities, "float32"))
    number = np.arange(most).reshape((-1,) + (1,) * len(dims))
    return ew.cast(reduce.sum(ew.cast(ew.logical_and(hits, number < counts), "int32"), axis=0), name)


def _by_gaps(key: Any, dims: Any, n: Any, p: Any) -> Any:
    """The number of gaps, geometric draws, that fit into n trials."""
    u = draws.uniform(draws.folded(key, 5), (GAPS, *dims), "float64")
    chance = ew.where(ew.greater(p, 0.0), p, 1e-300)
    gap = ew.add(ew.floor(ew.true_divide(ew.log(ew.subtract(1.0, u)), ew.log1p(ew.negative(chance)))), 1.0)
    return reduce.sum(ew.cast(ew.less_equal(cumulative.cumsum(gap, axis=0), n), "float64"), axis=0)


def _by_rejection(key: Any, dims: Any, n: Any, p: Any) -> Any:
    """Names as in Hörmann's paper; p at most 1/2. Where few successes are expected, of other parameters."""
    n, p = (
        ew.where(ew.greater_equal(ew.multiply(n, p), FEW_SUCCESSES), x, y) for x, y in ((n, 40.0), (p, 0.5))
    )
    odds = ew.true_divide(p, ew.subtract(1.0, p))
    deviation = ew.sqrt(ew.multiply(ew.multiply(n, p), ew.subtract(1.0, p)))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    mode = ew.floor((n + 1.0) * p)
    u = draws.uniform(draws.folded(key, 6), (ATTEMPTS, *dims), "float64") - 0.5
    v = 1.0 - draws.uniform(draws.folded(key, 7), (ATTEMPTS, *dims), "float64")  # never 0
    us = 0.5 - ew.absolute(u)
    safe = ew.maximum(us, 1e-9)
    k = ew.floor((2.0 * a / safe + b) * u + n * p + 0.5)
    inside = ew.logical_and(ew.greater_equal(k, 0.0), ew.less_equal(k, n))
    k = ew.minimum(ew.maximum(k, 0.0), n)
    height = ew.log(v * ((2.83 + 5.1 / b) * deviation) / (a / (safe * safe) + b))
    bound = (
        (mode + 0.5) * ew.log((mode + 1.0) / (odds * (n - mode + 1.0)))
        + (n + 1.0) * ew.log((n - mode + 1.0) / (n - k + 1.0))
        + (k + 0.5) * ew.log(odds * (n - k + 1.0) / (k + 1.0))
        + _tail(mode) + _tail(n - mode) - _tail(k) - _tail(n - k)
    )  # fmt: skip
    return draws.first_accepted(ew.logical_and(inside, ew.less_equal(height, bound)), k)


def _tail(k: Any) -> Any:
    """What Stirling's formula leaves of log(k!); 3e-4 too much at 0, and exact from there on."""
    square = (k + 1.0) * (k + 1.0)
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1.0)
