"""Colour: RandomSaturation, RandomHue, RandomColorDegeneration, RandomGrayscale, RandomColorJitter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcompile import ops
from kcompile.core import config
from kcompile.layers.preprocessing.image.base import ColorLayer, FactorLayer
from kcompile.layers.preprocessing.image.tone import RandomBrightness, RandomContrast


class HueLayer(FactorLayer):
    """Base of layers that change hue or saturation."""

    def _changed(self, images: Any, channel: int, change: Callable[[Any], Any]) -> Any:
        """RGB images with one channel of hue, saturation and value changed."""
        hsv = ops.image.rgb_to_hsv(images, data_format=self.data_format)
        axis = self.channel_axis % 4
        at: list[Any] = [slice(None)] * axis
        planes = [hsv[(*at, k)] for k in range(3)]
        planes[channel] = change(planes[channel])
        return ops.image.hsv_to_rgb(ops.stack(planes, axis=axis), data_format=self.data_format)


class RandomSaturation(HueLayer):
    """In training, the saturation of RGB images in [0, 1] scaled by a random factor.

    Shapes:  (h, w, 3) or (n, h, w, 3) -> the same.
    Args:    factor: f scales by f / (1 - f): 0 is grey, 0.5 changes nothing, 1 is all colour. A number
             stands for (-number, number), or (least, largest). value_range: what the saturation is clipped
             to.
    Raises:  ValueError for integers.
    """

    _FACTOR_BOUNDS = (-1, 1)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The scales, (n,)."""
        factor = self._uniform((self._drawn_for(data)[1],), *self.factor, seed)
        return {"factor": factor / (1 - factor + config.epsilon())}

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        if not training:
            return images
        scale = ops.cast(transformation["factor"], self.compute_dtype)[:, None, None]
        return self._changed(images, 1, lambda s: ops.clip(s * scale, *self.value_range))


