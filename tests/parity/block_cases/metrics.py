"""Every metric in several settings, over batches with weights of several forms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

CLASSES = 4


def probabilities(rng: np.random.Generator, *shape: int) -> np.ndarray:
    p = rng.random(shape).astype("float32") + 0.05
    return p / p.sum(-1, keepdims=True)


def one_hot(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return np.eye(CLASSES, dtype="float32")[rng.integers(0, CLASSES, shape)]


def decided(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Probabilities, among them the ends and the middle of the range."""
    p = rng.random(shape).astype("float32")
    p.flat[:3] = (0.0, 1.0, 0.5)
    return p


DATA = {
    "sparse": lambda r, n: (r.integers(0, CLASSES, n), probabilities(r, n, CLASSES)),
    "column": lambda r, n: (r.integers(0, CLASSES, (n, 1)), r.normal(size=(n, CLASSES)).astype("float32")),
    "onehot": lambda r, n: (one_hot(r, n), probabilities(r, n, CLASSES)),
    "logits": lambda r, n: (one_hot(r, n), r.normal(size=(n, CLASSES)).astype("float32")),
    "binary": lambda r, n: (r.integers(0, 2, (n, 3)), decided(r, n, 3)),
    "flat": lambda r, n: (r.integers(0, 2, n), decided(r, n)),
    "flat column": lambda r, n: (r.integers(0, 2, n), decided(r, n, 1)),
    "scores": lambda r, n: (r.integers(0, 2, (n, 3)), r.normal(size=(n, 3)).astype("float32")),
    "signed": lambda r, n: (r.integers(0, 2, (n, 3)) * 2 - 1, r.normal(size=(n, 3)).astype("float32")),
    "plain": lambda r, n: tuple(r.normal(size=(2, n, 3)).astype("float32")),
    "steps": lambda r, n: tuple(r.normal(size=(2, n, 2, 3)).astype("float32")),
    "sparse steps": lambda r, n: (r.integers(0, CLASSES, (n, 2)), probabilities(r, n, 2, CLASSES)),
    "positive": lambda r, n: tuple(r.random((2, n, 3)).astype("float32") + 0.1),
    "numbers": lambda r, n: (r.integers(0, CLASSES, n), r.integers(0, CLASSES, n)),
    "image": lambda r, n: (r.integers(0, CLASSES + 1, (n, 2, 2)), r.integers(-1, CLASSES + 1, (n, 2, 2))),
    "onehot image": lambda r, n: (one_hot(r, n, 2, 2), probabilities(r, n, 2, 2, CLASSES)),
    "ids": lambda r, n: (r.integers(0, CLASSES, n), np.argsort(-r.random((n, CLASSES)), -1)),
    "values": lambda r, n: (r.normal(size=(n, 3)).astype("float32"), None),
    "scalar": lambda r, n: (np.float32(r.normal()), None),
}


@dataclass
class Case:
    """A metric and its data. weights: forms of sample weights, batch by batch ("none", "sample", ...)."""

    name: str
    kind: str
    settings: dict[str, Any] = field(default_factory=dict)
    data: str = "plain"
    weights: tuple[str, ...] = ("none", "sample", "zero", "sample")

    def make(self, keras: Any) -> Any:
        settings = dict(self.settings)
        if isinstance(settings.get("fn"), str):
            settings["fn"] = getattr(keras.losses, settings["fn"])
        return getattr(keras.metrics, self.kind)(**settings)

    def batches(self) -> Iterator[tuple[tuple[Any, ...], Any]]:
        """(arguments of `update_state`, sample_weight) by batch: odd sizes, one of one sample."""
        rng = np.random.default_rng(31)
        for n, form in zip((7, 5, 1, 4), self.weights, strict=False):
            y_true, y_pred = DATA[self.data](rng, n) if self.data != "pairs" else (None, None)
            shape = {"sample": (n,), "zero": (n,), "full": np.shape(y_true), "column": (n, 1), "one": (1,)}
            weight = None
            if form != "none":
                weight = rng.random(shape[form]).astype("float32")
                weight = rng.integers(0, 4, shape[form]) if self.settings.get("dtype") == "int" else weight
                weight = weight * 0 if form == "zero" else weight
            yield (y_true,) if y_pred is None else (y_true, y_pred), weight


def cases() -> Iterator[Case]:
    yield from means()
    yield from counts()
    yield from curves()
    yield from regions()
    yield from others()


