"""Preparation of data, as in `keras.preprocessing`: other names of functions of `utils`."""

from kcompile.core import public_names
from kcompile.preprocessing import image as image
from kcompile.preprocessing import sequence as sequence
from kcompile.utils.image_datasets import image_dataset_from_directory as image_dataset_from_directory
from kcompile.utils.text_datasets import text_dataset_from_directory as text_dataset_from_directory
from kcompile.utils.timeseries import timeseries_dataset_from_array as timeseries_dataset_from_array

__all__ = public_names.of(__name__)