class RandomHue(HueLayer):
    """In training, the hue of RGB images moved by a random angle.

    Shapes:  (h, w, 3) or (n, h, w, 3) -> the same.
    Args:    factor: a share of half a turn, in both directions, or (least, largest), in [0, 1].
             value_range: of the images.
    """

    _FACTOR_BOUNDS = (0, 1)
    _SORTS_RANGE = False

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Shares of a turn, (n,)."""
        count = self._drawn_for(data)[1]
        sign = ops.where(self._uniform((count,), 0.0, 1.0, seed) > 0.5, -1.0, 1.0)
        return {"factor": sign * self._uniform((count,), *self.factor, seed) * 0.5}

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        if not training:
            return images
        images = self._transform_value_range(ops.cast(images, self.compute_dtype), self.value_range, (0, 1))
        turn = ops.cast(transformation["factor"], images.dtype)[:, None, None]

        def turned(hue: Any) -> Any:
            hue = hue + turn
            hue = ops.where(hue > 1.0, hue - 1.0, hue)
            return ops.where(hue < 0.0, hue + 1.0, hue)

        images = ops.clip(self._changed(images, 0, turned), 0, 1)
        images = self._transform_value_range(images, (0, 1), self.value_range)
        return ops.cast(images, self.compute_dtype)


class RandomColorDegeneration(FactorLayer):
    """In training, RGB images on their way to grey.

    Shapes:  (h, w, 3) or (n, h, w, 3) -> the same.
    Args:    factor: 0 changes nothing, 1 is grey; a number stands for (-number, number), or (least,
             largest). value_range: what results are clipped to.
    """

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """How far to go, (n, 1, 1, 1)."""
        return {"factor": self._uniform((self._drawn_for(data)[1], 1, 1, 1), *self.factor, seed)}

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        if not training:
            return images
        images = ops.cast(images, self.compute_dtype)
        way = ops.cast(transformation["factor"], self.compute_dtype)
        grey = ops.image.rgb_to_grayscale(images, data_format=self.data_format)
        mixed = ops.clip(images + way * (grey - images), *self.value_range)
        return ops.cast(mixed, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if len(input_shape) not in (3, 4):
            raise ValueError(
                "Invalid images rank: expected rank 3 (single image) or rank 4 (batch of images). "
                f"Received: input_shape={input_shape}"
            )
        channels = input_shape[self.channel_axis]
        if channels is not None and channels != 3:
            raise ValueError(
                f"Input images must have 3 channels, but received images with {channels} channels."
            )
        return input_shape


class RandomGrayscale(ColorLayer):
    """In training, some RGB images in grey, with three equal channels.

    Shapes:  (h, w, 3) or (n, h, w, 3) -> the same.
    Args:    factor: the probability.
    """

    _SETTINGS = ("factor",)

    def __init__(
        self, factor: float = 0.5, data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ):
        super().__init__(data_format=data_format, **kwargs)
        if factor < 0 or factor > 1:
            raise ValueError(f"`factor` should be between 0 and 1. Received: factor={factor}")
        self.factor = factor  # type: ignore[assignment]
        self._make_generator(seed)

    def get_random_transformation(self, images: Any, training: bool = True, seed: Any = None) -> Any:
        """Whether each image is changed, (n, 1, 1, 1)."""
        draws = self._uniform((self._drawn_for(images)[1],), 0.0, 1.0, seed)
        return (draws < self.factor)[:, None, None, None]

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        if not training:
            return images
        if transformation is None:
            transformation = self.get_random_transformation(images)
        grey = ops.image.rgb_to_grayscale(images, data_format=self.data_format)
        return ops.where(transformation, grey, images)

    # All but images stays as it is, whatever else Keras's callers hand over.

    def transform_bounding_boxes(self, bounding_boxes: Any, *args: Any, **kwargs: Any) -> Any:
        return bounding_boxes

    def transform_labels(  # type: ignore[override]
        self, labels: Any, transformations: Any = None, **kwargs: Any
    ) -> Any:
        return labels

    def transform_segmentation_masks(  # type: ignore[override]
        self, segmentation_masks: Any, transformations: Any = None, **kwargs: Any
    ) -> Any:
        return segmentation_masks


class RandomColorJitter(ColorLayer):
    """In training, brightness, contrast, saturation and hue changed at random, in this order.

    Shapes:  (h, w, 3) or (n, h, w, 3) -> the same.
    Args:    brightness_factor, contrast_factor, saturation_factor, hue_factor: as of the single layers; None
             leaves one out. value_range: of the images.
    """

    _SETTINGS = (
        *("value_range", "brightness_factor", "contrast_factor", "saturation_factor", "hue_factor"),
        "seed",
    )

    def __init__(
        self,
        value_range: Any = (0, 255),
        brightness_factor: Any = None,
        contrast_factor: Any = None,
        saturation_factor: Any = None,
        hue_factor: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = value_range
        self.brightness_factor, self.contrast_factor = brightness_factor, contrast_factor
        self.saturation_factor, self.hue_factor = saturation_factor, hue_factor
        self._make_generator(seed)
        how = {"value_range": value_range, "seed": seed, "data_format": data_format}

        def made(layer: Any, factor: Any) -> Any:
            return None if factor is None else layer(factor=factor, **how)

        self.random_brightness = made(RandomBrightness, brightness_factor)
        self.random_contrast = made(RandomContrast, contrast_factor)
        self.random_saturation = made(RandomSaturation, saturation_factor)
        self.random_hue = made(RandomHue, hue_factor)

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        if not training:
            return images
        images = ops.cast(images, self.compute_dtype)
        steps = (self.random_brightness, self.random_contrast, self.random_saturation, self.random_hue)
        for layer in steps:
            if layer is not None:
                own = layer.get_random_transformation(images, seed=self.generator)
                images = layer.transform_images(images, own)
        return ops.cast(images, self.compute_dtype)
