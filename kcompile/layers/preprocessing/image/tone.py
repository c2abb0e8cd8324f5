"""Brightness: RandomBrightness, RandomContrast, RandomInvert, RandomPosterization, Solarization."""

from __future__ import annotations

from typing import Any

from kcompile import ops, random
from kcompile.core.errors import ArgumentError
from kcompile.layers.preprocessing.image.base import ColorLayer, FactorLayer, value_range_of


class RandomBrightness(FactorLayer):
    """In training, images with a random number added, one for each image.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same, in the images' dtype; ints only get brighter.
    Args:    factor: a share of the value range, in both directions, or (least, largest), in [-1, 1].
             value_range: the range that the images have, and that results are clipped to.

    >>> import numpy as np
    >>> layer = RandomBrightness((0.2, 0.2))
    >>> layer(np.array([[[10.0, 250.0]]], "float32")).tolist()
    [[[61.0, 255.0]]]
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any):
        super().__init__(factor or 0.0, value_range, seed=seed, **kwargs)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """What is added, (n, 1, 1, 1)."""
        shape, count, _ = self._drawn_for(data)
        size = (1, 1, 1) if len(shape) == 3 else (count, 1, 1, 1)
        if not training:
            return {"rgb_delta": ops.zeros(size)}
        low, high = self.value_range
        return {"rgb_delta": self._uniform(size, *self.factor, seed) * (high - low)}

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        if not training:
            return images
        brighter = images + ops.cast(transformation["rgb_delta"], images.dtype)
        return ops.clip(brighter, *self.value_range)


class RandomContrast(FactorLayer):
    """In training, differences to the mean of each channel scaled by a random factor.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same.
    Args:    factor: the scale lies in [1 - factor, 1 + factor], or in [1 - least, 1 + largest].
             value_range: what results are clipped to.
    """

    _FACTOR_BOUNDS = (0, 1)
    _SORTS_RANGE = False

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any):
        super().__init__(factor, value_range, seed=seed, **kwargs)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The scales, (n, 1, 1, 1)."""
        shape, count, _ = self._drawn_for(data)
        size = (1, 1, 1) if len(shape) == 3 else (count, 1, 1, 1)
        if not training:
            return {"contrast_factor": ops.zeros(size)}
        low, high = 1.0 - self.factor[0], 1.0 + self.factor[1]
        return {"contrast_factor": self._uniform(size, low, high, seed, self.compute_dtype)}

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        if not training:
            return images
        mean = ops.mean(images, axis=self.height_axis, keepdims=True)
        mean = ops.mean(mean, axis=self.width_axis, keepdims=True)
        away = ops.subtract(images, mean)  # of ints, too, which NumPy's operator would make float64
        return ops.clip(away * transformation["contrast_factor"] + mean, *self.value_range)


class RandomInvert(FactorLayer):
    """In training, some images as their negatives.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same.
    Args:    factor: the probability, or (least, largest). value_range: of the images.
    """

    _FACTOR_BOUNDS = (0, 1)
    _SORTS_RANGE = False

    def __init__(
        self,
        factor: Any = 1.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(factor, value_range, data_format, seed, **kwargs)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Whether each image is changed, (n,)."""
        if not training:
            return None
        return {"apply_inversion": self._happens(self._drawn_for(data)[1], seed)}

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        if not training:
            return images
        images = ops.cast(images, self.compute_dtype)
        happens = transformation["apply_inversion"][:, None, None, None]
        return ops.where(happens, self.value_range[1] - images, images)


class RandomPosterization(FactorLayer):
    """In training, brightness with fewer bits.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same.
    Args:    factor: the number of bits, 1 to 8, or (least, largest), of which the largest is never drawn.
             value_range: of the images.
    """

    _FACTOR_BOUNDS = (1, 8)
    _MAX_FACTOR = 8

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Bits that are dropped, (n,) uint8."""
        count, (low, high) = self._drawn_for(data)[1], self.factor
        if low == high:
            bits = ops.ones((count,), dtype="uint8") * ops.cast(low, "uint8")
        else:
            seed = self.generator if seed is None else seed
            bits = random.randint((count,), low, high, dtype="uint8", seed=seed)
        return {"shift_factor": ops.cast(self._MAX_FACTOR, "uint8") - bits}

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        if not training:
            return images
        shift = transformation["shift_factor"][:, None, None, None]
        full, dtype = (0, 255), self.compute_dtype
        images = ops.cast(self._transform_value_range(images, self.value_range, full, dtype), "uint8")
        images = ops.bitwise_left_shift(ops.bitwise_right_shift(images, shift), shift)
        return self._transform_value_range(ops.cast(images, dtype), full, self.value_range, dtype)


class Solarization(ColorLayer):
    """In training, what is brighter than a random threshold as its negative, after a random addition.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same.
    Args:    addition_factor, threshold_factor: shares of the brightness, drawn from [0, factor], or from
             (least, largest). value_range: of the images.
    """

    _USE_BASE_FACTOR = False
    _SETTINGS = ("value_range", "addition_factor", "threshold_factor", "seed")

    def __init__(
        self,
        addition_factor: Any = 0.0,
        threshold_factor: Any = 0.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self._make_generator(seed)
        self.addition_factor = self._share("addition_factor", addition_factor)
        self.threshold_factor = self._share("threshold_factor", threshold_factor)
        self.value_range = value_range_of(value_range)

    @staticmethod
    def _share(name: str, factor: Any) -> tuple[Any, ...]:
        many = isinstance(factor, (tuple, list))
        values = tuple(factor) if many else (factor,)
        numbers = all(isinstance(v, (int, float)) and 0 <= v <= 1.0 for v in values)
        if len(values) != 1 + many or not numbers:
            raise ArgumentError(
                "The `addition_factor` and `threshold_factor` arguments should be a number (or a list of "
                f"two numbers) in the range [0, 1]. Received: {name}={factor}"
            )
        return tuple(sorted(values)) if many else (0, factor)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """What is added, and from where on images are turned round, (n, 1, 1, 1) each, in [0, 255]."""
        if not training:
            return None
        shape, count, _ = self._drawn_for(data)
        size = (1, 1, 1) if len(shape) == 3 else (count, 1, 1, 1)
        return {
            name: self._uniform(size, low, high * 255, seed, self.compute_dtype)
            for name, (low, high) in (
                ("additions", self.addition_factor), ("thresholds", self.threshold_factor),
            )
        }  # fmt: skip

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        images = ops.cast(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        full, dtype = (0, 255), self.compute_dtype
        images = self._transform_value_range(images, self.value_range, full, dtype)
        images = ops.clip(images + transformation["additions"], 0, 255)
        images = ops.where(images < transformation["thresholds"], images, 255 - images)
        return ops.cast(self._transform_value_range(images, full, self.value_range, dtype), dtype)
