"""Pooling over all spatial dimensions."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.layers.arguments import data_format_name
from kcompile.layers.input_spec import InputSpec
from kcompile.layers.layer import Layer


class BaseGlobalPooling(Layer):
    """Base of global pooling: (n, d..., c) -> (n, c), or (n, 1..., c) with keepdims."""

    rank: int

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = data_format_name(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._build_at_init()

    @property
    def axes(self) -> tuple[int, ...]:
        first = 1 if self.data_format == "channels_last" else 2
        return tuple(range(first, first + self.rank))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format, "keepdims": self.keepdims}


class GlobalAverage(BaseGlobalPooling):
    """The mean over all positions."""

    def call(self, inputs: Any) -> Any:
        return ops.mean(inputs, axis=self.axes, keepdims=self.keepdims)


class GlobalMax(BaseGlobalPooling):
    """The maximum over all positions."""

    def call(self, inputs: Any) -> Any:
        return ops.max(inputs, axis=self.axes, keepdims=self.keepdims)


class GlobalAveragePooling1D(GlobalAverage):
    """The mean over steps; masked steps do not count. (n, steps, c) -> (n, c)."""

    rank = 1

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any):
        super().__init__(data_format, keepdims, **kwargs)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return super().call(inputs)
        kept = ops.expand_dims(ops.cast(mask, "bool"), 2 if self.data_format == "channels_last" else 1)
        weights = ops.cast(kept, inputs.dtype)
        total = ops.sum(ops.where(kept, inputs, 0), axis=self.axes, keepdims=self.keepdims)
        return ops.divide(total, ops.sum(weights, axis=self.axes, keepdims=self.keepdims))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None


class GlobalAveragePooling2D(GlobalAverage):
    """The mean over positions: (n, h, w, c) -> (n, c)."""

    rank = 2


class GlobalAveragePooling3D(GlobalAverage):
    """The mean over positions: (n, d, h, w, c) -> (n, c)."""

    rank = 3


class GlobalMaxPooling1D(GlobalMax):
    """The maximum over steps: (n, steps, c) -> (n, c)."""

    rank = 1


class GlobalMaxPooling2D(GlobalMax):
    """The maximum over positions: (n, h, w, c) -> (n, c)."""

    rank = 2


class GlobalMaxPooling3D(GlobalMax):
    """The maximum over positions: (n, d, h, w, c) -> (n, c)."""

    rank = 3
