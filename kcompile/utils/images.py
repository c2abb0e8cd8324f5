"""Image files and arrays: load_img, save_img, img_to_array, array_to_img, smart_resize. Files need Pillow."""

from __future__ import annotations

import io
import os
import pathlib
import warnings
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import config, dtypes
from kcompile.layers.arguments import data_format_name

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
COLOR_MODES = {"grayscale": ("L", ("L", "I;16", "I")), "rgba": ("RGBA", ("RGBA",)), "rgb": ("RGB", ("RGB",))}


def pillow(function: str) -> Any:
    """The module PIL.Image.

    Raises:  ImportError that says how to get it.
    """
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            f"Could not import PIL.Image. The use of `{function}` requires Pillow: pip install pillow"
        ) from None
    return Image


def _dtype(dtype: Any) -> Any:
    return dtypes.numpy_dtype(dtypes.standardize(dtype or config.floatx()))


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """A Pillow image, or an array (h, w) or (h, w, c), as an array with channels.

    Args:    data_format: "channels_last" for (h, w, c), "channels_first" for (c, h, w). dtype: the default
             float unless given.
    Raises:  ValueError for another rank.

    >>> img_to_array(np.array([[1, 2]])).tolist()
    [[[1.0], [2.0]]]
    """
    first = data_format_name(data_format) == "channels_first"
    x = np.asarray(img, dtype=_dtype(dtype))
    if x.ndim not in (2, 3):
        raise ValueError(f"Unsupported image shape: {x.shape}")
    x = x[:, :, None] if x.ndim == 2 else x
    return x.transpose(2, 0, 1) if first else x


def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None) -> Any:
    """An array (h, w, c) with 1, 3 or 4 channels as a Pillow image.

    Args:    scale: stretch the numbers to [0, 255]; otherwise they are taken as they are. dtype: what to
             compute with, the default float.
    Raises:  ValueError for another rank or number of channels; ImportError without Pillow.
    """
    image = pillow("array_to_img")
    first = data_format_name(data_format) == "channels_first"
    x = np.asarray(x, dtype=_dtype(dtype))
    if x.ndim != 3:
        raise ValueError(
            f"Expected image array to have rank 3 (single image). Got array with shape: {x.shape}"
        )
    x = x.transpose(1, 2, 0) if first else x
    if scale:
        x = x - np.min(x)
        largest = np.max(x)
        x = (x / largest if largest != 0 else x) * 255
    if x.shape[2] in (3, 4):
        return image.fromarray(x.astype("uint8"))
    if x.shape[2] != 1:
        raise ValueError(f"Unsupported channel number: {x.shape[2]}")
    return image.fromarray(x[:, :, 0].astype("int32" if np.max(x) > 255 else "uint8"))


def save_img(
    path: Any,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Write an array (h, w, c) as an image file.

    Args:    path: a path, or a file object. file_format: "png", "jpeg" ..., by default that of the path's
             ending. scale: stretch the numbers to [0, 255]. kwargs: go to Pillow.
    """
    if file_format is None and isinstance(path, (str, pathlib.Path)):
        file_format = pathlib.Path(path).suffix[1:].lower()
    if file_format and file_format.lower() == "jpg":
        file_format = "jpeg"
    img = array_to_img(x, data_format=data_format, scale=scale)
    if img.mode == "RGBA" and file_format == "jpeg":
        warnings.warn("The JPEG format does not support RGBA images, converting to RGB.", stacklevel=2)
        img = img.convert("RGB")
    img.save(path, format=file_format, **kwargs)


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: Any = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """An image file as a Pillow image.

    Args:    path: a path, or a BytesIO. color_mode: "rgb", "rgba" or "grayscale". target_size: (height,
             width) to resize to by Pillow, with `interpolation`: "nearest", "bilinear", "bicubic",
             "hamming", "box" or "lanczos". keep_aspect_ratio: cut to the new shape first.
    Raises:  TypeError for another kind of path, ValueError for other names, ImportError without Pillow.
    """
    image = pillow("load_img")
    img = open_image(path)
    if color_mode not in COLOR_MODES:
        raise ValueError(
            f'color_mode must be "grayscale", "rgb", or "rgba". Received: color_mode={color_mode}'
        )
    wanted, fine = COLOR_MODES[color_mode]
    img = img if img.mode in fine else img.convert(wanted)
    if target_size is None or img.size == (target_size[1], target_size[0]):
        return img
    if interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"Invalid interpolation method {interpolation} specified. Supported methods are "
            f"{', '.join(INTERPOLATIONS)}"
        )
    size = (target_size[1], target_size[0])
    resample = getattr(image.Resampling, interpolation.upper())
    return img.resize(size, resample, box=middle_box(img.size, size) if keep_aspect_ratio else None)


def open_image(path: Any) -> Any:
    """An image file as a Pillow image, in whatever mode the file has."""
    image = pillow("load_img")
    if isinstance(path, io.BytesIO):
        return image.open(path)
    if not isinstance(path, (os.PathLike, bytes, str)):
        raise TypeError(f"path should be path-like or io.BytesIO, not {type(path)}")
    with open(path, "rb") as file:
        return image.open(io.BytesIO(file.read()))


def middle_box(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest middle box with the target's shape, in (left, top, right, bottom)."""
    (width, height), (new_width, new_height) = size, target
    rows, columns = (
        max(1, min(height, width * new_height // new_width)),
        max(1, min(width, height * new_width // new_height)),
    )
    top, left = (height - rows) // 2, (width - columns) // 2
    return left, top, left + columns, top + rows


def smart_resize(
    x: Any, size: Any, interpolation: str = "bilinear", data_format: str = "channels_last"
) -> Any:
    """The largest middle part of images that has the shape of `size`, in that size.

    Shapes:  (h, w, c) or (n, h, w, c) -> (..., size[0], size[1], c); integers become float32
             unless interpolation is "nearest".
    Raises:  ValueError for another rank or size.

    >>> smart_resize(np.arange(8.0).reshape(2, 4, 1), (1, 1)).tolist()
    [[[3.5]]]
    """
    if len(size) != 2:
        raise ValueError(f"Expected `size` to be a tuple of 2 integers, but got: {size}.")
    rank = len(np.shape(x) if not hasattr(x, "shape") else x.shape)
    if rank not in (3, 4):
        raise ValueError(
            "Expected an image array with shape `(height, width, channels)`, or `(batch_size, height, width, "
            f"channels)`, but got input with incorrect rank, of rank {rank}."
        )
    if interpolation != "nearest" and isinstance(x, np.ndarray) and x.dtype.kind in "iub":
        x = x.astype("float32")  # what lies between two pixels is not rounded
    return ops.image.resize(
        x, size, interpolation=interpolation, crop_to_aspect_ratio=True, data_format=data_format
    )
