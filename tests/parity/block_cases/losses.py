"""Every loss in several settings, with every reduction, form of sample weights and mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.parity.block_cases.metrics import CLASSES, DATA, one_hot, probabilities

N = 7
REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)
MORE = {
    "binary steps": lambda r, n: (
        r.integers(0, 2, (n, 2, 3)),
        r.random((n, 2, 3)).astype("float32") * 0.9 + 0.05,
    ),
    "onehot steps": lambda r, n: (one_hot(r, n, 2), probabilities(r, n, 2, CLASSES)),
    "classes second": lambda r, n: tuple(np.swapaxes(x, 1, 2) for x in MORE["onehot steps"](r, n)),
    "column numbers": lambda r, n: (
        r.normal(size=n).astype("float32"),
        r.normal(size=(n, 1)).astype("float32"),
    ),
    "embeddings": lambda r, n: (r.integers(0, 3, n), _directions(r, n)),
    "embeddings column": lambda r, n: (r.integers(0, 3, (n, 1)), _directions(r, n)),
    "labels": lambda r, n: (_labels(r, n), r.normal(size=(n, 6, CLASSES)).astype("float32")),
    "inside": lambda r, n: (r.integers(0, 2, (n, 3)), r.random((n, 3)).astype("float32") * 0.9 + 0.05),
}


def _directions(rng: np.random.Generator, n: int) -> np.ndarray:
    x = rng.normal(size=(n, 4)).astype("float32")
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def _labels(rng: np.random.Generator, n: int) -> np.ndarray:
    """Rows of up to three labels, filled up with 0."""
    labels = rng.integers(1, CLASSES, (n, 3))
    return labels * (np.arange(3) < rng.integers(0, 4, n)[:, None])


@dataclass
class Case:
    name: str
    kind: str
    settings: dict[str, Any] = field(default_factory=dict)
    data: str = "plain"

    def make(self, keras: Any, **more: Any) -> Any:
        return getattr(keras.losses, self.kind)(**self.settings, **more)

    def arrays(self) -> tuple[Any, np.ndarray]:
        return {**DATA, **MORE}[self.data](np.random.default_rng(41), N)

    def weights(self, shape: tuple[int, ...]) -> Iterator[tuple[str, np.ndarray]]:
        """Sample weights of each form for loss values of a shape, some of them 0."""
        rng = np.random.default_rng(42)
        forms = {"sample": (N,), "column": (N, 1), "full": shape, "scalar": ()}
        for form, of in forms.items():
            if shape and not (len(shape) == 2 and form == "sample"):
                weight = np.asarray(rng.random(of), "float32")
                yield form, weight * (rng.random(of) > 0.2).astype("float32")

    def mask(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.random.default_rng(43).random(shape) > 0.4

    def answers(self, keras: Any, with_mask: Callable[[Any, Any], Any]) -> Iterator[tuple[str, Any]]:
        """(what, value) for each reduction, without and with weights and a mask."""
        y_true, y_pred = self.arrays()
        shape = tuple(self.make(keras, reduction=None)(y_true, y_pred).shape)
        for reduction in REDUCTIONS:
            loss = self.make(keras, reduction=reduction)
            yield f"{reduction}", loss(y_true, y_pred)
            for form, weight in self.weights(shape):
                yield f"{reduction} {form}", loss(y_true, y_pred, sample_weight=weight)
            if shape:
                masked = with_mask(y_pred, self.mask(shape))
                full = dict(self.weights(shape))["full"]
                yield f"{reduction} masked", loss(y_true, masked)
                yield f"{reduction} masked full", loss(y_true, masked, sample_weight=full)


def cases() -> Iterator[Case]:
    for kind in ("MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "LogCosh"):
        yield Case(kind, kind)
        yield Case(f"{kind} steps", kind, data="steps")
    yield Case("MeanSquaredError column", "MeanSquaredError", data="column numbers")
    yield Case("Huber", "Huber", {"delta": 0.5})
    yield Case("CosineSimilarity", "CosineSimilarity", {"name": "mine"})
    yield Case("CosineSimilarity axis", "CosineSimilarity", {"axis": 1}, "steps")
    for kind in ("MeanSquaredLogarithmicError", "KLDivergence", "Poisson"):
        yield Case(kind, kind, data="positive")
    for kind in ("Hinge", "SquaredHinge"):
        yield Case(kind, kind, data="scores")
        yield Case(f"{kind} signed", kind, data="signed")
    yield Case("CategoricalHinge", "CategoricalHinge", data="logits")
    yield from binary()
    yield from categorical()
    yield Case("Dice", "Dice", data="inside")
    yield Case("Dice axis", "Dice", {"axis": (1,)}, "inside")
    yield Case("Tversky", "Tversky", {"alpha": 0.3, "beta": 0.7}, "inside")
    yield Case("Tversky axis", "Tversky", {"axis": (1, 2)}, "binary steps")
    yield Case("Circle", "Circle", data="embeddings")
    yield Case("Circle gamma", "Circle", {"gamma": 3.0, "margin": 0.2}, "embeddings column")
    yield Case("Circle diagonal", "Circle", {"remove_diagonal": False}, "embeddings")
    yield Case("CTC", "CTC", data="labels")


def binary() -> Iterator[Case]:
    for smoothing in (0.0, 0.2):
        yield Case(
            f"BinaryCrossentropy {smoothing}", "BinaryCrossentropy", {"label_smoothing": smoothing}, "inside"
        )
        logits = {"from_logits": True, "label_smoothing": smoothing}
        yield Case(f"BinaryCrossentropy logits {smoothing}", "BinaryCrossentropy", logits, "scores")
        focal = {"apply_class_balancing": smoothing > 0, "label_smoothing": smoothing, "gamma": 1.5}
        yield Case(f"BinaryFocal {smoothing}", "BinaryFocalCrossentropy", focal, "inside")
    yield Case("BinaryCrossentropy axis", "BinaryCrossentropy", {"axis": 1}, "binary steps")
    yield Case("BinaryFocal logits", "BinaryFocalCrossentropy", {"from_logits": True, "axis": 1}, "scores")


def categorical() -> Iterator[Case]:
    for smoothing in (0.0, 0.2):
        settings = {"label_smoothing": smoothing}
        yield Case(f"Categorical {smoothing}", "CategoricalCrossentropy", settings, "onehot")
        logits = {"from_logits": True, **settings}
        yield Case(f"Categorical logits {smoothing}", "CategoricalCrossentropy", logits, "logits")
        yield Case(f"CategoricalFocal {smoothing}", "CategoricalFocalCrossentropy", settings, "onehot")
        yield Case(f"CategoricalFocal logits {smoothing}", "CategoricalFocalCrossentropy", logits, "logits")
    yield Case("Categorical steps", "CategoricalCrossentropy", data="onehot steps")
    yield Case("Categorical axis", "CategoricalCrossentropy", {"axis": 1}, "classes second")
    yield Case(
        "CategoricalFocal axis", "CategoricalFocalCrossentropy", {"axis": 1, "alpha": 0.5}, "classes second"
    )
    for name, settings, data in (
        ("", {}, "sparse"),
        (" logits", {"from_logits": True}, "column"),
        (" steps", {}, "sparse steps"),
        (" ignore", {"ignore_class": 2}, "sparse"),
        (" ignore steps", {"ignore_class": 0, "from_logits": True}, "sparse steps"),
    ):
        yield Case(f"Sparse{name}", "SparseCategoricalCrossentropy", settings, data)
    for q in (0.3, 0.7):
        yield Case(f"Generalized {q}", "CategoricalGeneralizedCrossEntropy", {"q": q}, "sparse")
