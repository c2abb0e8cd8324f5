"""Models, as in `keras.models`."""

from typing import Any

from kcompile.models.cloning import clone_model as clone_model
from kcompile.models.functional import Functional as Functional
from kcompile.models.model import Model as Model
from kcompile.models.sequential import Sequential as Sequential


def model_from_json(json_string: str, custom_objects: Any = None) -> Any:
    """A model from what `Model.to_json` returned."""
    import json

    from kcompile.core.serialization import deserialize_keras_object

    return deserialize_keras_object(json.loads(json_string), custom_objects)
