"""Images cut into blocks and put together again: depth_to_space, space_to_depth, unfold, fold."""

from __future__ import annotations

import itertools
from typing import Any

from kcompile.core.config import data_format_of
from kcompile.core.errors import ArgumentError, ShapeError, message
from kcompile.ops import arrange, cutting, joining, movement
from kcompile.ops import elementwise as ew
from kcompile.ops.checks import check_rank, for_each
from kcompile.ops.convolution import output_extent


def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Channels spread into blocks of pixels: (n, h, w, b b c) -> (n, h b, w b, c).

    With channels first, a block's channels lie side by side: (n, c b b, h, w) -> (n, c, h b, w b).
    """
    x, b = ew.as_tensor(x), int(block_size)
    first = data_format_of(data_format) == "channels_first"
    _block("depth_to_space", x, b)
    n, h, w, c = (x.shape[k] for k in ((0, 2, 3, 1) if first else (0, 1, 2, 3)))
    if c % (b * b):
        raise ShapeError(
            message(f"depth_to_space: channels must be a multiple of {b * b}.", received=f"{x.shape}")
        )
    c = c // (b * b)
    if first:
        y = movement.transpose(movement.reshape(x, (n, c, b, b, h, w)), (0, 1, 4, 2, 5, 3))
        return movement.reshape(y, (n, c, h * b, w * b))
    y = movement.transpose(movement.reshape(x, (n, h, w, b, b, c)), (0, 1, 3, 2, 4, 5))
    return movement.reshape(y, (n, h * b, w * b, c))


def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Blocks of pixels gathered into channels: (n, h b, w b, c) -> (n, h, w, b b c).

    With channels first, a block's channels lie side by side: (n, c, h b, w b) -> (n, c b b, h, w).
    """
    x, b = ew.as_tensor(x), int(block_size)
    first = data_format_of(data_format) == "channels_first"
    _block("space_to_depth", x, b)
    n, h, w, c = (x.shape[k] for k in ((0, 2, 3, 1) if first else (0, 1, 2, 3)))
    if h % b or w % b:
        raise ShapeError(
            message(f"space_to_depth: height and width must be multiples of {b}.", received=f"{x.shape}")
        )
    h, w = h // b, w // b
    if first:
        y = movement.transpose(movement.reshape(x, (n, c, h, b, w, b)), (0, 1, 3, 5, 2, 4))
        return movement.reshape(y, (n, c * b * b, h, w))
    y = movement.transpose(movement.reshape(x, (n, h, b, w, b, c)), (0, 1, 3, 2, 4, 5))
    return movement.reshape(y, (n, h, w, c * b * b))


def _block(op: str, x: Any, size: int) -> None:
    check_rank(op, "x", x, 4, 4)
    if size < 2:
        raise ValueError(f"{op}: `block_size` must be at least 2. Received: block_size={size}")


def _windows(op: str, kernel: Any, dilation: Any, padding: Any, stride: Any) -> tuple[tuple[int, ...], ...]:
    """Two numbers of each. Raises ValueError for windows of nothing and steps that go nowhere."""
    given = {"kernel_size": kernel, "dilation": dilation, "padding": padding, "stride": stride}
    found = {name: for_each(op, name, value, 2) for name, value in given.items()}
    for name, pair in found.items():
        if min(pair) < (0 if name == "padding" else 1):
            raise ArgumentError(f"{op}: `{name}` is too small. Received: {name}={given[name]}")
    return tuple(found.values())


def _grid(size: Any, kernel: Any, dilation: Any, padding: Any, stride: Any) -> tuple[Any, ...]:
    pairs = zip(size, kernel, stride, padding, dilation, strict=True)
    return tuple(output_extent(d, k, s, (p, p), e) for d, k, s, p, e in pairs)


def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """All windows of an image as columns: (n, c, h, w) -> (n, c kh kw, windows)."""
    x = ew.as_tensor(x)
    check_rank("unfold", "x", x, 4, 4)
    k, d, p, s = _windows("unfold", kernel_size, dilation, padding, stride)
    rows, columns = _grid(x.shape[2:], k, d, p, s)
    x = cutting.pad(x, ((0, 0), (0, 0), (p[0], p[0]), (p[1], p[1])))
    parts = []
    for i, j in itertools.product(*map(range, k)):
        start, size = (0, 0, i * d[0], j * d[1]), (*x.shape[:2], rows, columns)
        parts.append(cutting.slice_op(x, start=start, size=size, step=(1, 1, *s)))
    stacked = joining.stack(parts, axis=2)
    return movement.reshape(stacked, (x.shape[0], x.shape[1] * len(parts), rows * columns))


def fold(
    x: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Any:
    """Columns of windows summed into an image: (n, c kh kw, windows) -> (n, c, h, w)."""
    x = ew.as_tensor(x)
    check_rank("fold", "x", x, 3, 3)
    k, d, p, s = _windows("fold", kernel_size, dilation, padding, stride)
    h, w = for_each("fold", "output_size", output_size, 2)
    rows, columns = _grid((h, w), k, d, p, s)
    channels = x.shape[1] // (k[0] * k[1])
    x = movement.reshape(x, (x.shape[0], channels, k[0] * k[1], rows, columns))
    total: Any = None
    for number, (i, j) in enumerate(itertools.product(*map(range, k))):
        before = (0, 0, i * d[0] - p[0], j * d[1] - p[1])
        reach = ((rows - 1) * s[0] + 1, (columns - 1) * s[1] + 1)
        after = (0, 0, h - before[2] - reach[0], w - before[3] - reach[1])
        part = movement.squeeze(arrange.part(x, 2, number, 1), 2)
        spread = cutting.pad_op(part, before=before, after=after, inner=(0, 0, s[0] - 1, s[1] - 1), value=0.0)
        total = spread if total is None else ew.add(total, spread)
    return total
