"""Random models with several outputs, masks, sample weights, losses and metrics in `compile()`, by a seed.

Every function takes the library as an argument. A case trains nothing: Keras on JAX loses the masks on the
way out of the gradient, so what it shows of masked outputs while it trains is another matter.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

ROWS, STEPS, UNITS = 7, 4, 3
LENGTHS = (4, 2, 3, 1, 4, 3, 0)
COUNT = 120  # cases in the fixture
ACTIVATIONS = {
    "numbers": "sigmoid",
    "bits": "sigmoid",
    "one-hot": "softmax",
    "classes": "softmax",
    "signs": "tanh",
    "bit": "sigmoid",
}
LOSSES = {
    "numbers": ["mse", "mean_absolute_error", "Huber", "LogCosh", "poisson", "CosineSimilarity", "msle"],
    "bits": ["binary_crossentropy", "BinaryFocalCrossentropy", "bce", "mse"],
    "bit": ["crossentropy", "ce", "binary_crossentropy"],
    "one-hot": ["categorical_crossentropy", "CategoricalFocalCrossentropy", "crossentropy", "kld"],
    "classes": ["sparse_categorical_crossentropy", "ce"],
    "signs": ["hinge", "SquaredHinge", "CategoricalHinge"],
}
_NUMBERS = [
    "mse",
    "mae",
    "MAPE",
    "RootMeanSquaredError()",
    "CosineSimilarity()",
    "LogCoshError()",
    "msle",
    "cosine_similarity",
    "MeanMetricWrapper(mse)",
    "R2Score()",
    "Poisson()",
    "KLDivergence()",
    "function",
]
_BITS = [
    "accuracy",
    "acc",
    "BinaryAccuracy(0.4)",
    "binary_accuracy",
    "Precision()",
    "Recall(top_k)",
    "AUC(num_thresholds=11)",
    "AUC(multi_label)",
    "TruePositives()",
    "FalseNegatives([0.2, 0.7])",
    "PrecisionAtRecall(0.5)",
    "F1Score()",
    "FBetaScore(0.3)",
    "BinaryIoU([1])",
    "SpecificityAtSensitivity(0.5)",
    "bce",
]
METRICS = {
    "numbers": _NUMBERS,
    "bits": _BITS,
    "bit": [
        "accuracy",
        "acc",
        "BinaryAccuracy(0.4)",
        "Recall()",
        "AUC()",
        "mse",
        "binary_crossentropy",
        "FalsePositives()",
    ],
    "one-hot": [
        "accuracy",
        "acc",
        "categorical_accuracy",
        "TopKCategoricalAccuracy(2)",
        "categorical_crossentropy",
        "F1Score(macro)",
        "OneHotIoU(3, [0, 2])",
        "OneHotMeanIoU(3)",
        "Precision(top_k)",
        "mse",
    ],
    "classes": [
        "accuracy",
        "acc",
        "sparse_categorical_accuracy",
        "SparseTopKCategoricalAccuracy(2)",
        "MeanIoU(sparse)",
        "SparseCategoricalCrossentropy()",
    ],
    "signs": ["hinge", "SquaredHinge()", "categorical_hinge", "accuracy", "mae"],
}


ROWS_ONLY = {"R2Score()", "F1Score()", "FBetaScore(0.3)", "F1Score(macro)", "AUC(multi_label)"}  # of 2-D data


def metric(keras: Any, spec: str) -> Any:
    """A metric as users write it: a name, an object, a function."""
    m = keras.metrics
    made = {
        "MeanIoU(sparse)": lambda: m.MeanIoU(UNITS, sparse_y_pred=False),
        "BinaryAccuracy(0.4)": lambda: m.BinaryAccuracy(threshold=0.4),
        "Recall(top_k)": lambda: m.Recall(top_k=2),
        "Precision(top_k)": lambda: m.Precision(top_k=1, class_id=1),
        "AUC(multi_label)": lambda: m.AUC(num_thresholds=11, multi_label=True, num_labels=UNITS),
        "F1Score(macro)": lambda: m.F1Score(average="macro"),
        "FBetaScore(0.3)": lambda: m.FBetaScore(threshold=0.3),
        "F1Score()": lambda: m.F1Score(threshold=0.5, average="micro"),
        "MeanMetricWrapper(mse)": lambda: m.MeanMetricWrapper(
            keras.losses.mean_squared_error, name="wrapped"
        ),
        "function": lambda: largest,
        "AUC(num_thresholds=11)": lambda: m.AUC(num_thresholds=11),
        "FalseNegatives([0.2, 0.7])": lambda: m.FalseNegatives([0.2, 0.7]),
        "BinaryIoU([1])": lambda: m.BinaryIoU([1]),
        "OneHotIoU(3, [0, 2])": lambda: m.OneHotIoU(3, [0, 2]),
    }

    def largest(y_true: Any, y_pred: Any) -> Any:
        return keras.ops.max(keras.ops.abs(y_true - y_pred), axis=-1)

    if spec in made:
        return made[spec]()
    if spec.endswith(")"):
        name, argument = spec[:-1].split("(")
        return getattr(m, name)(
            *([float(argument) if "." in argument else int(argument)] if argument else [])
        )
    return spec


def loss(keras: Any, spec: str) -> Any:
    return getattr(keras.losses, spec)() if spec[0].isupper() else spec


class Case:
    """What a seed stands for: plain data, the same for both libraries."""

    def __init__(self, seed: int):
        rng = self.rng = np.random.RandomState(seed)
        self.masked = rng.rand() < 0.7
        count = rng.choice([1, 1, 2, 3])
        kinds = list(LOSSES)
        self.outputs = [(f"out{k}", kinds[rng.randint(len(kinds))], rng.rand() < 0.7) for k in range(count)]
        self.form = str(rng.choice(["list", "dict"])) if count > 1 else "single"
        self.dict_model = self.form == "dict" and rng.rand() < 0.5
        self.losses = [LOSSES[kind][rng.randint(len(LOSSES[kind]))] for _, kind, _ in self.outputs]
        if count > 1 and rng.rand() < 0.3:
            self.losses[rng.randint(count)] = ""
        self.metrics = [self._some(kind, steps) for _, kind, steps in self.outputs]
        self.weighted = [self._some(kind, steps) for _, kind, steps in self.outputs]
        self.weights = str(rng.choice(["none", "rows", "column", "each", "steps"]))
        self.loss_weights = bool(rng.rand() < 0.3)
        self.batch = int(rng.choice([2, 3, 7]))

    def _some(self, kind: str, per_step: bool) -> list[str]:
        names = [name for name in METRICS[kind] if not (per_step and name in ROWS_ONLY)]
        return [names[k] for k in self.rng.choice(len(names), self.rng.randint(0, 4), replace=False)]

    def labels(self, kind: str, per_step: bool) -> np.ndarray:
        rng = self.rng
        outer = (ROWS, STEPS) if per_step else (ROWS,)
        shape = (*outer, 1 if kind == "bit" else UNITS)
        if kind == "numbers":
            return rng.uniform(0.1, 0.9, shape).astype("float32")
        if kind in ("bits", "bit", "signs"):
            return (rng.randint(0, 2, shape) * (2 if kind == "signs" else 1) - (kind == "signs")).astype(
                "float32"
            )
        classes = rng.randint(0, UNITS, outer).astype("int32")
        return classes if kind == "classes" else np.eye(UNITS, dtype="float32")[classes]

    def pack(self, items: list[Any], by_name: bool) -> Any:
        """Something for each output, as a list, a dict, or alone."""
        names = [name for name, _, _ in self.outputs]
        if by_name:
            return {n: item for n, item in zip(names, items, strict=True) if item not in (None, [], "")}
        return items[0] if len(items) == 1 else items


def model(keras: Any, case: Case) -> Any:
    inputs = keras.Input((STEPS, 3), name="x")
    hidden = keras.layers.Masking()(inputs) if case.masked else inputs
    hidden = keras.layers.Dense(4, "tanh")(hidden)
    found = {}
    for name, kind, per_step in case.outputs:
        h = hidden if per_step else keras.layers.GlobalAveragePooling1D()(hidden)
        units = 1 if kind == "bit" else UNITS
        found[name] = keras.layers.Dense(units, ACTIVATIONS[kind], name=name)(h)
    outputs = found if case.dict_model else list(found.values())
    made = keras.Model(inputs, outputs[0] if isinstance(outputs, list) and len(outputs) == 1 else outputs)
    rng = np.random.RandomState(5)
    made.set_weights([rng.uniform(-0.9, 0.9, w.shape) for w in made.get_weights()])
    return made


def run(keras: Any, seed: int) -> dict[str, Any]:
    """Name -> value of what `evaluate` shows, or {"error": name of its type}."""
    case = Case(seed)
    made = model(keras, case)
    by_name = case.form == "dict"
    losses = [loss(keras, spec) if spec else None for spec in case.losses]
    plain, weighted = (
        [[metric(keras, s) for s in specs] for specs in every] for every in (case.metrics, case.weighted)
    )
    x = case.rng.uniform(-1, 1, (ROWS, STEPS, 3)).astype("float32")
    pooled = not all(per_step for _, _, per_step in case.outputs)  # a mean of no steps is NaN
    for row, length in enumerate(LENGTHS):
        x[row, max(length, pooled) :] = 0
    y = [case.labels(kind, per_step) for _, kind, per_step in case.outputs]
    w = [_weights(case, per_step) for _, _, per_step in case.outputs]
    if by_name:
        names = [name for name, _, _ in case.outputs]
        labels: Any = dict(zip(names, y, strict=True))
        weight: Any = None if w[0] is None else dict(zip(names, w, strict=True))
    else:
        labels = y[0] if len(y) == 1 else y
        weight = None if w[0] is None else w[0] if len(w) == 1 else w
    if case.weights == "column" and not by_name:
        weight = w[0]  # one for all outputs
    factors = [0.5, 2.0, 1.5][: len(y)] if case.loss_weights and len(y) > 1 else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made.compile(
                "sgd",
                dict(zip([n for n, _, _ in case.outputs], losses, strict=True))
                if by_name
                else case.pack(losses, False),
                loss_weights=factors,
                metrics=case.pack(plain, by_name),
                weighted_metrics=case.pack(weighted, by_name),
            )
            shown = made.evaluate(
                x, labels, sample_weight=weight, batch_size=case.batch, verbose=0, return_dict=True
            )
        except Exception as error:
            return {"error": type(error).__name__}
    return {name: np.asarray(value, "float64").reshape(-1).tolist() for name, value in shown.items()}


def _weights(case: Case, per_step: bool) -> np.ndarray | None:
    if case.weights == "none":
        return None
    shapes = {"steps": (ROWS, STEPS), "rows": (ROWS, 1)} if per_step else {"column": (ROWS, 1)}
    shape = shapes.get(case.weights, (ROWS, 1) if per_step else (ROWS,))
    return case.rng.uniform(0, 2, shape).astype("float32")
