"""Images moved by random affine maps: RandomTranslation, RandomRotation, RandomZoom, RandomShear."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core.errors import ArgumentError
from kcompile.layers.preprocessing.image import boxes as boxes_of
from kcompile.layers.preprocessing.image.base import BaseImagePreprocessingLayer
from kcompile.layers.preprocessing.image.boxes import clip_to_image_size, convert_format

FILL_MODES = ("reflect", "wrap", "constant", "nearest")
INTERPOLATIONS = ("nearest", "bilinear")
FILLING = ("fill_mode", "interpolation", "seed", "fill_value")


class AffineLayer(BaseImagePreprocessingLayer):
    """Base: images sampled where a map of the transformation says."""

    _USE_BASE_FACTOR = False
    _FACTOR_TEXT = "in the range [-1.0, 1.0]"

    def _settings(self, fill_mode: str, interpolation: str, seed: int | None, fill_value: float) -> None:
        for name, value, known in (
            ("fill_mode", fill_mode, FILL_MODES), ("interpolation", interpolation, INTERPOLATIONS),
        ):  # fmt: skip
            if value not in known:
                raise NotImplementedError(f"Unknown `{name}` {value}. Expected of one {known}.")
        self.fill_mode, self.interpolation, self.fill_value = fill_mode, interpolation, fill_value
        self._make_generator(seed)

    def _allowed(self, value: Any) -> bool:
        return -1.0 <= value <= 1.0

    def _pair(self, name: str, factor: Any) -> tuple[Any, Any]:
        """(least, largest) of a factor; a single number is meant in both directions."""
        error = (
            f"The `{name}` argument should be a number (or a list of two numbers) {self._FACTOR_TEXT}. "
            f"Received: {name}={factor}"
        )
        many = isinstance(factor, (tuple, list))
        values = tuple(factor) if many else (factor,)
        if len(values) != 1 + many or not all(
            isinstance(v, (int, float)) and self._allowed(v) for v in values
        ):
            raise ArgumentError(error)
        return tuple(sorted(values)) if many else (-abs(factor), abs(factor))

    def _map_columns(self, transformation: Any, size: tuple[Any, Any]) -> tuple[Any, ...]:
        """The first six columns (n,) of the maps for images of this height and width; the others are 0."""
        raise NotImplementedError

    def _map(self, transformation: Any, size: tuple[Any, Any]) -> Any:
        """The maps (n, 8)."""
        return map_rows(*self._map_columns(transformation, size))

    def _transform_images(self, images: Any, transformation: Any, interpolation: str) -> Any:
        if transformation is None:
            return images
        return self.moved(images, self.maps_for(images, transformation), interpolation)

    def maps_for(self, images: Any, transformation: Any) -> Any:
        """The maps (n, 8) of a transformation of these images; (8,) stands for all of them."""
        return self._map(transformation, self._size_of(images))

    def columns_for(self, images: Any, transformation: Any) -> tuple[Any, ...]:
        """The six columns (n,) of these maps that are not 0."""
        return self._map_columns(transformation, self._size_of(images))

    def _size_of(self, images: Any) -> tuple[Any, Any]:
        return images.shape[self.height_axis], images.shape[self.width_axis]

    def moved(self, images: Any, maps: Any, interpolation: str) -> Any:
        """Images read where the maps say, filled as the layer fills."""
        return ops.image.affine_transform(
            images,
            maps,
            interpolation=interpolation,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            data_format=self.data_format,
        )

    def _image_size(self, transformation: Any) -> tuple[Any, Any]:
        shape = transformation["input_shape"]
        return shape[self.height_axis], shape[self.width_axis]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


def map_rows(*columns: Any) -> Any:
    """Maps (n, 8) from six columns (n,)."""
    zero = ops.zeros_like(columns[0])
    return ops.stack([*columns, zero, zero], axis=1)


class RandomTranslation(AffineLayer):
    """In training, images moved by random shares of their height and width.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same.
    Args:    height_factor, width_factor: a share, meant in both directions, or (least, largest); positive
             moves down and right. fill_mode: what comes in, "reflect", "wrap", "constant" (fill_value) or
             "nearest". interpolation: "bilinear" or "nearest".
    """

    _SETTINGS = ("height_factor", "width_factor", *FILLING)

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._rows, self._columns = (
            self._pair("height_factor", height_factor),
            self._pair("width_factor", width_factor),
        )
        self._settings(fill_mode, interpolation, seed, fill_value)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Pixels to the right and down, (n, 2)."""
        if not training:
            return None
        shape, count, (height, width) = self._drawn_for(data)
        down = ops.multiply(self._uniform((count, 1), *self._rows, seed), height)
        right = ops.multiply(self._uniform((count, 1), *self._columns, seed), width)
        both = ops.cast(ops.concatenate([right, down], axis=1), "float32")
        return {"translations": both, "input_shape": shape}

    def _map_columns(self, transformation: Any, size: tuple[Any, Any]) -> tuple[Any, ...]:
        right, down = transformation["translations"][:, 0], transformation["translations"][:, 1]
        one, zero = ops.ones_like(right), ops.zeros_like(right)
        return one, zero, -right, zero, one, -down

    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Any, training: bool = True
    ) -> dict[str, Any]:
        if not training:
            return bounding_boxes
        size, form = self._image_size(transformation), self.bounding_box_format or ""
        found = convert_format(dict(bounding_boxes), form, "xyxy", *size)
        move = transformation["translations"]
        step = ops.concatenate([move, move], axis=1)
        step = ops.expand_dims(step, 1) if len(found["boxes"].shape) == 3 else step
        found["boxes"] = found["boxes"] + step
        found = clip_to_image_size(found, *size)
        return convert_format(found, "xyxy", form, *size)


