"""RandomSharpness and RandomGaussianBlur."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core.errors import ArgumentError
from kcompile.layers.preprocessing.image.base import FactorLayer


class RandomSharpness(FactorLayer):
    """In training, images between smoothed and sharpened.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same.
    Args:    factor: 0 is smoothed, 0.5 changes nothing, 1 is sharpened; a number stands for (0, number), or
             (least, largest). value_range: what results are clipped to.
    """

    _FACTOR_BOUNDS = (0, 1)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """How sharp, (n,)."""
        return {"factor": self._uniform((self._drawn_for(data)[1],), *self.factor, seed)}

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        images = ops.cast(images, self.compute_dtype)
        if not training:
            return images
        first = self.data_format == "channels_first"
        x = ops.transpose(images, (0, 2, 3, 1)) if first else images
        sharpness = ops.cast(transformation["factor"] * 2, self.compute_dtype)[:, None, None, None]
        around, middle = 1.0 / 13.0, 5.0 / 13.0
        rows = [[around] * 3, [around, middle, around], [around] * 3]
        kernel = ops.reshape(ops.convert_to_tensor(rows, dtype=self.compute_dtype), (3, 3, 1, 1))
        kernel = ops.broadcast_to(kernel, (3, 3, x.shape[-1], 1))
        smooth = ops.depthwise_conv(x, kernel, padding="same", data_format="channels_last")
        x = ops.clip(x + ops.subtract(1.0, sharpness) * (smooth - x), *self.value_range)
        return ops.transpose(x, (0, 3, 1, 2)) if first else x


class RandomGaussianBlur(FactorLayer):
    """In training, some images smoothed with a normal distribution of random width.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same.
    Args:    factor: the probability, or (least, largest). kernel_size: odd, or a pair (columns, rows).
             sigma: pixels in [0, 1], or (least, largest). value_range: what results are clipped to.
    """

    _FACTOR_BOUNDS = (0, 1)
    _SORTS_RANGE = False
    _SETTINGS = ("factor", "kernel_size", "sigma", "value_range", "seed")

    def __init__(
        self,
        factor: Any = 1.0,
        kernel_size: Any = 3,
        sigma: Any = 1.0,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(factor, value_range, data_format, seed, **kwargs)
        self.kernel_size = self._odd(kernel_size)
        self.sigma = self._factor_range("sigma", sigma)

    @staticmethod
    def _odd(size: Any) -> tuple[Any, Any]:
        many = isinstance(size, (tuple, list))
        if many and len(size) != 2:
            raise ValueError(
                "The `kernel_size` argument should be a number (or a list of two numbers) "
                f"Received: kernel_size={size}"
            )
        values = tuple(size) if many else (size, size)
        if not all(isinstance(v, (int, float)) and v % 2 for v in values):
            raise ArgumentError(f"kernel_size must be an odd number. Received: kernel_size={size}")
        return values

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Whether each image is changed, (n,), and the sigmas along columns and rows, (2,)."""
        if not training:
            return None
        happens = self._happens(self._drawn_for(data)[1], seed)
        sigma = self._uniform((2,), *self.sigma, seed, self.compute_dtype) + 1e-6
        return {"should_apply_blur": happens, "blur_factor": sigma}

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        images = ops.cast(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        smooth = ops.image.gaussian_blur(
            images, self.kernel_size, transformation["blur_factor"], data_format=self.data_format
        )
        images = ops.where(transformation["should_apply_blur"][:, None, None, None], smooth, images)
        return ops.cast(ops.clip(images, *self.value_range), self.compute_dtype)
