"""The base of image layers: one random transformation for images, labels, bounding boxes and masks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from kcompile import ops, random
from kcompile.layers.arguments import data_format_name
from kcompile.layers.layer import Layer
from kcompile.layers.preprocessing.graph_tensors import call_in_graph, is_in_graph, outside_of_autograph
from kcompile.layers.preprocessing.image import boxes as boxes_of
from kcompile.trace.seed_generator import SeedGenerator


class BaseImagePreprocessingLayer(Layer):
    """Layers that take images (h, w, c) or (n, h, w, c), or a dictionary with "images" and, if given,
    "labels", "bounding_boxes" and "segmentation_masks".

    `get_random_transformation` draws what happens in this call; the `transform_*` methods do it.
    """

    _SETTINGS: tuple[str, ...] = ()  # attributes that the config holds
    _USE_BASE_FACTOR = True
    _FACTOR_BOUNDS: tuple[float, float] = (-1, 1)

    interpolation: str
    factor: tuple[Any, Any]
    seed: Any

    def __init__(
        self,
        factor: Any = None,
        bounding_box_format: str | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.bounding_box_format = bounding_box_format
        self.data_format = data_format_name(data_format)
        if self._USE_BASE_FACTOR:
            self._set_factor(factor or 0.0)
        elif factor is not None:
            raise ValueError(
                f"Layer {type(self).__name__} does not take a `factor` argument. Received: factor={factor}"
            )

    # --- arguments ------------------------------------------------------------------------------------------

    def _set_factor(self, factor: Any) -> None:
        self.factor = self._factor_range("factor", factor)

    def _factor_range(self, name: str, factor: Any) -> tuple[Any, Any]:
        """(least, largest) from a pair, or from one number that is meant in both directions."""
        low, high = self._FACTOR_BOUNDS
        error = (
            f"The `{name}` argument should be a number (or a list of two numbers) in the range "
            f"[{low}, {high}]. Received: {name}={factor}"
        )
        if isinstance(factor, (tuple, list)):
            if len(factor) != 2 or factor[0] > high or factor[1] < low:
                raise ValueError(error)
            return tuple(sorted(factor))
        if not isinstance(factor, (int, float)) or not low <= factor <= high:
            raise ValueError(error)
        return max(-abs(factor), low), abs(factor)

    def _make_generator(self, seed: int | None) -> None:
        self.seed = seed
        self.generator = SeedGenerator(seed)

    # --- what happens in a call -----------------------------------------------------------------------------

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """What this call does with every image: random numbers, or None. For the `transform_*` methods."""
        return None

    def _transform_images(self, images: Any, transformation: Any, interpolation: str) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no `_transform_images`.")

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        """Images (n, h, w, c) after the transformation."""
        images = ops.cast(images, self.compute_dtype)
        return self._transform_images(images, transformation, self.interpolation) if training else images

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        """Labels after the transformation."""
        return labels

    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Any, training: bool = True
    ) -> dict[str, Any]:
        """A dictionary of boxes after the transformation."""
        raise NotImplementedError(f"{type(self).__name__} does not take bounding boxes.")

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        """Masks (n, h, w, c) after the transformation."""
        if not training:
            return segmentation_masks
        return self._transform_images(segmentation_masks, transformation, "nearest")

    # --- one image ------------------------------------------------------------------------------------------

    def transform_single_image(self, image: Any, transformation: Any, training: bool = True) -> Any:
        return self._single(self.transform_images, image, transformation, training)

    def transform_single_label(self, label: Any, transformation: Any, training: bool = True) -> Any:
        return self._single(self.transform_labels, label, transformation, training)

    def transform_single_segmentation_mask(
        self, segmentation_mask: Any, transformation: Any, training: bool = True
    ) -> Any:
        return self._single(self.transform_segmentation_masks, segmentation_mask, transformation, training)

    def transform_single_bounding_box(
        self, bounding_box: dict[str, Any], transformation: Any, training: bool = True
    ) -> dict[str, Any]:
        batch = {k: ops.expand_dims(v, 0) if k in ("boxes", "labels") else v for k, v in bounding_box.items()}
        found = self.transform_bounding_boxes(batch, transformation=transformation, training=training)
        return {k: ops.squeeze(v, 0) if k in ("boxes", "labels") else v for k, v in found.items()}

    @staticmethod
    def _single(function: Callable[..., Any], x: Any, transformation: Any, training: bool) -> Any:
        y = function(ops.expand_dims(x, 0), transformation=transformation, training=training)
        return ops.squeeze(y, 0)

    # --- calling --------------------------------------------------------------------------------------------

    @outside_of_autograph
    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        if is_in_graph(inputs):
            return call_in_graph(lambda x: self(x, **kwargs), inputs)
        if isinstance(inputs, dict) and "bounding_boxes" in inputs:
            if not self.bounding_box_format:
                raise ValueError(
                    "You passed an input with a 'bounding_boxes' key, but you didn't specify a bounding box "
                    "format. Pass a `bounding_box_format` argument to your "
                    f"{type(self).__name__} layer, e.g. `bounding_box_format='xyxy'`."
                )
            inputs = {**inputs, "bounding_boxes": boxes_of.densified(inputs["bounding_boxes"])}
        return super().__call__(inputs, **kwargs)

    def convert_weight(self, weight: Any) -> Any:
        """The weight as it is: there is one backend, in data pipelines as in models."""
        return weight

    def call(self, data: Any, training: bool = True) -> Any:
        how = {
            "transformation": self.get_random_transformation(data, training=training),
            "training": training,
        }
        if not isinstance(data, dict):
            many = self._is_batched(data)
            return (self.transform_images if many else self.transform_single_image)(data, **how)
        many = self._is_batched(data["images"])
        steps = {
            "images": (self.transform_images, self.transform_single_image),
            "bounding_boxes": (self.transform_bounding_boxes, self.transform_single_bounding_box),
            "labels": (self.transform_labels, self.transform_single_label),
            "segmentation_masks": (
                self.transform_segmentation_masks, self.transform_single_segmentation_mask,
            ),
        }  # fmt: skip
        result = dict(data)
        for name, (batch, single) in steps.items():
            if name in data:
                result[name] = (batch if many else single)(result[name], **how)
        return result

    @staticmethod
    def _is_batched(images: Any) -> bool:
        if len(images.shape) not in (3, 4):
            raise ValueError(
                "Expected image tensor to have rank 3 (single image) or 4 (batch of images). "
                f"Received: data.shape={images.shape}"
            )
        return len(images.shape) == 4

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "data_format": self.data_format}
        if self.bounding_box_format is not None:
            config["bounding_box_format"] = self.bounding_box_format
        return {**config, **{name: getattr(self, name) for name in self._SETTINGS}}

    # --- for subclasses -------------------------------------------------------------------------------------

    @property
    def height_axis(self) -> int:
        return -2 if self.data_format == "channels_first" else -3

    @property
    def width_axis(self) -> int:
        return self.height_axis + 1

    @property
    def channel_axis(self) -> int:
        return -3 if self.data_format == "channels_first" else -1

    def _drawn_for(self, data: Any) -> tuple[Any, Any, Any]:
        """The images' shape, their number and height and width."""
        images = data["images"] if isinstance(data, dict) else data
        many = self._is_batched(images)
        shape = tuple(images.shape)
        return shape, shape[0] if many else 1, (shape[self.height_axis], shape[self.width_axis])

    def _uniform(self, shape: Any, low: Any, high: Any, seed: Any, dtype: Any = None) -> Any:
        """Uniform draws with the given seed, or from the layer's own generator."""
        return random.uniform(shape, low, high, dtype=dtype, seed=self.generator if seed is None else seed)

    def _happens(self, count: Any, seed: Any) -> Any:
        """For each image, does it happen? With a probability drawn from `factor`."""
        probability = self._uniform((count,), *self.factor, seed)
        return self._uniform((count,), 0.0, 1.0, seed) < probability

    def _transform_value_range(self, images: Any, source: Any, target: Any, dtype: str = "float32") -> Any:
        """Images whose brightness was in the range `source`, in `target`."""
        if tuple(source) == tuple(target):
            return images
        low, high = (ops.cast(v, dtype) for v in source)
        new_low, new_high = (ops.cast(v, dtype) for v in target)
        return (ops.cast(images, dtype) - low) / (high - low) * (new_high - new_low) + new_low

    def _affine_matrix(self, angle: Any, size: tuple[Any, Any]) -> Any:
        """Maps (n, 8) that turn images of this size around their middle by degrees (n,)."""
        height, width = (ops.cast(ops.convert_to_tensor(d), angle.dtype) for d in size)
        cx, cy = 0.5 * (width - 1), 0.5 * (height - 1)
        turn = angle * (math.pi / 180.0)
        cos, sin, zero = ops.cos(turn), ops.sin(turn), ops.zeros_like(turn)
        rows = [cos, -sin, cx - cx * cos + cy * sin, sin, cos, cy - cx * sin - cy * cos, zero, zero]
        return ops.stack(rows, axis=1)


class ColorLayer(BaseImagePreprocessingLayer):
    """Base of layers that change brightness or colour: shapes, boxes, labels and masks stay as they are."""

    value_range: Any

    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Any, training: bool = True
    ) -> dict[str, Any]:
        return bounding_boxes

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return segmentation_masks

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class FactorLayer(ColorLayer):
    """Base of layers that draw how much they do from `factor`.

    Args:    factor: as each layer says. value_range: the brightness of the images, (least, largest).
    """

    _SETTINGS: tuple[str, ...] = ("factor", "value_range", "seed")
    _USE_BASE_FACTOR = False
    _SORTS_RANGE = True  # is the range checked and sorted?

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self._set_factor(factor)
        self.value_range = value_range_of(value_range) if self._SORTS_RANGE else value_range
        self._make_generator(seed)


VALUE_RANGE_ERROR = "The `value_range` argument should be a list of two numbers. Received: value_range="


def value_range_of(value_range: Any) -> list[Any]:
    """A checked and sorted pair of numbers."""
    if not isinstance(value_range, (tuple, list)) or len(value_range) != 2:
        raise ValueError(f"{VALUE_RANGE_ERROR}{value_range}")
    return sorted(value_range)
