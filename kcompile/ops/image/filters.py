"""Filters that slide over images: gaussian_blur, sobel_edges, and the structural similarity ssim."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.ops import convolution, joining, movement, reduce
from kcompile.ops import elementwise as ew
from kcompile.ops.image import layout


def each_channel(x: Any, rows: Any, columns: Any, padding: str = "same") -> Any:
    """Images (n, h, w, c), every channel filtered with the outer product of two 1-D kernels."""
    c = x.shape[-1]
    for kernel, shape in ((rows, (-1, 1, 1, 1)), (columns, (1, -1, 1, 1))):
        whole = movement.reshape(kernel, shape)
        whole = movement.broadcast_to(whole, (*whole.shape[:2], c, 1))
        x = convolution.depthwise_conv(x, whole, padding=padding, data_format="channels_last")
    return x


def gaussian_kernel(size: int, sigma: Any, dtype: str, width: Any = None) -> Any:
    """Shares of a normal distribution, (size,), which sum to 1; 0 more than `width` / 2 from the middle."""
    x = (np.arange(size) - (size - 1) / 2).astype(dtypes.numpy_dtype(dtype))
    weights = ew.exp(ew.multiply(ew.square(ew.true_divide(x, ew.as_tensor(sigma, dtype))), -0.5))
    if width is not None:
        weights = ew.where(ew.less(np.abs(x), ew.multiply(width, 0.5)), weights, 0.0)
    return ew.true_divide(weights, reduce.sum(weights))


def gaussian_blur(
    images: Any, kernel_size: Any = (3, 3), sigma: Any = (1.0, 1.0), data_format: str | None = None
) -> Any:
    """Images smoothed with a normal distribution, with zeros around them.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same, channels first with that data_format.
    Args:    kernel_size, sigma: (along columns, along rows), sigma in pixels.
    Raises:  ValueError for integers.

    >>> gaussian_blur(np.ones((1, 3, 1)), (3, 1), (1.0, 1.0)).ravel().round(3).tolist()
    [0.726, 1.0, 0.726]
    """
    x, restore = layout.channels_last("gaussian_blur", images, data_format)
    dtype = dtypes.standardize(x.dtype)
    if not dtypes.is_float(dtype):
        raise ValueError(f"gaussian_blur: images must be floats. Received: images.dtype={dtype}")
    sigma = ew.as_tensor(sigma, dtype)
    columns, rows = (gaussian_kernel(int(kernel_size[k]), sigma[k], dtype) for k in (0, 1))
    return restore(each_channel(x, rows, columns))


def sobel_edges(images: Any, data_format: str | None = None) -> Any:
    """How brightness changes down and to the right, by Sobel's kernels, with zeros around the images.

    Shapes:  (n, h, w, c) -> (n, h, w, c, 2), channels first with that data_format; the last axis is (dy, dx).

    >>> sobel_edges(np.tri(3).reshape(1, 3, 3, 1))[0, 1, 1, 0].tolist()
    [3.0, -3.0]
    """
    x = ew.as_tensor(images)
    if len(x.shape) != 4:
        raise ValueError(
            f"Invalid images rank: expected rank 4 (batch of images). Received: images.shape={x.shape}"
        )
    x, restore = layout.channels_last("sobel_edges", x, data_format)
    dtype = dtypes.numpy_dtype(dtypes.standardize(x.dtype))
    smooth, step = np.array([1, 2, 1]).astype(dtype), np.array([-1, 0, 1]).astype(dtype)
    edges = (each_channel(x, step, smooth), each_channel(x, smooth, step))
    return joining.stack([restore(e) for e in edges], axis=-1)


def ssim(
    image1: Any,
    image2: Any,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> Any:
    """The structural similarity of images, 1 for equal ones.

    Shapes:  two of (h, w, c) -> (), two of (n, h, w, c) -> (n,), in the dtype of the first.
    Args:    max_val: the largest brightness. filter_size, filter_sigma: of the window. k1, k2: stabilizers.
    Source:  Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004.

    >>> float(ssim(np.ones((11, 11, 1)), np.ones((11, 11, 1))))
    1.0
    """
    images = [ew.as_tensor(image) for image in (image1, image2)]
    own = dtypes.standardize(images[0].dtype)
    for name, image in zip(("image1", "image2"), images, strict=True):
        layout.check_rank(image, name)
    single = len(images[0].shape) == 3
    dtype = ew.float_of(own)
    a, b = (layout.channels_last("ssim", ew.as_tensor(i, dtype), data_format)[0] for i in images)
    kernel = gaussian_kernel(int(filter_size), filter_sigma, dtype)
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2

    def local(x: Any) -> Any:
        return each_channel(x, kernel, kernel, padding="valid")

    mean_a, mean_b = local(a), local(b)
    both, squares = ew.multiply(mean_a, mean_b), ew.add(ew.square(mean_a), ew.square(mean_b))
    spread = ew.subtract(ew.add(local(ew.square(a)), local(ew.square(b))), squares)
    shared = ew.subtract(local(ew.multiply(a, b)), both)
    above = ew.multiply(ew.add(ew.multiply(both, 2.0), c1), ew.add(ew.multiply(shared, 2.0), c2))
    below = ew.multiply(ew.add(squares, c1), ew.add(spread, c2))
    result = reduce.mean(ew.true_divide(above, below), axis=(1, 2, 3))
    return ew.cast(movement.squeeze(result, 0) if single else result, own)
