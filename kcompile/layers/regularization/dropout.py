"""Dropout, SpatialDropout and AlphaDropout: active in training only."""

from __future__ import annotations

import math
from typing import Any

from kcompile import ops
from kcompile.core.errors import ArgumentError
from kcompile.layers.arguments import data_format_name
from kcompile.layers.input_spec import InputSpec
from kcompile.layers.layer import Layer
from kcompile.ops import random
from kcompile.trace.seed_generator import SeedGenerator


def checked_rate(rate: Any) -> Any:
    number = isinstance(rate, (int, float)) and not isinstance(rate, bool)
    if not number or not 0 <= rate <= 1:
        raise (ValueError if number else ArgumentError)(
            "Invalid value received for argument `rate`. Expected a float value between 0 and 1. Received: "
            f"rate={rate}"
        )
    return rate


def checked_noise_shape(shape: Any) -> tuple[int | None, ...] | None:
    if shape is None:
        return None
    dims = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    whole = all(d is None or (hasattr(d, "__index__") and d > 0) for d in dims)
    if not isinstance(shape, (tuple, list)) or not whole:
        raise ValueError(
            "Invalid value received for argument `noise_shape`. Expected a tuple of positive integers or "
            f"None. Received: noise_shape={shape}"
        )
    return dims


class Dropout(Layer):
    """In training, elements become 0 with probability `rate`, and the others are divided by 1 - rate.

    Args:    noise_shape: shape of the mask; where it is 1, elements along that dimension fall together.
             None in it stands for the input's size.
    Source:  Srivastava et al. 2014.
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate, self.seed = checked_rate(rate), seed
        self.noise_shape = checked_noise_shape(noise_shape)
        if rate > 0:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        return random.dropout(self.seed_generator.next(), inputs, self.rate, self._noise_shape(inputs))

    def _noise_shape(self, inputs: Any) -> Any:
        return self.noise_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed, "noise_shape": self.noise_shape}


class BaseSpatialDropout(Dropout):
    """Base of dropouts that drop whole channels."""

    rank: int

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(rate, seed=seed, name=name, dtype=dtype)
        self.data_format = data_format_name(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _noise_shape(self, inputs: Any) -> Any:
        n, *rest = inputs.shape
        ones = (1,) * self.rank
        return (n, *ones, rest[-1]) if self.data_format == "channels_last" else (n, rest[0], *ones)

    def get_config(self) -> dict[str, Any]:
        config = {"rate": self.rate, "seed": self.seed, "name": self.name, "dtype": self.dtype}
        return {**config, "data_format": self.data_format}


class SpatialDropout1D(BaseSpatialDropout):
    """Drops whole channels of (n, steps, c)."""

    rank = 1

    def __init__(self, rate: float, seed: int | None = None, name: str | None = None, dtype: Any = None):
        super().__init__(rate, "channels_last", seed, name, dtype)

    def get_config(self) -> dict[str, Any]:
        return {k: v for k, v in super().get_config().items() if k != "data_format"}


class SpatialDropout2D(BaseSpatialDropout):
    """Drops whole channels of (n, h, w, c)."""

    rank = 2


class SpatialDropout3D(BaseSpatialDropout):
    """Drops whole channels of (n, d, h, w, c)."""

    rank = 3


SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


class AlphaDropout(Layer):
    """Dropout that keeps mean and variance of inputs that come from SELU.

    Source:  Klambauer et al. 2017.
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate, self.seed = checked_rate(rate), seed
        self.noise_shape = noise_shape
        if rate > 0:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        given = self.noise_shape or (None,) * len(inputs.shape)
        shape = tuple(d if n is None else n for n, d in zip(given, inputs.shape, strict=True))
        kept = random.bernoulli(self.seed_generator.next(), shape, 1 - self.rate)
        low = -SELU_ALPHA * SELU_SCALE
        a = ((1 - self.rate) * (1 + self.rate * low**2)) ** -0.5 if self.rate < 1 else math.inf
        return ops.subtract(ops.multiply(ops.where(kept, inputs, low), a), a * low * self.rate)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed, "noise_shape": self.noise_shape}