class RandomRotation(AffineLayer):
    """In training, images turned around their middle by a random angle.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same.
    Args:    factor: a share of a full turn, meant in both directions, or (least, largest); positive turns
             counter-clockwise. fill_mode, interpolation: as of `RandomTranslation`.
    """

    _USE_BASE_FACTOR = True
    _SETTINGS = ("factor", "fill_mode", "fill_value", "interpolation", "seed")

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(factor=factor, data_format=data_format, **kwargs)
        self._settings(fill_mode, interpolation, seed, fill_value)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Degrees (n,), and the maps."""
        if not training:
            return None
        shape, count, size = self._drawn_for(data)
        angle = self._uniform((count,), self.factor[0] * 360.0, self.factor[1] * 360.0, seed)
        matrix = self._affine_matrix(angle, size)
        if len(shape) == 3:
            matrix = ops.squeeze(matrix, axis=0)
        found = {"angle": angle, "rotation_matrix": matrix, "batch_size": count}
        return {**found, "image_height": size[0], "image_width": size[1]}

    def _map_columns(self, transformation: Any, size: tuple[Any, Any]) -> tuple[Any, ...]:
        rows = ops.reshape(transformation["rotation_matrix"], (-1, 8))
        return tuple(rows[:, k] for k in range(6))

    def _map(self, transformation: Any, size: tuple[Any, Any]) -> Any:
        return transformation["rotation_matrix"]

    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Any, training: bool = True
    ) -> dict[str, Any]:
        if not training:
            return bounding_boxes
        angle, size = transformation["angle"], (transformation["image_height"], transformation["image_width"])
        zero = ops.zeros_like(angle)
        boxes = boxes_of.affine_transform(
            bounding_boxes["boxes"], angle, zero, zero, ops.ones_like(angle), zero, zero, *size
        )
        found = clip_to_image_size({**bounding_boxes, "boxes": boxes}, *size)
        return convert_format(found, "xyxy", self.bounding_box_format or "", *size)


class RandomZoom(AffineLayer):
    """In training, images seen from nearer or farther.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same.
    Args:    height_factor: a share, meant in both directions, or (least, largest); positive zooms out.
             width_factor: as the height's unless given. fill_mode, interpolation: as of
             `RandomTranslation`.
    """

    _FACTOR_TEXT = "in the range (-1.0, 1.0]"
    _SETTINGS = ("height_factor", "width_factor", *FILLING)

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._rows = self._pair("height_factor", height_factor)
        self._columns = None if width_factor is None else self._pair("width_factor", width_factor)
        self._settings(fill_mode, interpolation, seed, fill_value)

    def _allowed(self, value: Any) -> bool:
        return -1.0 < value <= 1.0

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Input pixels per output pixel, (n, 1) in each direction."""
        if not training:
            return None
        shape, count, _ = self._drawn_for(data)
        down = self._uniform((count, 1), 1.0 + self._rows[0], 1.0 + self._rows[1], seed)
        across = down
        if self._columns is not None:
            across = self._uniform((count, 1), 1.0 + self._columns[0], 1.0 + self._columns[1], seed)
        return {"height_zoom": down, "width_zoom": across, "input_shape": shape}

    def _map_columns(self, transformation: Any, size: tuple[Any, Any]) -> tuple[Any, ...]:
        across, down, left, top = self._window(transformation, size)
        zero = ops.zeros_like(across)
        return across, zero, left, zero, down, top

    def _window(self, transformation: Any, size: tuple[Any, Any]) -> tuple[Any, Any, Any, Any]:
        """Zooms (n,) and the first column and row that are seen."""
        across, down = (ops.cast(transformation[k][:, 0], "float32") for k in ("width_zoom", "height_zoom"))
        height, width = (boxes_of.number(d, "float32") for d in size)
        return across, down, (width - 1.0) / 2.0 * (1.0 - across), (height - 1.0) / 2.0 * (1.0 - down)

    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Any, training: bool = True
    ) -> dict[str, Any]:
        if not training:
            return bounding_boxes
        size, form = self._image_size(transformation), self.bounding_box_format or ""
        found = convert_format(dict(bounding_boxes), form, "xyxy", *size)
        lengths = [boxes_of.number(d, "float32") for d in size]
        across, down, left, top = (v[:, None, None] for v in self._window(transformation, size))
        right, bottom = left + across * lengths[1], top + down * lengths[0]
        limits = ((left, right), (top, bottom)) * 2
        parts = zip(ops.split(found["boxes"], 4, axis=-1), limits, strict=True)
        inside = [ops.minimum(ops.maximum(p, a), b) - a for p, (a, b) in parts]
        found["boxes"] = ops.concatenate(inside, axis=-1)
        seen = (bottom - top, right - left)
        found = convert_format(found, "xyxy", "rel_xyxy", *seen)
        found = clip_to_image_size(found, *seen, bounding_box_format="rel_xyxy")
        return convert_format(found, "rel_xyxy", form, *size)


