"""UpSampling: each position repeated, or images interpolated."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core import dtypes
from kcompile.layers.arguments import int_tuple, one_of
from kcompile.layers.reshaping.borders import Bordered
from kcompile.ops.enlarging import enlarge

INTERPOLATIONS = ("bicubic", "bilinear", "lanczos3", "lanczos5", "nearest")


class UpSampling(Bordered):
    """Base: repeats each spatial position `size` times."""

    size: Any

    def call(self, inputs: Any) -> Any:
        first = 1 if self.data_format == "channels_last" else 2
        sizes = (self.size,) if self.rank == 1 else self.size
        for axis, times in enumerate(sizes, first):
            inputs = ops.repeat(inputs, times, axis=axis)
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "data_format": self.data_format}


class UpSampling1D(UpSampling):
    """Each step repeated: (n, steps, c) -> (n, steps * size, c)."""

    rank = 1

    def __init__(self, size: int = 2, **kwargs: Any):
        super().__init__("channels_last", **kwargs)
        if not isinstance(size, int) or isinstance(size, bool):
            raise TypeError(f"Expected an integer value for `size`, got {type(size)}.")
        if size <= 0:
            raise ValueError(f"Argument `size` should be a positive integer. Received: size={size}")
        self.size = size

    def get_config(self) -> dict[str, Any]:
        return {k: v for k, v in super().get_config().items() if k != "data_format"}


class UpSampling2D(UpSampling):
    """Images enlarged: (n, h, w, c) -> (n, h * size[0], w * size[1], c).

    Args:    interpolation: "nearest" repeats rows and columns; "bilinear", "bicubic", "lanczos3" and
             "lanczos5" interpolate between the pixels' centres.
    """

    rank = 2

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.size = int_tuple("size", size, 2)
        self.interpolation = one_of("interpolation", interpolation, INTERPOLATIONS)

    def call(self, inputs: Any) -> Any:
        if self.interpolation == "nearest":
            return super().call(inputs)
        first = self.data_format == "channels_first"
        x = ops.transpose(inputs, (0, 2, 3, 1)) if first else inputs
        y = _enlarged(x, self.size, self.interpolation)
        return ops.transpose(y, (0, 3, 1, 2)) if first else y

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "interpolation": self.interpolation}


def _enlarged(x: Any, times: Any, method: str) -> Any:
    """As `enlarge`; ints are rounded."""
    own = dtypes.standardize(x.dtype)
    if dtypes.is_float(own):
        return enlarge(x, times, method)
    return ops.saturate_cast(ops.round(enlarge(ops.cast(x, "float32"), times, method)), own)


class UpSampling3D(UpSampling):
    """Positions of volumes repeated."""

    rank = 3

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.size = int_tuple("size", size, 3)
