"""ContrastLimitedAdaptiveHistogramEqualization."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core.open_extents import are_of_placeholders
from kcompile.core.symbolic import Int
from kcompile.layers.preprocessing.image.base import BaseImagePreprocessingLayer

LEVELS = 256


class ContrastLimitedAdaptiveHistogramEqualization(BaseImagePreprocessingLayer):
    """Brightness replaced by its rank among the pixels nearby, in training and inference.

    The image is cut into tiles; each has a lookup table from its histogram, and a pixel takes a mixture of
    the tables of the four nearest tiles.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same; height and width must be known.
    Args:    value_range: of the images. clip_limit: no level counts more than this many times its fair
             share; what is above is shared among all. 0 for no limit. tile_grid_size: (rows, columns).
    Source:  K. Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV (1994).
    """

    _SETTINGS = ("value_range", "clip_limit", "tile_grid_size")

    def __init__(
        self,
        value_range: Any = (0, 255),
        clip_limit: float = 4.0,
        tile_grid_size: Any = (8, 8),
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.value_range, self.clip_limit, self.tile_grid_size = value_range, clip_limit, tile_grid_size

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        dtype, first = images.dtype, self.data_format == "channels_first"
        x = ops.transpose(images, (0, 2, 3, 1)) if first else images
        x = self._transform_value_range(x, self.value_range, (0, 255))
        x = self._transform_value_range(self._equalized(x), (0, 255), self.value_range)
        x = ops.cast(x, dtype)
        return ops.transpose(x, (0, 3, 1, 2)) if first else x

    def _equalized(self, x: Any) -> Any:
        h, w = x.shape[1:3]
        if isinstance(h, Int) or isinstance(w, Int):
            if are_of_placeholders():
                return x
            raise ValueError(
                "ContrastLimitedAdaptiveHistogramEqualization requires the input to have a fully defined "
                f"height and width. Received: images.shape={x.shape}"
            )
        rows, columns = self.tile_grid_size
        tile = (-(-h // rows), -(-w // columns))
        more = (tile[0] * rows - h, tile[1] * columns - w)
        x = ops.pad(x, ((0, 0), (0, more[0]), (0, more[1]), (0, 0)), mode="symmetric") if any(more) else x
        tables = self._tables(x, tile)
        return self._mixed(x, tables, tile)[:, :h, :w, :]

    def _tables(self, x: Any, tile: tuple[int, int]) -> Any:
        """Lookup tables (n, rows + 2, columns + 2, c, 256): those of the tiles, the outer ones twice."""
        n, c, (rows, columns) = x.shape[0], x.shape[3], self.tile_grid_size
        level = ops.clip(ops.cast(x, "int32"), 0, LEVELS - 1)
        level = ops.reshape(level, (n, rows, tile[0], columns, tile[1], c))
        image, row, column, channel = (
            ops.reshape(ops.arange(d, dtype="int32"), shape)
            for d, shape in (
                (n, (-1, 1, 1, 1, 1, 1)), (rows, (-1, 1, 1, 1, 1)), (columns, (-1, 1, 1)), (c, (-1,)),
            )
        )  # fmt: skip
        number = ((image * rows + row) * columns + column) * c + channel
        ids = ops.reshape(number * LEVELS + level, (-1,))
        ones = ops.ones_like(ids, dtype="float32")
        counts = ops.segment_sum(ones, ids, n * (rows * columns * LEVELS) * c)
        tables = self._ranks(ops.reshape(counts, (n, rows, columns, c, LEVELS)), tile[0] * tile[1])
        tables = ops.concatenate([tables[:, :1], tables, tables[:, -1:]], axis=1)
        return ops.concatenate([tables[:, :, :1], tables, tables[:, :, -1:]], axis=2)

    def _ranks(self, counts: Any, pixels: int) -> Any:
        """Running sums of (limited) histograms, from 0 to 255."""
        if self.clip_limit > 0:
            limited = ops.clip(counts, 0, self.clip_limit * pixels / 256.0)
            excess = ops.sum(counts - limited, axis=-1, keepdims=True)
            counts = limited + excess / 256.0
        below = ops.cumsum(counts, axis=-1)
        least = ops.min(below, axis=-1, keepdims=True)
        room = float(pixels) - least
        ranks = (below - least) * 255.0 / ops.where(ops.equal(room, 0), 1.0, room)
        return ops.clip(ranks, 0, 255)

    def _mixed(self, x: Any, tables: Any, tile: tuple[int, int]) -> Any:
        n, h, w, c = x.shape
        rows, columns = self.tile_grid_size
        level = ops.clip(ops.cast(ops.clip(x, 0, 255), "int32"), 0, LEVELS - 1)
        (top, bottom, down), (left, right, across) = (
            self._neighbours(d, t, count) for d, t, count in ((h, tile[0], rows), (w, tile[1], columns))
        )
        image = ops.reshape(ops.arange(n, dtype="int32"), (-1, 1, 1, 1))
        flat = ops.reshape(tables, (-1,))

        def looked_up(row: Any, column: Any) -> Any:
            number = (image * (rows + 2) + row[:, None, None]) * (columns + 2) + column[:, None]
            return ops.take(flat, (number * c + ops.arange(c, dtype="int32")) * LEVELS + level)

        down, across = down[:, None, None], across[:, None]
        upper = looked_up(top, left) * (1.0 - across) + looked_up(top, right) * across
        lower = looked_up(bottom, left) * (1.0 - across) + looked_up(bottom, right) * across
        return upper * (1.0 - down) + lower * down

    @staticmethod
    def _neighbours(extent: int, tile: int, count: int) -> tuple[Any, Any, Any]:
        """For each pixel of an axis the tables before and after it, and its share of the second."""
        at = (ops.arange(extent, dtype="float32") - tile / 2.0) / tile + 1.0
        before = ops.floor(at)
        first, second = (ops.cast(ops.clip(b, 0, count + 1), "int32") for b in (before, before + 1.0))
        return first, second, at - before

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape
