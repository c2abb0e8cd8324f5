"""Initial values that are drawn, with the distributions of Keras."""

from __future__ import annotations

import math
import random as python_random
from collections.abc import Sequence
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import ArgumentError
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.initializers.constant import Initializer, dims_of
from kcompile.trace.seed_generator import checked_seed

# Standard deviation of a standard normal cut off at two deviations.
TRUNCATED_STDDEV = 0.87962566103423978


class RandomInitializer(Initializer):
    """Base of random draws. seed: an int, a `SeedGenerator`, or None for one from Python's `random`."""

    def __init__(self, seed: Any = None):
        self._init_seed = seed
        if seed is None:
            seed = python_random.randint(1, int(1e9))
        elif not isinstance(seed, (int, np.integer)) and not hasattr(seed, "next"):
            raise ValueError(
                "`seed` argument should be an instance of `keras.random.SeedGenerator()` or an integer. "
                f"Received: seed={seed}"
            )
        self.seed = seed

    def get_config(self) -> dict[str, Any]:
        return {"seed": serialize_keras_object(self._init_seed)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**{**config, "seed": deserialize_keras_object(config.get("seed"))})

    def generator(self) -> np.random.Generator:
        own = isinstance(self.seed, (int, np.integer))
        seed = checked_seed(self.seed) if own else np.asarray(self.seed.next())
        return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))

    def normal(self, shape: Any, mean: float, stddev: float, dtype: Any) -> np.ndarray:
        draw = self.generator().standard_normal(dims_of(shape), _draw_dtype(dtype))
        return _cast(draw * stddev + mean, dtype)

    def truncated_normal(self, shape: Any, mean: float, stddev: float, dtype: Any) -> np.ndarray:
        """Normal draws; those beyond two deviations are drawn again."""
        generator, kind = self.generator(), _draw_dtype(dtype)
        draw = np.asarray(generator.standard_normal(dims_of(shape), kind))
        beyond = np.abs(draw) > 2
        while beyond.any():
            draw[beyond] = generator.standard_normal(int(beyond.sum()), kind)
            beyond = np.abs(draw) > 2
        return _cast(draw * stddev + mean, dtype)

    def uniform(self, shape: Any, low: float, high: float, dtype: Any) -> np.ndarray:
        draw = self.generator().random(dims_of(shape), _draw_dtype(dtype))
        values = _cast(draw * (high - low) + low, dtype)
        # Rounding may have reached the upper end.
        end = np.asarray(high, values.dtype)
        return np.minimum(values, np.nextafter(end, _cast(low, dtype))) if low < high else values


def _draw_dtype(dtype: Any) -> Any:
    name = dtypes.standardize(dtype)
    dtypes.numpy_dtype(name)  # refuses text
    if not dtypes.is_float(name):
        raise ValueError(f"Random initial values require a floating point `dtype`. Received: dtype={dtype}")
    return np.float64 if name == "float64" else np.float32


def _cast(draw: Any, dtype: Any) -> np.ndarray:
    return np.asarray(draw, dtypes.numpy_dtype(dtypes.standardize(dtype)))


