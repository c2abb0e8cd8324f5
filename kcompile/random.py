"""`keras.random`: random tensors, drawn with a seed.

seed: an int (the same numbers in every call), a `SeedGenerator` (others in every call, in a compiled program
too), or None for the global generator, which `keras.utils.set_random_seed` makes reproducible.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.ops import elementwise as ew
from kcompile.ops import index as indexing
from kcompile.ops import movement
from kcompile.ops import random as draws
from kcompile.ops.public import public
from kcompile.trace.seed_generator import SeedGenerator as SeedGenerator

_global: list[SeedGenerator] = []


def global_seed_generator() -> SeedGenerator:
    """The generator that draws without a seed use, made on first use from Python's `random`."""
    if not _global:
        _global.append(SeedGenerator())
    return _global[0]


def reset_global_seed_generator() -> None:
    """Forget the global generator; the next one takes its seed from Python's `random`."""
    _global.clear()


def draw_seed(seed: Any) -> Any:
    """The key, (2,) uint32, that a draw with this seed uses."""
    if seed is None:
        return global_seed_generator().next()
    if hasattr(seed, "next"):
        return seed.next()
    if isinstance(seed, (int, np.integer)):
        return np.array([int(seed) % 2**32, 0], np.uint32)
    if getattr(seed, "shape", None) == (2,):
        return ew.as_tensor(seed, "uint32")
    raise ValueError(
        "Argument `seed` must be either an integer or an instance of `SeedGenerator`. "
        f"Received: seed={seed} (of type {type(seed)})"
    )


def _scaled(x: Any, factor: Any, offset: Any) -> Any:
    dtype = dtypes.standardize(x.dtype)
    return ew.add(ew.multiply(x, ew.as_tensor(factor, dtype)), ew.as_tensor(offset, dtype))


def normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normal draws.

    >>> normal((2, 3), seed=1).shape
    (2, 3)
    """
    return _scaled(draws.normal(draw_seed(seed), shape, dtype), stddev, mean)


def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Normal draws within two deviations of the mean."""
    return _scaled(draws.truncated_normal(draw_seed(seed), shape, dtype), stddev, mean)


def uniform(shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Uniform draws from [minval, maxval), floats; for integers there is `randint`."""
    if not dtypes.is_float(dtypes.standardize(dtype)):
        raise ValueError(f"`random.uniform` requires a floating point `dtype`. Received: dtype={dtype}")
    return _scaled(draws.uniform(draw_seed(seed), shape, dtype), ew.subtract(maxval, minval), minval)


def randint(shape: Any, minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None) -> Any:
    """Uniform ints from [minval, maxval).

    >>> bool((randint((100,), 3, 5, seed=1) < 5).all())
    True
    """
    if dtype and not dtypes.is_int(dtypes.standardize(dtype)):
        raise ValueError(f"`keras.random.randint` requires an integer `dtype`. Received: dtype={dtype} ")
    return draws.randint(draw_seed(seed), shape, minval, maxval, dtypes.standardize(dtype or "int32"))


@public
def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Class numbers drawn with the probabilities softmax(logits): logits (b, c) -> (b, num_samples)."""
    if len(logits.shape) != 2:
        raise ValueError(
            f"`logits` should be a 2-D tensor with shape [batch_size, num_classes]. Received: logits={logits}"
        )
    return draws.categorical(draw_seed(seed), logits, num_samples, dtypes.standardize(dtype))


@public
def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """inputs / (1 - rate), zero with probability `rate`; one choice along dimensions of `noise_shape` 1.

    >>> sorted(set(dropout(np.ones(100, "float32"), 0.5, seed=1).tolist()))
    [0.0, 2.0]
    """
    if rate in (0, 1):  # no draw, as in Keras
        return draws.dropout(None, inputs, rate)
    return draws.dropout(draw_seed(seed), inputs, rate, noise_shape)


@public
def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Any:
    """The slices of x along `axis` in random order."""
    x = ew.as_tensor(x)
    k = movement.check_axis("shuffle", axis, len(x.shape))
    return indexing.take(x, draws.permutation(draw_seed(seed), x.shape[k]), axis=k)


def gamma(shape: Any, alpha: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Gamma draws with the shape parameter alpha and scale 1."""
    return draws.gamma(draw_seed(seed), shape, alpha, dtype)


def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Beta draws."""
    return draws.beta(draw_seed(seed), shape, alpha, beta, dtype)


def binomial(shape: Any, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None) -> Any:
    """How many of `counts` trials, each with the given probability, succeed."""
    return draws.binomial(draw_seed(seed), shape, counts, probabilities, dtype)
