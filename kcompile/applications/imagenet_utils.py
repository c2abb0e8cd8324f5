"""From pixels to what the networks were trained on, and from their outputs to names of classes."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.applications.trained import download
from kcompile.config import floatx, image_data_format
from kcompile.core import public_names

CLASSES = 1000
CLASS_DIGEST = "c2c37ea517e94d9795004a39431a14cb"
BASE = "https://storage.googleapis.com/download.tensorflow.org/"
# Means and deviations of ImageNet's channels: RGB in 0..1, and BGR in 0..255.
RGB_MEAN, RGB_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BGR_MEAN = (103.939, 116.779, 123.68)


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Images with values from 0 to 255, as a network takes them.

    Args:    x: an array or tensor of 3 or 4 dimensions, three channels in the order RGB. A float array is
             changed in place where that can be. mode: "tf" scales to -1..1; "torch" scales to 0..1, then to
             mean 0 and deviation 1 on ImageNet; "caffe" turns RGB into BGR and subtracts ImageNet's means.
    Raises:  ValueError for an unknown mode or data format.

    >>> preprocess_input(np.full((1, 1, 3), 255.0), mode="tf").tolist()
    [[[1.0, 1.0, 1.0]]]
    """
    if mode not in ("caffe", "tf", "torch"):
        raise ValueError(f"Expected mode to be one of 'caffe', 'tf' or 'torch'. Received: mode={mode!r}")
    data_format = data_format or image_data_format()
    if data_format not in ("channels_first", "channels_last"):
        raise ValueError(
            "Expected data_format to be one of 'channels_first' or 'channels_last'. "
            f"Received: data_format={data_format!r}"
        )
    if isinstance(x, np.ndarray):
        return _of_array(x, data_format, mode)
    if mode == "tf":
        return x / 127.5 - 1.0
    axis, shift, scale = _constants(x.ndim, data_format, mode)
    if scale is None:
        x = ops.flip(x, axis)
        return x - ops.convert_to_tensor(shift, x.dtype)
    return (x / 255.0 - ops.convert_to_tensor(shift, x.dtype)) / ops.convert_to_tensor(scale, x.dtype)


def _of_array(x: np.ndarray, data_format: str, mode: str) -> np.ndarray:
    if not np.issubdtype(x.dtype, np.floating):
        x = x.astype(floatx())
    if mode == "tf":
        x /= 127.5
        x -= 1.0
        return x
    axis, shift, scale = _constants(x.ndim, data_format, mode)
    if scale is None:
        x = np.flip(x, axis)  # a view: the subtraction below writes into the caller's array, as Keras does
    else:
        x /= 255.0
    x -= shift.astype(x.dtype)
    if scale is not None:
        x /= scale.astype(x.dtype)
    return x


def _constants(rank: int, data_format: str, mode: str) -> tuple[int, np.ndarray, np.ndarray | None]:
    axis = rank - 1 if data_format == "channels_last" else rank - 3
    shape = [1] * rank
    shape[axis] = 3
    if mode == "caffe":
        return axis, np.reshape(BGR_MEAN, shape), None
    return axis, np.reshape(RGB_MEAN, shape), np.reshape(RGB_DEVIATION, shape)


def preprocessing(mode: str | None) -> Any:
    """The `preprocess_input` of an architecture; None where the model itself contains it."""

    def preprocess_input(x: Any, data_format: str | None = None) -> Any:
        return x if mode is None else _with_mode(x, data_format, mode)

    preprocess_input.__doc__ = (
        f"Images with values from 0 to 255 as the model takes them: mode {mode!r} of "
        "`imagenet_utils.preprocess_input`."
        if mode
        else "Nothing: the model takes values from 0 to 255. Kept so that all architectures are used alike."
    )
    return preprocess_input


_with_mode = preprocess_input


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, Any]]]:
    """The likeliest classes of ImageNet for each row of outputs.

    Args:    preds: (samples, 1000). top: how many.
    Returns: for each sample a list of (WordNet ID, name, score), best first.
    Raises:  ValueError for another shape; ConnectionError if the names of the classes are not in the cache
             and cannot be downloaded.
    """
    if len(preds.shape) != 2 or preds.shape[1] != CLASSES:
        raise ValueError(
            "`decode_predictions` expects a batch of predictions of shape (samples, 1000). "
            f"Received an array of shape {tuple(preds.shape)}"
        )
    names = class_names()
    rows = np.asarray(ops.convert_to_numpy(preds))
    return [[(*names[str(i)], row[i]) for i in row.argsort()[-top:][::-1]] for row in rows]


@cache
def class_names() -> dict[str, tuple[str, str]]:
    """{"0": ("n01440764", "tench"), ...}, from the cache or from the web."""
    file = "imagenet_class_index.json"
    read = json.loads(download(file, "data/", CLASS_DIGEST, BASE).read_text())
    return {number: (str(entry[0]), str(entry[1])) for number, entry in read.items()}


__all__ = public_names.of(__name__)