class RandomNormal(RandomInitializer):
    """Normal draws."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None):
        self.mean, self.stddev = mean, stddev
        super().__init__(seed)

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        return self.normal(shape, self.mean, self.stddev, dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomNormal):
    """Normal draws within two deviations of the mean; `stddev` is that of the distribution before the cut."""

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        return self.truncated_normal(shape, self.mean, self.stddev, dtype)


class RandomUniform(RandomInitializer):
    """Uniform draws from [minval, maxval)."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None):
        self.minval, self.maxval = minval, maxval
        super().__init__(seed)

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        return self.uniform(shape, self.minval, self.maxval, dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class VarianceScaling(RandomInitializer):
    """Draws of variance scale / n, where n is the number of inputs, of outputs, or their mean.

    Args:    mode: "fan_in", "fan_out" or "fan_avg".
             distribution: "truncated_normal", "untruncated_normal" or "uniform".
             input_axes, output_axes: the axes of the weight that count as inputs and outputs; by default the
             last two are, times all before them (a convolution's window).
    Source:  Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Any = None,
        output_axes: Any = None,
    ):
        if scale <= 0.0:
            raise ValueError(f"Argument `scale` must be positive float. Received: scale={scale}")
        distribution = distribution.lower() if isinstance(distribution, str) else distribution
        distribution = "truncated_normal" if distribution == "normal" else distribution
        _one_of("mode", mode, ("fan_in", "fan_out", "fan_avg"))
        _one_of("distribution", distribution, ("uniform", "truncated_normal", "untruncated_normal"))
        self.scale, self.mode, self.distribution = scale, mode, distribution
        self.input_axes, self.output_axes = input_axes, output_axes
        super().__init__(seed)

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        count = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, count)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return self.uniform(shape, -limit, limit, dtype)
        if self.distribution == "untruncated_normal":
            return self.normal(shape, 0.0, math.sqrt(variance), dtype)
        return self.truncated_normal(shape, 0.0, math.sqrt(variance) / TRUNCATED_STDDEV, dtype)

    def get_config(self) -> dict[str, Any]:
        own = {"scale": self.scale, "mode": self.mode, "distribution": self.distribution}
        return {**super().get_config(), **own, "input_axes": self.input_axes, "output_axes": self.output_axes}


def _one_of(name: str, value: Any, allowed: Sequence[str]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise (ValueError if isinstance(value, str) else ArgumentError)(
            f"Invalid `{name}` argument: {value}. Please use one of {', '.join(map(repr, allowed))}."
        )


def compute_fans(shape: Any, input_axes: Any = None, output_axes: Any = None) -> tuple[int, int]:
    """Numbers of inputs and outputs of a weight.

    >>> compute_fans((3, 3, 4, 5)), compute_fans((7,)), compute_fans((20, 30, 40), (0, 1), (2,))
    ((36, 45), (7, 7), (600, 40))
    """
    shape = tuple(shape)
    if input_axes is not None and output_axes is not None:
        return tuple(math.prod(shape[a] for a in _axes(axes)) for axes in (input_axes, output_axes))
    if len(shape) < 2:
        return (int(shape[0]), int(shape[0])) if shape else (1, 1)
    window = math.prod(shape[:-2])
    return int(shape[-2] * window), int(shape[-1] * window)


def _axes(axes: Any) -> tuple[int, ...]:
    return (axes,) if isinstance(axes, int) else tuple(axes)


class _Preset(VarianceScaling):
    """A variance scaling whose config is its seed and axes alone."""

    settings: tuple[float, str, str]

    def __init__(self, seed: Any = None, input_axes: Any = None, output_axes: Any = None):
        super().__init__(*self.settings, seed=seed, input_axes=input_axes, output_axes=output_axes)

    def get_config(self) -> dict[str, Any]:
        seed = serialize_keras_object(self._init_seed)
        return {"seed": seed, "input_axes": self.input_axes, "output_axes": self.output_axes}


class GlorotUniform(_Preset):
    """Uniform draws of variance 2 / (inputs + outputs)."""

    settings = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Preset):
    """Truncated normal draws of variance 2 / (inputs + outputs)."""

    settings = (1.0, "fan_avg", "truncated_normal")


class LecunNormal(_Preset):
    """Truncated normal draws of variance 1 / inputs."""

    settings = (1.0, "fan_in", "truncated_normal")


class LecunUniform(_Preset):
    """Uniform draws of variance 1 / inputs."""

    settings = (1.0, "fan_in", "uniform")


class HeNormal(_Preset):
    """Truncated normal draws of variance 2 / inputs."""

    settings = (2.0, "fan_in", "truncated_normal")


class HeUniform(_Preset):
    """Uniform draws of variance 2 / inputs."""

    settings = (2.0, "fan_in", "uniform")


class Orthogonal(RandomInitializer):
    """An orthogonal matrix times `gain`; a weight of higher rank is that of its first axes flattened.

    Source:  Saxe et al. 2014: the Q of a normal matrix, with the signs of R's diagonal.
    """

    def __init__(self, gain: float = 1.0, seed: Any = None):
        self.gain = gain
        super().__init__(seed)

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(
                f"The tensor to initialize must be at least two-dimensional. Received: shape={shape} of "
                f"rank {len(shape)}."
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        _draw_dtype(dtype)  # must be one of floats
        draw = self.generator().standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(draw)
        q = q * np.sign(np.diag(r))
        q = q.T if rows < columns else q
        return _cast(self.gain * q.reshape(shape), dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gain": self.gain}