class RandomShear(AffineLayer):
    """In training, images slanted.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same.
    Args:    x_factor, y_factor: pixels per pixel in [0, 1], in both directions, or (least, largest), whose
             sign is drawn too. fill_mode, interpolation: as of `RandomTranslation`.
    """

    _FACTOR_TEXT = "in the range [0, 1.0]"
    _SETTINGS = ("x_factor", "y_factor", *FILLING)

    def __init__(
        self,
        x_factor: Any = 0.0,
        y_factor: Any = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.x_factor, self.y_factor = self._pair("x_factor", x_factor), self._pair("y_factor", y_factor)
        self._settings(fill_mode, interpolation, seed, fill_value)

    def _allowed(self, value: Any) -> bool:
        return 0.0 <= value <= 1.0

    def _pair(self, name: str, factor: Any) -> tuple[Any, Any]:
        if isinstance(factor, (tuple, list)) and len(factor) == 2 and factor[0] == -factor[1]:
            factor = factor[1]  # what the config of a layer with a single number says
        return super()._pair(name, factor)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Pixels to the side per row and downwards per column, (n, 2)."""
        if not training:
            return None
        shape, count, _ = self._drawn_for(data)
        dtype = self.compute_dtype
        sign = ops.where(self._uniform((count, 1), 0.0, 1.0, seed, dtype) > 0.5, -1.0, 1.0)
        down = self._uniform((count, 1), *self.y_factor, seed, dtype)
        across = self._uniform((count, 1), *self.x_factor, seed, dtype)
        both = ops.concatenate([across, down], axis=1)
        return {"shear_factor": both * ops.cast(sign, dtype), "input_shape": shape}

    def _map_columns(self, transformation: Any, size: tuple[Any, Any]) -> tuple[Any, ...]:
        across, down = transformation["shear_factor"][:, 0], transformation["shear_factor"][:, 1]
        one, zero = ops.ones_like(across), ops.zeros_like(across)
        return one, across, zero, down, one, zero

    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Any, training: bool = True
    ) -> dict[str, Any]:
        if not training:
            return bounding_boxes
        size, form = self._image_size(transformation), self.bounding_box_format or ""
        dtype = self.compute_dtype
        found = convert_format(dict(bounding_boxes), form, "rel_xyxy", *size, dtype=dtype)
        across, down = ops.split(ops.cast(transformation["shear_factor"], dtype), 2, axis=-1)
        x1, y1, x2, y2 = (found["boxes"][..., k] for k in range(4))
        x1 = ops.where(across < 0, x1 - across * y1, x1 - across * y2)
        x2 = ops.where(across < 0, x2 - across * y2, x2 - across * y1)
        y1, y2 = (
            ops.where(down > 0, y1 - down * x2, y1 - down * x1),
            ops.where(down > 0, y2 - down * x1, y2 - down * x2),
        )
        found["boxes"] = ops.stack([x1, y1, x2, y2], axis=-1)
        found = clip_to_image_size(found, *size, bounding_box_format="rel_xyxy")
        return convert_format(found, "rel_xyxy", form, *size, dtype=dtype)
