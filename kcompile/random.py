"""`keras.random`: random tensors, drawn with a seed.

seed: an int (the same numbers in every call), a `SeedGenerator` (others in every call, in a compiled program
too), or None for the global generator, which `keras.utils.set_random_seed` makes reproducible.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import dtypes, public_names
from kcompile.core.wholes import Extents
from kcompile.ops import binomial as trials
from kcompile.ops import elementwise as ew
from kcompile.ops import index as indexing
from kcompile.ops import movement
from kcompile.ops import random as draws
from kcompile.ops.public import guarded, public
from kcompile.trace.seed_generator import SeedGenerator as SeedGenerator
from kcompile.trace.seed_generator import checked_seed

_global: list[SeedGenerator] = []


def global_seed_generator() -> SeedGenerator:
    """The generator that draws without a seed use, made on first use from Python's `random`."""
    if not _global:
        _global.append(SeedGenerator())
    return _global[0]


def has_global_seed_generator() -> bool:
    """Has it been made?"""
    return bool(_global)


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
        return np.array([checked_seed(seed), 0], np.uint32)
    if getattr(seed, "shape", None) == (2,):
        return ew.as_tensor(seed, "uint32")
    raise ValueError(
        "Argument `seed` must be either an integer or an instance of `SeedGenerator`. "
        f"Received: seed={seed} (of type {type(seed)})"
    )


def _float_dtype(name: str, dtype: Any) -> str:
    found = dtypes.standardize(dtype)
    if not dtypes.is_float(found):
        raise ValueError(f"`keras.random.{name}` requires a floating point `dtype`. Received: dtype={dtype}")
    return found


def _scaled(x: Any, factor: Any, offset: Any) -> Any:
    dtype = dtypes.standardize(x.dtype)
    return ew.add(ew.multiply(x, ew.as_tensor(factor, dtype)), ew.as_tensor(offset, dtype))


@guarded
def normal(shape: Extents, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normal draws.

    >>> normal((2, 3), seed=1).shape
    (2, 3)
    """
    dtype = _float_dtype("normal", dtype)
    return _scaled(draws.normal(draw_seed(seed), shape, dtype), stddev, mean)


@guarded
def truncated_normal(
    shape: Extents, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Normal draws within two deviations of the mean."""
    dtype = _float_dtype("truncated_normal", dtype)
    return _scaled(draws.truncated_normal(draw_seed(seed), shape, dtype), stddev, mean)


@guarded
def uniform(shape: Extents, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Uniform draws from [minval, maxval), floats; for integers there is `randint`."""
    dtype = _float_dtype("uniform", dtype)
    drawn = _scaled(draws.uniform(draw_seed(seed), shape, dtype), ew.subtract(maxval, minval), minval)
    below = _largest_below(maxval, minval, dtype)
    return drawn if below is None else ew.minimum(drawn, below)


def _largest_below(maxval: Any, minval: Any, dtype: str) -> Any:
    """What draws are cut at, where rounding the scaled ones could reach maxval."""
    numbers = all(isinstance(v, (int, float, np.integer, np.floating)) for v in (minval, maxval))
    if not numbers or (minval == 0 and maxval == 1):
        return None
    low, high = (np.asarray(v).astype(dtypes.numpy_dtype(dtype)) for v in (minval, maxval))
    return np.nextafter(high, low) if low < high else None


@guarded
def randint(shape: Extents, minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None) -> Any:
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


@guarded
def gamma(shape: Extents, alpha: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Gamma draws with the shape parameter alpha and scale 1."""
    return draws.gamma(draw_seed(seed), shape, alpha, _float_dtype("gamma", dtype))


@guarded
def beta(shape: Extents, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Beta draws."""
    return draws.beta(draw_seed(seed), shape, alpha, beta, _float_dtype("beta", dtype))


@guarded
def binomial(shape: Extents, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None) -> Any:
    """How many of `counts` trials, each with the given probability, succeed; floats, or ints of any width."""
    if dtypes.standardize(dtype) == "bool":
        raise ValueError(f"`keras.random.binomial` requires a numeric `dtype`. Received: dtype={dtype}")
    return trials.binomial(draw_seed(seed), shape, counts, probabilities, dtype)


__all__ = public_names.of(__name__)
