"""Optimizers, as in `keras.optimizers`: classes, and `get` for their names."""

from __future__ import annotations

from typing import Any

from kcompile.core import public_names, registry
from kcompile.core.errors import unknown_name
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.optimizers import legacy as legacy
from kcompile.optimizers import schedules as schedules
from kcompile.optimizers.adadelta import Adadelta
from kcompile.optimizers.adafactor import Adafactor
from kcompile.optimizers.adagrad import Adagrad
from kcompile.optimizers.adam import Adam, AdamW
from kcompile.optimizers.adamax import Adamax
from kcompile.optimizers.ftrl import Ftrl
from kcompile.optimizers.lamb import Lamb
from kcompile.optimizers.lion import Lion
from kcompile.optimizers.loss_scale import LossScaleOptimizer
from kcompile.optimizers.multi import MultiOptimizer, OptimizerMap
from kcompile.optimizers.muon import Muon
from kcompile.optimizers.nadam import Nadam
from kcompile.optimizers.optimizer import Optimizer
from kcompile.optimizers.rmsprop import RMSprop
from kcompile.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from kcompile.optimizers.sgd import SGD

CLASSES = (
    *(Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Ftrl, Lamb, Lion, LossScaleOptimizer, Muon),
    *(MultiOptimizer, Nadam, Optimizer, OptimizerMap, RMSprop, ScheduleFreeAdamW, SGD),
)
registry.publish("keras", {"Optimizer": Optimizer})
registry.publish("keras.optimizers", {kind.__name__: kind for kind in CLASSES})
ALL_OBJECTS: dict[str, Any] = {kind.__name__.lower(): kind for kind in CLASSES}


def get(identifier: Any) -> Any:
    """An optimizer from a name ("adam", "SGD", ...), a config or an optimizer.

    Raises:  ValueError for an unknown name, which says what is near, and for anything else.

    >>> type(get("adam")).__name__, type(get("RMSprop")).__name__
    ('Adam', 'RMSprop')
    """
    if identifier is None or isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        kind = ALL_OBJECTS.get(identifier.lower()) or registry.find_custom(identifier)
        if kind is None:
            raise unknown_name("optimizer", identifier, [name for name in ALL_OBJECTS if name != "optimizer"])
        return kind()
    raise ValueError(f"Could not interpret optimizer identifier: {identifier}")


def serialize(optimizer: Any) -> Any:
    """An optimizer as a config."""
    return serialize_keras_object(optimizer)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """An optimizer from its config; the case of its class name does not matter."""
    kind = ALL_OBJECTS.get(str(config.get("class_name", "")).lower())
    named = {**config, "class_name": kind.__name__} if kind is not None else config
    return deserialize_keras_object(named, custom_objects, module="keras.optimizers")


__all__ = public_names.of(__name__)
