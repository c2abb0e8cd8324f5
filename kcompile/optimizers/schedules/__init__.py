"""Learning rates as functions of the step, as in `keras.optimizers.schedules`."""

from __future__ import annotations

from typing import Any

from kcompile.core import public_names, registry
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.optimizers.schedules.cosine import CosineDecay, CosineDecayRestarts
from kcompile.optimizers.schedules.decay import (
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from kcompile.optimizers.schedules.schedule import LearningRateSchedule

CLASSES = (
    *(CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, LearningRateSchedule),
    *(PiecewiseConstantDecay, PolynomialDecay),
)
registry.publish("keras.optimizers.schedules", {kind.__name__: kind for kind in CLASSES})


def serialize(learning_rate_schedule: Any) -> Any:
    """A schedule as a config."""
    return serialize_keras_object(learning_rate_schedule)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """A schedule from its config."""
    return deserialize_keras_object(config, custom_objects, module="keras.optimizers.schedules")


__all__ = public_names.of(__name__)
