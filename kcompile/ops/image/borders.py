"""Images with rows and columns around them, and without some: pad_images, crop_images."""

from __future__ import annotations

from typing import Any

from kcompile.core.symbolic import Int
from kcompile.ops import cutting
from kcompile.ops import elementwise as ew
from kcompile.ops.demand import demanding
from kcompile.ops.image import layout

Three = tuple[Any, Any, Any]
PAD_ROWS = ("top_padding", "bottom_padding", "target_height")
PAD_COLUMNS = ("left_padding", "right_padding", "target_width")
CROP_ROWS = ("top_cropping", "bottom_cropping", "target_height")
CROP_COLUMNS = ("left_cropping", "right_cropping", "target_width")


def _three(names: tuple[str, str, str], values: tuple[Any, Any, Any]) -> None:
    """Two of the three must be given, none below 0."""
    if values.count(None) != 1:
        received = ", ".join(f"{n}={v}" for n, v in zip(names, values, strict=True))
        raise ValueError(f"Must specify exactly two of {', '.join(names)}. Received: {received}")
    for name, value in zip(names, values, strict=True):
        _not_negative(name, value)


def _not_negative(name: str, value: Any) -> None:
    if value is not None and not isinstance(value, Int) and value < 0:
        raise ValueError(f"{name} must be >= 0. Received: {name}={value}")


def _axes(x: Any, data_format: str | None) -> tuple[int, int]:
    layout.check_rank(x)
    channels = layout.channel_axis(data_format) % len(x.shape)
    rows = len(x.shape) - 3 + (channels == len(x.shape) - 3)
    return rows, rows + 1


def pad_images(
    images: Any,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    """Images with zeros around them; of the two paddings and the target along a dimension, two are given.

    Shapes:  (h, w, c) or (n, h, w, c), channels first with that data_format -> the target's.
    Raises:  ValueError where not exactly two are given, or one would be below 0.

    >>> import numpy as np
    >>> pad_images(np.ones((1, 1, 1)), 0, 1, target_height=1, target_width=3).ravel().tolist()
    [0.0, 1.0, 0.0]
    """
    x = ew.as_tensor(images)
    rows, columns = _axes(x, data_format)
    widths: list[tuple[Any, Any]] = [(0, 0)] * len(x.shape)
    vertical: Three = (top_padding, bottom_padding, target_height)
    horizontal: Three = (left_padding, right_padding, target_width)
    for axis, names, given in ((rows, PAD_ROWS, vertical), (columns, PAD_COLUMNS, horizontal)):
        _three(names, given)
        before, after, target = given
        if before is None:
            before = target - after - x.shape[axis]
        elif after is None:
            after = target - before - x.shape[axis]
        _not_negative(names[0], before)
        _not_negative(names[1], after)
        x = demanding(x, before, after, otherwise=f"pad_images: {names[2]} leaves no room for the image.")
        widths[axis] = (before, after)
    before_all, after_all = zip(*widths, strict=True)
    return cutting.pad_op(x, before=before_all, after=after_all, inner=(0,) * len(x.shape), value=0.0)


def crop_images(
    images: Any,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    """Images without some rows and columns; of the two croppings and the target along a dimension, two are
    given.

    Shapes:  (h, w, c) or (n, h, w, c), channels first with that data_format -> the target's.
    Raises:  ValueError where not exactly two are given, or one would be below 0.

    >>> import numpy as np
    >>> crop_images(np.arange(4).reshape(1, 4, 1), 0, 1, 0, target_width=2).ravel().tolist()
    [1, 2]
    """
    x = ew.as_tensor(images)
    rows, columns = _axes(x, data_format)
    start: list[Any] = [0] * len(x.shape)
    size: list[Any] = list(x.shape)
    vertical: Three = (top_cropping, bottom_cropping, target_height)
    horizontal: Three = (left_cropping, right_cropping, target_width)
    for axis, names, given in ((rows, CROP_ROWS, vertical), (columns, CROP_COLUMNS, horizontal)):
        _three(names, given)
        before, after, target = given
        if before is None:
            before = x.shape[axis] - target - after
        elif target is None:
            target = x.shape[axis] - before - after
        _not_negative(names[0], before)
        _not_negative(names[2], target)
        _inside(names[2], x.shape[axis], before, target)
        start[axis], size[axis] = before, target
    return cutting.slice_op(x, start=tuple(start), size=tuple(size), step=(1,) * len(size))


def _inside(name: str, extent: Any, start: Any, size: Any) -> None:
    known = not any(isinstance(v, Int) for v in (extent, start, size))
    if known and start + size > extent:
        raise ValueError(
            f"{name} must lie inside of the image, which has {extent} pixels there. "
            f"Received: {name}={size} after a cropping of {start}"
        )
