"""RandomPerspective and RandomElasticTransform."""

from __future__ import annotations

from typing import Any

from kcompile import ops, random
from kcompile.core.open_extents import are_of_placeholders
from kcompile.core.symbolic import Int
from kcompile.layers.preprocessing.image import boxes as boxes_of
from kcompile.layers.preprocessing.image.base import BaseImagePreprocessingLayer
from kcompile.layers.preprocessing.image.boxes import clip_to_image_size, convert_format
from kcompile.ops.image import elastic, sampling

FILL_MODES = {"constant", "nearest", "wrap", "mirror", "reflect"}


def check_name(name: str, value: Any, known: Any) -> str:
    if value not in known:
        raise NotImplementedError(f"Unknown `{name}` {value}. Expected of one {known}.")
    return value


class RandomPerspective(BaseImagePreprocessingLayer):
    """In training, images seen from another place: their corners move, but for the first one.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same.
    Args:    factor: the probability, or (least, largest). scale: how far corners move, at most half of it
             times their distance. interpolation: "bilinear" or "nearest". fill_value: what comes in.
    """

    _SETTINGS = ("factor", "scale", "interpolation", "fill_value", "seed")
    _USE_BASE_FACTOR = False
    _FACTOR_BOUNDS = (0, 1)

    def __init__(
        self,
        factor: Any = 1.0,
        scale: float = 1.0,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self._set_factor(factor)
        if not 0.0 <= scale <= 1.0:
            raise ValueError(
                f"The `scale` argument should be a number in the range [0,1]. Received: scale={scale}"
            )
        self.scale, self.fill_value = scale, fill_value
        self.interpolation = check_name("interpolation", interpolation, ("nearest", "bilinear"))
        self._make_generator(seed)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Whether each image is changed, (n,), and its corners before and after, (n, 4, 2)."""
        if not training:
            return None
        shape, count, (height, width) = self._drawn_for(data)
        happens, dtype = self._happens(count, seed), self.compute_dtype
        move = self._uniform((count, 4, 2), -0.5 * self.scale, 0.5 * self.scale, seed, dtype)
        right, bottom = (boxes_of.number(d, dtype) - 1 for d in (width, height))
        far = ops.convert_to_tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=dtype)
        corners = far * ops.stack([right, bottom])
        start = ops.broadcast_to(ops.expand_dims(corners, 0), (count, 4, 2))
        end = start + start * move
        found = {"apply_perspective": happens, "start_points": start, "end_points": end}
        return {**found, "input_shape": shape}

    def _transform_images(self, images: Any, transformation: Any, interpolation: str) -> Any:
        if transformation is None:
            return images
        moved = ops.image.perspective_transform(
            images,
            transformation["start_points"],
            transformation["end_points"],
            interpolation=interpolation,
            fill_value=self.fill_value,
            data_format=self.data_format,
        )
        return ops.where(transformation["apply_perspective"][:, None, None, None], moved, images)

    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Any, training: bool = True
    ) -> dict[str, Any]:
        """Boxes around the moved corners, in the format "xyxy", as Keras returns them."""
        if not training or transformation is None:
            return bounding_boxes
        shape = transformation["input_shape"]
        size = shape[self.height_axis], shape[self.width_axis]
        found = convert_format(dict(bounding_boxes), self.bounding_box_format or "", "xyxy", *size)
        x0, y0, x1, y1 = (found["boxes"][..., k] for k in range(4))
        # Images are read where the map says, so that boxes go the other way.
        back = sampling.compute_homography_matrix(
            transformation["end_points"], transformation["start_points"]
        )
        xs, ys = zip(
            *(self._seen(back, x, y) for x, y in ((x0, y0), (x1, y1), (x0, y1), (x1, y0))), strict=True
        )
        xs, ys = ops.stack(list(xs), axis=-1), ops.stack(list(ys), axis=-1)
        sides = [ops.min(xs, axis=-1), ops.min(ys, axis=-1), ops.max(xs, axis=-1), ops.max(ys, axis=-1)]
        happens = transformation["apply_perspective"][:, None, None]
        found["boxes"] = ops.where(happens, ops.stack(sides, axis=-1), found["boxes"])
        return clip_to_image_size(found, *size)

    @staticmethod
    def _seen(maps: Any, x: Any, y: Any) -> tuple[Any, Any]:
        """Points (n, k) under the maps (n, 8)."""
        a0, a1, a2, b0, b1, b2, c0, c1 = (maps[:, k, None] for k in range(8))
        depth = c0 * x + c1 * y + 1.0
        return (a0 * x + a1 * y + a2) / depth, (b0 * x + b1 * y + b2) / depth

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class RandomElasticTransform(BaseImagePreprocessingLayer):
    """In training, images whose pixels come from random places nearby.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same.
    Args:    factor: the probability, or (least, largest). scale: how far and how smooth, a share of the
             image's size, or (least, largest). interpolation: "bilinear" or "nearest". fill_mode: as of
             `ops.image.map_coordinates`. value_range: what the results are clipped to.
    """

    _SETTINGS = ("factor", "scale", "interpolation", "fill_mode", "fill_value", "value_range", "seed")
    _USE_BASE_FACTOR = False
    _FACTOR_BOUNDS = (0, 1)

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = 1.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self._set_factor(factor)
        self.scale = self._factor_range("scale", scale)
        self.interpolation = check_name("interpolation", interpolation, ("nearest", "bilinear"))
        self.fill_mode = check_name("fill_mode", fill_mode, FILL_MODES)
        self.fill_value, self.value_range = fill_value, value_range
        self._make_generator(seed)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Whether each image is changed, (n,), how strongly, (), and the seed of the displacements."""
        if not training or self.scale[1] == 0 or self.factor[1] == 0:
            return None
        _, count, _ = self._drawn_for(data)
        happens = self._happens(count, seed)
        strength = self._uniform((), *self.scale, seed, self.compute_dtype)
        key = random.draw_seed(self.generator if seed is None else seed)  # one for images and masks
        return {"apply_transform": happens, "distortion_factor": strength, "seed": key}

    def get_elastic_transform_params(self, height: Any, width: Any, factor: Any) -> tuple[Any, Any]:
        """(alpha, sigma) of `ops.image.elastic_transform`."""
        return max(height, width) * (0.1 * factor), min(height, width) * (0.05 * factor)

    def _transform_images(self, images: Any, transformation: Any, interpolation: str) -> Any:
        if transformation is None:
            return images
        height, width = images.shape[self.height_axis], images.shape[self.width_axis]
        if isinstance(height, Int) or isinstance(width, Int):
            if are_of_placeholders():
                return ops.cast(images, self.compute_dtype)
            raise ValueError(
                "RandomElasticTransform requires the input to have a fully defined height and width. "
                f"Received: images.shape={images.shape}"
            )
        alpha, sigma = self.get_elastic_transform_params(height, width, transformation["distortion_factor"])
        largest = self.get_elastic_transform_params(height, width, float(self.scale[1]))[1]
        moved = elastic.with_key(
            random.draw_seed(transformation["seed"]), images, alpha, sigma, int(6 * largest) | 1,
            interpolation, self.fill_mode, self.fill_value, self.data_format,
        )  # fmt: skip
        images = ops.where(transformation["apply_transform"][:, None, None, None], moved, images)
        return ops.cast(ops.clip(images, self.value_range[0], self.value_range[1]), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape
