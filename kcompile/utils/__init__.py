"""Utilities, as in ``keras.utils``. What lives elsewhere in the library loads on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kcompile.core import public_names
from kcompile.utils.downloads import get_file as get_file
from kcompile.utils.frozen_config import Config as Config
from kcompile.utils.numerical import normalize as normalize
from kcompile.utils.numerical import to_categorical as to_categorical
from kcompile.utils.sequences import pad_sequences as pad_sequences

if TYPE_CHECKING:
    from kcompile.backend import is_keras_tensor as is_keras_tensor
    from kcompile.backend import standardize_dtype as standardize_dtype
    from kcompile.callbacks.progbar import Progbar as Progbar
    from kcompile.core.console import disable_interactive_logging as disable_interactive_logging
    from kcompile.core.console import enable_interactive_logging as enable_interactive_logging
    from kcompile.core.console import is_interactive_logging_enabled as is_interactive_logging_enabled
    from kcompile.core.registry import CustomObjectScope as CustomObjectScope
    from kcompile.core.registry import custom_object_scope as custom_object_scope
    from kcompile.core.registry import get_custom_objects as get_custom_objects
    from kcompile.core.registry import get_registered_name as get_registered_name
    from kcompile.core.registry import get_registered_object as get_registered_object
    from kcompile.core.registry import register_keras_serializable as register_keras_serializable
    from kcompile.core.serialization import deserialize_keras_object as deserialize_keras_object
    from kcompile.core.serialization import serialize_keras_object as serialize_keras_object
    from kcompile.layers.preprocessing.feature_space import FeatureSpace as FeatureSpace
    from kcompile.trace.operation import get_source_inputs as get_source_inputs
    from kcompile.training.data.packing import pack_x_y_sample_weight as pack_x_y_sample_weight
    from kcompile.training.data.packing import unpack_x_y_sample_weight as unpack_x_y_sample_weight
    from kcompile.training.data.py_dataset import PyDataset as PyDataset
    from kcompile.utils import bounding_boxes as bounding_boxes
    from kcompile.utils.audio_datasets import audio_dataset_from_directory as audio_dataset_from_directory
    from kcompile.utils.image_datasets import image_dataset_from_directory as image_dataset_from_directory
    from kcompile.utils.images import array_to_img as array_to_img
    from kcompile.utils.images import img_to_array as img_to_array
    from kcompile.utils.images import load_img as load_img
    from kcompile.utils.images import save_img as save_img
    from kcompile.utils.model_plots import model_to_dot as model_to_dot
    from kcompile.utils.model_plots import plot_model as plot_model
    from kcompile.utils.sessions import clear_session as clear_session
    from kcompile.utils.sessions import set_random_seed as set_random_seed
    from kcompile.utils.splitting import split_dataset as split_dataset
    from kcompile.utils.text_datasets import text_dataset_from_directory as text_dataset_from_directory
    from kcompile.utils.timeseries import timeseries_dataset_from_array as timeseries_dataset_from_array

    Sequence = PyDataset

_HOMES = {
    "backend": "is_keras_tensor standardize_dtype",
    "callbacks.progbar": "Progbar",
    "core.console": """disable_interactive_logging enable_interactive_logging
        is_interactive_logging_enabled""",
    "core.registry": """CustomObjectScope custom_object_scope get_custom_objects get_registered_name
        get_registered_object register_keras_serializable""",
    "core.serialization": "deserialize_keras_object serialize_keras_object",
    "layers.preprocessing.feature_space": "FeatureSpace",
    "trace.operation": "get_source_inputs",
    "training.data.packing": "pack_x_y_sample_weight unpack_x_y_sample_weight",
    "training.data.py_dataset": "PyDataset Sequence=PyDataset",
    "utils.audio_datasets": "audio_dataset_from_directory",
    "utils.image_datasets": "image_dataset_from_directory",
    "utils.images": "array_to_img img_to_array load_img save_img",
    "utils.model_plots": "model_to_dot plot_model",
    "utils.sessions": "clear_session set_random_seed",
    "utils.splitting": "split_dataset",
    "utils.text_datasets": "text_dataset_from_directory",
    "utils.timeseries": "timeseries_dataset_from_array",
}
_NAMES = {
    name.partition("=")[0]: (home, name.rpartition("=")[2])
    for home, names in _HOMES.items()
    for name in names.split()
}


def __getattr__(name: str) -> Any:
    if name == "bounding_boxes":  # a module
        return import_module("kcompile.utils.bounding_boxes")
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, own = _NAMES[name]
    return globals().setdefault(name, getattr(import_module(f"kcompile.{home}"), own))


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES, "bounding_boxes"})


__all__ = public_names.of(__name__)
