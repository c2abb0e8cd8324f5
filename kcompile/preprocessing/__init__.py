"""Preparation of data, as in `keras.preprocessing`: other names of functions of `utils`."""

from __future__ import annotations

from typing import Any

from kcompile import utils as _utils
from kcompile.preprocessing import sequence as sequence
from kcompile.utils.text_datasets import text_dataset_from_directory as text_dataset_from_directory
from kcompile.utils.timeseries import timeseries_dataset_from_array as timeseries_dataset_from_array


def __getattr__(name: str) -> Any:
    if name == "image_dataset_from_directory":
        return getattr(_utils, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
