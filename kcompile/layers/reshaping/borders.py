"""ZeroPadding and Cropping of one, two and three spatial dimensions."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.layers.arguments import data_format_name, int_tuple, spatial_pairs
from kcompile.layers.input_spec import InputSpec
from kcompile.layers.layer import Layer
from kcompile.ops.demand import demanding

Pairs = tuple[tuple[int, int], ...]


class Bordered(Layer):
    """Base of layers that change the borders of the spatial dimensions."""

    rank: int

    def __init__(self, data_format: str | None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = data_format_name(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def everywhere(self, pairs: Pairs, other: Any) -> tuple[Any, ...]:
        """Pairs for all dimensions: `other` for batch and channels."""
        return (other, *pairs, other) if self.data_format == "channels_last" else (other, other, *pairs)


class ZeroPadding(Bordered):
    """Base of layers that add zeros before and after."""

    padding: Any

    def call(self, inputs: Any) -> Any:
        pairs = (self.padding,) if self.rank == 1 else self.padding
        return ops.pad(inputs, self.everywhere(pairs, (0, 0)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}


class ZeroPadding1D(ZeroPadding):
    """Zero steps before and after. padding: an int, or (before, after)."""

    rank = 1

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.padding = int_tuple("padding", padding, 2, allow_zero=True)


class ZeroPadding2D(ZeroPadding):
    """Zeros around images. padding: an int, (rows, columns), or ((top, bottom), (left, right))."""

    rank = 2

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.padding = spatial_pairs("padding", padding, 2)


class ZeroPadding3D(ZeroPadding):
    """Zeros around volumes. padding: an int, three ints, or three pairs."""

    rank = 3

    def __init__(
        self, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any
    ):
        super().__init__(data_format, **kwargs)
        self.padding = spatial_pairs("padding", padding, 3)


class Cropping(Bordered):
    """Base of layers that cut off positions before and after."""

    cropping: Any

    def call(self, inputs: Any) -> Any:
        pairs = (self.cropping,) if self.rank == 1 else self.cropping
        cuts = self.everywhere(pairs, (0, 0))
        left = [d - sum(cut) - 1 for d, cut in zip(inputs.shape, cuts, strict=True) if any(cut)]
        if not left:
            return inputs  # with its mask, as in Keras: a slice of an array would be another one
        inputs = demanding(
            inputs,
            *left,
            otherwise="Values in `cropping` argument should be smaller than the corresponding spatial "
            f"dimension of the input. They are {self.cropping}.",
        )
        return inputs[tuple(slice(before, None if after == 0 else -after) for before, after in cuts)]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cropping": self.cropping, "data_format": self.data_format}


class Cropping1D(Cropping):
    """Cuts off steps. cropping: an int, or (before, after)."""

    rank = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any):
        super().__init__("channels_last", **kwargs)
        self.cropping = int_tuple("cropping", cropping, 2, allow_zero=True)

    def get_config(self) -> dict[str, Any]:
        return {k: v for k, v in super().get_config().items() if k != "data_format"}


class Cropping2D(Cropping):
    """Cuts off the borders of images: an int, (rows, columns), or ((top, bottom), (left, right))."""

    rank = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.cropping = spatial_pairs("cropping", cropping, 2)


class Cropping3D(Cropping):
    """Cuts off the borders of volumes. cropping: an int, three ints, or three pairs."""

    rank = 3

    def __init__(
        self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any
    ):
        super().__init__(data_format, **kwargs)
        self.cropping = spatial_pairs("cropping", cropping, 3)
