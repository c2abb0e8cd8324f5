"""Images with parts of others: RandomErasing, CutMix, MixUp."""

from __future__ import annotations

from typing import Any

from kcompile import ops, random
from kcompile.layers.preprocessing.image.base import BaseImagePreprocessingLayer, ColorLayer


class BoxLayer(BaseImagePreprocessingLayer):
    """Base of layers that replace the inside of a random box."""

    _USE_BASE_FACTOR = False
    _FACTOR_BOUNDS = (0, 1)

    def _bounds(self, count: Any, length: Any, share: Any, seed: Any) -> tuple[Any, Any]:
        """Where boxes of these shares (n,) of the length begin and end."""
        size = ops.cast(ops.multiply(share, length), self.compute_dtype)
        start = self._uniform((count,), 0.0, 1.0, seed, self.compute_dtype) * ops.subtract(length, size)
        return start, start + size

    def _box_masks(self, shape: Any, box: tuple[Any, Any, Any, Any]) -> Any:
        """Is a pixel inside of the box (x0, x1, y0, y1)? (n, h, w, c), or in the layer's data format."""
        height, width = shape[self.height_axis], shape[self.width_axis]
        first = self.data_format == "channels_first"
        y = ops.arange(height, dtype=self.compute_dtype)[
            (slice(None), None) if first else (slice(None), None, None)
        ]
        x = ops.arange(width, dtype=self.compute_dtype)[(slice(None),) if first else (slice(None), None)]
        x0, x1, y0, y1 = (b[:, None, None, None] for b in box)
        across, down = ops.logical_and(x >= x0, x < x1), ops.logical_and(y >= y0, y < y1)
        channels = shape[self.channel_axis]
        whole = (channels, height, width) if first else (height, width, channels)
        return ops.broadcast_to(ops.logical_and(across, down), (x0.shape[0], *whole))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class RandomErasing(BoxLayer, ColorLayer):
    """In training, a box of each image replaced by noise or one colour.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same.
    Args:    factor: the probability, or (least, largest). scale: the box's share of the image's area, or
             (least, largest). fill_value: a number, one per channel, or None for noise. value_range: what
             the filling is clipped to.
    """

    _SETTINGS = ("factor", "scale", "fill_value", "value_range", "seed")

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = (0.02, 0.33),
        fill_value: Any = None,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self._set_factor(factor)
        self.scale = self._factor_range("scale", scale)
        self.fill_value, self.value_range = fill_value, value_range
        self._make_generator(seed)

    def _filling(self, shape: Any, seed: Any) -> Any:
        value, dtype = self.fill_value, self.compute_dtype
        if value is None:
            seed = self.generator if seed is None else seed
            filling = random.normal(shape, dtype=dtype, seed=seed) * self.value_range[1]
        elif isinstance(value, (int, float)) or (isinstance(value, (tuple, list)) and len(value) == 3):
            filling = ops.broadcast_to(ops.convert_to_tensor(value, dtype=dtype), shape)
        else:
            raise ValueError(
                "The `fill_value` argument should be a number (or a list of three numbers). "
                f"Received: fill_value={value}"
            )
        return ops.clip(filling, *self.value_range)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Whether each image is changed, (n,), which pixels, and what they become."""
        if not training:
            return None
        shape, count, (height, width) = self._drawn_for(data)
        share = ops.sqrt(self._uniform((count, 2), *self.scale, seed, self.compute_dtype))
        across = self._bounds(count, width, share[:, 0], seed)
        down = self._bounds(count, height, share[:, 1], seed)
        masks = self._box_masks(shape, (*across, *down))
        happens = self._happens(count, seed)
        filling = self._filling(shape, seed)
        return {"apply_erasing": happens, "batch_masks": masks, "fill_value": filling}

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        images = ops.cast(images, self.compute_dtype)
        if not training:
            return images
        happens = transformation["apply_erasing"][:, None, None, None]
        erased = ops.logical_and(happens, transformation["batch_masks"])
        return ops.where(erased, transformation["fill_value"], images)


class CutMix(BoxLayer):
    """In training, a box of each image taken from another image of the batch, and labels mixed accordingly.

    Shapes:  images (n, h, w, c), labels (n, classes) of floats -> the same. A single image stays as it is.
    Args:    factor: the parameter of the beta distribution that the box's area comes from, or (least,
             largest).
    Source:  Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers", 2019.
    """

    _SETTINGS = ("factor", "seed")

    def __init__(
        self, factor: Any = 1.0, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ):
        super().__init__(data_format=data_format, **kwargs)
        self._set_factor(factor)
        self._make_generator(seed)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The other images, (n,), which pixels come from them, and the shares of the own ones."""
        shape, count, (height, width) = self._drawn_for(data)
        if not training or len(shape) == 3:
            return None
        dtype, source = self.compute_dtype, self.generator if seed is None else seed
        alpha = self._uniform((), *self.factor, seed, dtype) + 1e-6
        own = random.beta((count,), alpha, alpha, dtype=dtype, seed=source)
        share = ops.sqrt(1.0 - own)
        x0, x1 = self._bounds(count, width, share, seed)
        y0, y1 = self._bounds(count, height, share, seed)
        masks = self._box_masks(shape, (x0, x1, y0, y1))
        area = ops.multiply(x1 - x0, y1 - y0)
        own = 1.0 - ops.true_divide(area, ops.multiply(ops.cast(width, dtype), height))
        order = random.shuffle(ops.arange(count, dtype="int32"), seed=source)
        weight = own[:, None, None, None]
        return {"permutation_order": order, "batch_masks": masks, "mix_weight": weight}

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        images = ops.cast(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        others = ops.take(images, transformation["permutation_order"], axis=0)
        return ops.where(transformation["batch_masks"], others, images)

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        if not training or transformation is None:
            return labels
        return mixed(labels, transformation, 2)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return self.transform_images(segmentation_masks, transformation, training)


def mixed(x: Any, transformation: Any, rank: int) -> Any:
    """x and x of the other images, by the weights of the transformation."""
    others = ops.take(x, transformation["permutation_order"], axis=0)
    weight = ops.reshape(transformation["mix_weight"], (-1, *(1,) * (rank - 1)))
    return weight * x + (1.0 - weight) * others


class MixUp(BaseImagePreprocessingLayer):
    """In training, each image mixed with another one of the batch, and their labels too.

    Shapes:  images (n, h, w, c), labels (n, classes) of floats -> the same.
    Args:    alpha: the parameter of the beta distribution that the weights come from.
    Source:  Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018.
    """

    _SETTINGS = ("alpha", "seed")

    def __init__(
        self, alpha: float = 0.2, data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.alpha = alpha
        self._make_generator(seed)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The other images and the weights of the own ones, (n,) each."""
        count, source = self._drawn_for(data)[1], self.generator if seed is None else seed
        order = random.shuffle(ops.arange(count, dtype="int32"), seed=source)
        return {
            "mix_weight": random.beta((count,), self.alpha, self.alpha, seed=source),
            "permutation_order": order,
        }

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        if not training:
            return images
        images = ops.cast(images, self.compute_dtype)
        return ops.cast(mixed(images, transformation, 4), self.compute_dtype)

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        return mixed(labels, transformation, 2) if training else labels

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return mixed(segmentation_masks, transformation, 4) if training else segmentation_masks

    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Any, training: bool = True
    ) -> dict[str, Any]:
        """The boxes of both images; the labels of the others follow along the first axis, as in Keras."""
        if not training:
            return bounding_boxes
        order = transformation["permutation_order"]
        boxes, labels = bounding_boxes["boxes"], bounding_boxes["labels"]
        return {
            "boxes": ops.concatenate([boxes, ops.take(boxes, order, axis=0)], axis=1),
            "labels": ops.concatenate([labels, ops.take(labels, order, axis=0)], axis=0),
        }

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape
