"""Losses, as in `keras.losses`: classes, functions, and `get` for their names."""

from __future__ import annotations

from typing import Any

from kcompile.core import objects, public_names, registry
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.losses.focal import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    binary_focal_crossentropy,
    categorical_focal_crossentropy,
)
from kcompile.losses.loss import Loss, LossFunctionWrapper
from kcompile.losses.margin import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from kcompile.losses.metric_learning import Circle, circle
from kcompile.losses.overlap import Dice, Tversky, dice, tversky
from kcompile.losses.probabilistic import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
    categorical_generalized_cross_entropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from kcompile.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from kcompile.losses.sequence import CTC, ctc

CLASSES = (
    *(BinaryCrossentropy, BinaryFocalCrossentropy, CTC, CategoricalCrossentropy),
    *(CategoricalFocalCrossentropy, CategoricalGeneralizedCrossEntropy, CategoricalHinge, Circle),
    *(CosineSimilarity, Dice, Hinge, Huber, KLDivergence, LogCosh, Loss, LossFunctionWrapper),
    *(MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError),
    *(Poisson, SparseCategoricalCrossentropy, SquaredHinge, Tversky),
)
FUNCTIONS = (
    *(binary_crossentropy, binary_focal_crossentropy, categorical_crossentropy),
    *(categorical_focal_crossentropy, categorical_generalized_cross_entropy, categorical_hinge),
    *(circle, cosine_similarity, ctc, dice, hinge, huber, kl_divergence, log_cosh),
    *(mean_absolute_error, mean_absolute_percentage_error, mean_squared_error),
    *(mean_squared_logarithmic_error, poisson, sparse_categorical_crossentropy, squared_hinge, tversky),
)
SHORT = {
    "bce": binary_crossentropy,
    "kld": kl_divergence,
    "mae": mean_absolute_error,
    "mse": mean_squared_error,
    "mape": mean_absolute_percentage_error,
    "msle": mean_squared_logarithmic_error,
}
ALL_OBJECTS: dict[str, Any] = {item.__name__: item for item in (*CLASSES, *FUNCTIONS)}
registry.publish("keras.losses", ALL_OBJECTS)
ALL_OBJECTS |= SHORT | {name.upper(): function for name, function in SHORT.items()}


def get(identifier: Any) -> Any:
    """A loss from a name ("mse", "MeanSquaredError", ...), a config, a class, a function or a loss.

    Raises:  ValueError for an unknown name, which says what is near.

    >>> get("mse").__name__, get("Huber").name
    ('mean_squared_error', 'huber_loss')
    """
    return objects.get("loss", identifier, ALL_OBJECTS, "keras.losses")


def serialize(loss: Any) -> Any:
    """A loss as a config."""
    return serialize_keras_object(loss)


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """A loss from its config or name."""
    return deserialize_keras_object(name, custom_objects, module="keras.losses")


__all__ = public_names.of(__name__)
