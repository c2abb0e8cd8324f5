"""Metrics, as in `keras.metrics`: classes, functions, and `get` for their names."""

from __future__ import annotations

from typing import Any

from kcompile.core import objects, public_names, registry
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from kcompile.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from kcompile.metrics.at_operating_point import (
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)
from kcompile.metrics.auc import AUC
from kcompile.metrics.confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from kcompile.metrics.correlation import (
    ConcordanceCorrelation,
    PearsonCorrelation,
    concordance_correlation,
    pearson_correlation,
)
from kcompile.metrics.f_score import F1Score, FBetaScore
from kcompile.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from kcompile.metrics.metric import Metric
from kcompile.metrics.probabilistic import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    Hinge,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from kcompile.metrics.r2_score import R2Score
from kcompile.metrics.reduction import Mean, MeanMetricWrapper, Sum
from kcompile.metrics.regression import (
    CosineSimilarity,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    RootMeanSquaredError,
)
from kcompile.trace.naming import to_snake_case

CLASSES = (
    *(AUC, Accuracy, BinaryAccuracy, BinaryCrossentropy, BinaryIoU, CategoricalAccuracy),
    *(CategoricalCrossentropy, CategoricalHinge, ConcordanceCorrelation, CosineSimilarity, F1Score),
    *(FBetaScore, FalseNegatives, FalsePositives, Hinge, IoU, KLDivergence, LogCoshError, Mean),
    *(MeanAbsoluteError, MeanAbsolutePercentageError, MeanIoU, MeanMetricWrapper, MeanSquaredError),
    *(MeanSquaredLogarithmicError, Metric, OneHotIoU, OneHotMeanIoU, PearsonCorrelation, Poisson),
    *(Precision, PrecisionAtRecall, R2Score, Recall, RecallAtPrecision, RootMeanSquaredError),
    *(SensitivityAtSpecificity, SparseCategoricalAccuracy, SparseCategoricalCrossentropy),
    *(SparseTopKCategoricalAccuracy, SpecificityAtSensitivity, SquaredHinge, Sum),
    *(TopKCategoricalAccuracy, TrueNegatives, TruePositives),
)
FUNCTIONS = (
    *(binary_accuracy, binary_crossentropy, binary_focal_crossentropy, categorical_accuracy),
    *(categorical_crossentropy, categorical_focal_crossentropy, categorical_hinge),
    *(concordance_correlation, hinge, huber, kl_divergence, log_cosh, mean_absolute_error),
    *(mean_absolute_percentage_error, mean_squared_error, mean_squared_logarithmic_error),
    *(pearson_correlation, poisson, sparse_categorical_accuracy, sparse_categorical_crossentropy),
    *(sparse_top_k_categorical_accuracy, squared_hinge, top_k_categorical_accuracy),
)
SHORT: dict[str, Any] = {
    "bce": BinaryCrossentropy,
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError,
}
registry.publish("keras.metrics", {item.__name__: item for item in (*CLASSES, *FUNCTIONS)})
ALL_OBJECTS: dict[str, Any] = {
    **{kind.__name__: kind for kind in CLASSES},
    **{to_snake_case(kind.__name__): kind for kind in CLASSES},
    **SHORT,
    **{name.upper(): kind for name, kind in SHORT.items()},
}


def get(identifier: Any) -> Any:
    """A metric from a name ("mse", "AUC", ...), a config, a class, a function or a metric.

    Raises:  ValueError for an unknown name, which says what is near.

    >>> get("mse")
    <MeanSquaredError name=mean_squared_error>
    """
    return objects.get("metric", identifier, ALL_OBJECTS, "keras.metrics")


def serialize(metric: Any) -> Any:
    """A metric as a config."""
    return serialize_keras_object(metric)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """A metric from its config or name."""
    return deserialize_keras_object(config, custom_objects, module="keras.metrics")


__all__ = public_names.of(__name__)