def means() -> Iterator[Case]:
    yield Case("Sum", "Sum", data="values")
    yield Case("Sum full", "Sum", data="values", weights=("full", "column", "sample"))
    yield Case("Mean", "Mean", data="values")
    yield Case("Mean full", "Mean", data="values", weights=("full", "column", "sample"))
    yield Case("Mean scalar", "Mean", data="scalar", weights=("none", "none"))
    yield Case("Mean half", "Mean", {"dtype": "float16", "name": "mine"}, data="values")
    yield Case("wrapper", "MeanMetricWrapper", {"fn": "mean_squared_error", "name": "w"})
    yield Case("wrapper setting", "MeanMetricWrapper", {"fn": "huber", "name": "w", "delta": 0.3})
    for kind in ("MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "LogCoshError"):
        yield Case(kind, kind)
        yield Case(f"{kind} steps", kind, data="steps", weights=("none", "sample", "zero"))
    yield Case("RootMeanSquaredError", "RootMeanSquaredError")
    yield Case("RootMeanSquaredError full", "RootMeanSquaredError", weights=("full", "column"))
    for kind in ("MeanSquaredLogarithmicError", "KLDivergence", "Poisson"):
        yield Case(kind, kind, data="positive")
    yield Case("CosineSimilarity", "CosineSimilarity")
    yield Case("CosineSimilarity axis", "CosineSimilarity", {"axis": 1}, data="steps")
    for kind in ("Hinge", "SquaredHinge"):
        yield Case(kind, kind, data="scores")
        yield Case(f"{kind} signed", kind, data="signed")
    yield Case("CategoricalHinge", "CategoricalHinge", data="logits")
    yield Case("BinaryCrossentropy", "BinaryCrossentropy", {"label_smoothing": 0.1}, data="binary")
    yield Case("BinaryCrossentropy logits", "BinaryCrossentropy", {"from_logits": True}, data="scores")
    yield Case("CategoricalCrossentropy", "CategoricalCrossentropy", {"label_smoothing": 0.2}, data="onehot")
    yield Case(
        "CategoricalCrossentropy logits", "CategoricalCrossentropy", {"from_logits": True}, data="logits"
    )
    sparse = "SparseCategoricalCrossentropy"
    yield Case(sparse, sparse, data="sparse")
    yield Case(f"{sparse} steps", sparse, data="sparse steps", weights=("none", "full", "sample"))
    yield Case(f"{sparse} logits", sparse, {"from_logits": True}, data="column")


def counts() -> Iterator[Case]:
    yield Case("Accuracy", "Accuracy", data="numbers")
    yield Case("BinaryAccuracy", "BinaryAccuracy", data="binary")
    yield Case("BinaryAccuracy threshold", "BinaryAccuracy", {"threshold": 0.3}, data="flat")
    yield Case("CategoricalAccuracy", "CategoricalAccuracy", data="onehot")
    yield Case("SparseCategoricalAccuracy", "SparseCategoricalAccuracy", data="sparse")
    yield Case("SparseCategoricalAccuracy column", "SparseCategoricalAccuracy", data="column")
    yield Case("SparseCategoricalAccuracy steps", "SparseCategoricalAccuracy", data="sparse steps")
    yield Case("TopKCategoricalAccuracy", "TopKCategoricalAccuracy", {"k": 2}, data="onehot")
    yield Case("SparseTopK", "SparseTopKCategoricalAccuracy", {"k": 3}, data="sparse steps")
    ids = {"k": 2, "from_sorted_ids": True}
    yield Case("SparseTopK ids", "SparseTopKCategoricalAccuracy", ids, data="ids")
    for kind in ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives"):
        yield Case(kind, kind, data="binary", weights=("none", "sample", "full", "column"))
        yield Case(f"{kind} thresholds", kind, {"thresholds": [0.1, 0.5, 0.9]}, data="flat")
    for kind in ("Precision", "Recall"):
        yield Case(kind, kind, data="binary", weights=("none", "sample", "full", "column"))
        yield Case(f"{kind} thresholds", kind, {"thresholds": [0.1, 0.5, 0.9]}, data="flat column")
        yield Case(f"{kind} class", kind, {"class_id": 1, "name": "p"}, data="onehot")
        yield Case(f"{kind} top", kind, {"top_k": 2}, data="onehot")
        yield Case(f"{kind} top class", kind, {"top_k": 3, "class_id": 2, "thresholds": 0.2}, data="onehot")
    for average in (None, "micro", "macro", "weighted"):
        yield Case(f"F1Score {average}", "F1Score", {"average": average}, data="onehot")
        settings = {"average": average, "beta": 2.0, "threshold": 0.3}
        yield Case(f"FBetaScore {average}", "FBetaScore", settings, data="onehot")


def curves() -> Iterator[Case]:
    for curve in ("ROC", "PR", "PRGAIN"):
        for method in ("interpolation", "minoring", "majoring"):
            settings = {"curve": curve, "summation_method": method, "num_thresholds": 21}
            yield Case(f"AUC {curve} {method}", "AUC", settings, data="binary")
    yield Case("AUC", "AUC", {"curve": "roc", "summation_method": "Majoring"}, data="flat")
    yield Case("AUC thresholds", "AUC", {"thresholds": [0.7, 0.1, 0.6]}, data="flat")
    yield Case("AUC even thresholds", "AUC", {"thresholds": [0.25, 0.5, 0.75]}, data="scores")
    yield Case("AUC outside", "AUC", {"num_thresholds": 5}, data="scores")
    yield Case("AUC logits", "AUC", {"from_logits": True, "num_thresholds": 30}, data="scores")
    labels = {"multi_label": True, "num_thresholds": 13}
    yield Case("AUC labels", "AUC", labels, data="binary", weights=("none", "sample", "full"))
    weighted = {**labels, "num_labels": 3, "label_weights": [1.0, 2.0, 0.5]}
    yield Case("AUC weighted labels", "AUC", weighted, data="binary")
    yield Case("AUC weighted labels PR", "AUC", {**weighted, "curve": "PR"}, data="binary")
    yield Case(
        "AUC label weights", "AUC", {"label_weights": [1.0, 2.0, 0.5], "num_thresholds": 9}, data="binary"
    )
    for kind, argument in (
        ("SensitivityAtSpecificity", "specificity"),
        ("SpecificityAtSensitivity", "sensitivity"),
        ("PrecisionAtRecall", "recall"),
        ("RecallAtPrecision", "precision"),
    ):
        yield Case(kind, kind, {argument: 0.5}, data="binary")
        yield Case(f"{kind} one", kind, {argument: 0.4, "num_thresholds": 1}, data="flat")
        few = {argument: 0.7, "num_thresholds": 5}
        yield Case(f"{kind} few", kind, few, data="flat column", weights=("none", "sample", "column"))
        yield Case(f"{kind} class", kind, {argument: 0.3, "class_id": 2, "name": "at"}, data="onehot")
        yield Case(f"{kind} never", kind, {argument: 1.0, "num_thresholds": 3}, data="binary")


def regions() -> Iterator[Case]:
    yield Case(
        "IoU", "IoU", {"num_classes": 4, "target_class_ids": [0, 2]}, data="numbers", weights=("none",) * 3
    )
    image = {"num_classes": 4, "target_class_ids": (1,), "ignore_class": 0, "dtype": "int"}
    yield Case("IoU image", "IoU", image, data="image", weights=("none", "full", "zero")[:2])
    floats = {"num_classes": 4, "target_class_ids": [0, 1], "dtype": "float32"}
    yield Case("IoU float", "IoU", floats, data="numbers", weights=("none", "sample", "zero"))
    yield Case("BinaryIoU", "BinaryIoU", data="binary", weights=("none",) * 3)
    binary = {"target_class_ids": [1], "threshold": 0.3, "dtype": "float32"}
    yield Case("BinaryIoU weighted", "BinaryIoU", binary, data="binary", weights=("none", "full", "full"))
    yield Case("MeanIoU", "MeanIoU", {"num_classes": 4}, data="image", weights=("none",) * 3)
    yield Case(
        "MeanIoU ignore",
        "MeanIoU",
        {"num_classes": 5, "ignore_class": 4},
        data="image",
        weights=("none",) * 2,
    )
    scores = {"num_classes": 4, "sparse_y_pred": False}
    yield Case("MeanIoU scores", "MeanIoU", scores, data="sparse", weights=("none",) * 3)
    one = {"num_classes": 4, "target_class_ids": [0, 2], "name": "iou"}
    yield Case("OneHotIoU", "OneHotIoU", one, data="onehot image", weights=("none",) * 3)
    yield Case("OneHotMeanIoU", "OneHotMeanIoU", {"num_classes": 4}, data="onehot", weights=("none",) * 3)


def others() -> Iterator[Case]:
    for aggregation in (None, "uniform_average", "variance_weighted_average"):
        yield Case(f"R2Score {aggregation}", "R2Score", {"class_aggregation": aggregation})
    yield Case("R2Score adjusted", "R2Score", {"num_regressors": 3}, weights=("none", "sample", "column"))
    yield Case(
        "R2Score few", "R2Score", {"num_regressors": 100, "class_aggregation": None}, weights=("none", "full")
    )
    for kind in ("PearsonCorrelation", "ConcordanceCorrelation"):
        yield Case(kind, kind)
        yield Case(f"{kind} axis", kind, {"axis": 0}, data="plain", weights=("none", "none"))
        yield Case(f"{kind} steps", kind, data="steps", weights=("none", "sample", "zero"))
