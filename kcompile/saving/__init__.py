"""Models as files, and objects as data, as in `keras.saving`."""

from kcompile.core import public_names
from kcompile.core.registry import CustomObjectScope as CustomObjectScope
from kcompile.core.registry import custom_object_scope as custom_object_scope
from kcompile.core.registry import get_custom_objects as get_custom_objects
from kcompile.core.registry import get_registered_name as get_registered_name
from kcompile.core.registry import get_registered_object as get_registered_object
from kcompile.core.registry import register_keras_serializable as register_keras_serializable
from kcompile.core.serialization import deserialize_keras_object as deserialize_keras_object
from kcompile.core.serialization import serialize_keras_object as serialize_keras_object
from kcompile.saving.file_editor import KerasFileEditor as KerasFileEditor
from kcompile.saving.files import load_model as load_model
from kcompile.saving.files import load_weights as load_weights
from kcompile.saving.files import save_model as save_model
from kcompile.saving.files import save_weights as save_weights

__all__ = public_names.of(__name__)
