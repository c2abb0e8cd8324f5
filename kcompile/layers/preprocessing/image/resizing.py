"""Resizing."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.layers.preprocessing.image import boxes as boxes_of
from kcompile.layers.preprocessing.image.base import BaseImagePreprocessingLayer
from kcompile.layers.preprocessing.image.boxes import clip_to_image_size, convert_format


class Resizing(BaseImagePreprocessingLayer):
    """Images in the size (height, width), in training and inference.

    Shapes:  (h, w, c) or (n, h, w, c) -> (..., height, width, c), in the images' dtype.
    Args:    as of `ops.image.resize`.

    >>> import numpy as np
    >>> Resizing(2, 2)(np.arange(16.0).reshape(4, 4, 1))[..., 0].tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """

    _SETTINGS = (
        *("height", "width", "interpolation", "crop_to_aspect_ratio", "pad_to_aspect_ratio"),
        *("fill_mode", "fill_value", "antialias"),
    )
    _USE_BASE_FACTOR = False

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.height, self.width = height, width
        self.interpolation = interpolation
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = crop_to_aspect_ratio, pad_to_aspect_ratio
        self.fill_mode, self.fill_value = fill_mode, fill_value
        self.antialias = bool(antialias)

    def _transform_images(self, images: Any, transformation: Any, interpolation: str) -> Any:
        return ops.image.resize(
            images,
            (self.height, self.width),
            interpolation=interpolation,
            antialias=self.antialias,
            crop_to_aspect_ratio=self.crop_to_aspect_ratio,
            pad_to_aspect_ratio=self.pad_to_aspect_ratio,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            data_format=self.data_format,
        )

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        return self._transform_images(images, transformation, self.interpolation)

    def transform_labels(self, labels: Any, transformation: Any = None, training: bool = True) -> Any:
        return labels

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        return self._transform_images(segmentation_masks, transformation, "nearest")

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The height and width of the images."""
        return self._drawn_for(data)[2]

    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Any, training: bool = True
    ) -> dict[str, Any]:
        height, width = transformation
        given = bounding_boxes["boxes"]
        absent = ops.logical_or(ops.all(ops.equal(given, -1), axis=-1), ops.all(ops.equal(given, 0), axis=-1))
        found = convert_format(dict(bounding_boxes), self.bounding_box_format or "", "xyxy", height, width)
        found["boxes"] = self._moved(found["boxes"], *(boxes_of.number(d, "float32") for d in transformation))
        found = clip_to_image_size(found, self.height, self.width)
        found["boxes"] = ops.where(ops.expand_dims(absent, -1), 0.0, found["boxes"])
        return convert_format(found, "xyxy", self.bounding_box_format or "", self.height, self.width)

    def _moved(self, boxes: Any, height: Any, width: Any) -> Any:
        """Corners of boxes in the resized image."""
        down, across = self.height / height, self.width / width
        left: Any = 0.0
        top: Any = 0.0
        if self.pad_to_aspect_ratio:
            down = across = ops.minimum(down, across)
            left = ops.floor((self.width - width * across) / 2)
            top = ops.floor((self.height - height * down) / 2)
        elif self.crop_to_aspect_ratio:
            wide = width / height > self.width / self.height
            new_width = ops.where(wide, self.height * (width / height), float(self.width))
            new_height = ops.where(wide, float(self.height), self.width / (width / height))
            across, down = new_width / width, new_height / height
            left = -ops.floor((new_width - self.width) / 2)
            top = -ops.floor((new_height - self.height) / 2)
        moved = (boxes[..., 0] * across + left, boxes[..., 1] * down + top)
        return ops.stack([*moved, boxes[..., 2] * across + left, boxes[..., 3] * down + top], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = list(input_shape)
        shape[self.height_axis], shape[self.width_axis] = self.height, self.width
        return tuple(shape)
