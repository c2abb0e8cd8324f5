"""Models, as in `keras.models`."""

from typing import Any

from kcompile.core import public_names
from kcompile.models.cloning import clone_model as clone_model
from kcompile.models.functional import Functional as Functional
from kcompile.models.model import Model as Model
from kcompile.models.sequential import Sequential as Sequential


def __getattr__(name: str) -> Any:
    """`load_model` and `save_model` live in `kcompile.saving`, which comes after the models."""
    if name in ("load_model", "save_model"):
        from kcompile import saving

        return getattr(saving, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def model_from_json(json_string: str, custom_objects: Any = None) -> Any:
    """A model, without weights, from what `Model.to_json` returned."""
    import json

    from kcompile.core.serialization import deserialize_keras_object

    return deserialize_keras_object(json.loads(json_string), custom_objects)


__all__ = public_names.of(__name__)
