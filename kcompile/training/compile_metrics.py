"""The metrics given to `compile`, lists per output, as one metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile import metrics as metrics_module
from kcompile.core import tree
from kcompile.metrics import MeanMetricWrapper, Metric
from kcompile.trace import naming, tracer
from kcompile.training.compile_loss import CompileLoss, kind_of_labels
from kcompile.training.outputs import Outputs

ACCURACIES = {
    "binary": metrics_module.BinaryAccuracy,
    "sparse": metrics_module.SparseCategoricalAccuracy,
    "categorical": metrics_module.CategoricalAccuracy,
}
BY_SHAPE = ("accuracy", "acc")


class CompileMetrics(Metric):
    """Metrics and weighted metrics, resolved when labels and predictions are first seen.

    Raises:  ValueError for arguments that are no list, tuple or dict, and for unknown names.
    """

    def __init__(self, metrics: Any, weighted_metrics: Any, output_names: Sequence[str] | None = None):
        super().__init__(name="compile_metrics")
        self._given = {"metrics": metrics, "weighted_metrics": weighted_metrics}
        for argument, value in self._given.items():
            if value and not isinstance(value, (list, tuple, dict)):
                raise ValueError(
                    f"Expected `{argument}` argument to be a list, tuple, or dict. "
                    f"Received instead: {argument}={value} of type {type(value)}"
                )
            check_names(value)
        self._output_names = output_names
        self.compile_loss: CompileLoss | None = None  # which says what fewer labels than outputs are for
        self._users: list[str | None] = []  # a metric of each output
        self._outputs: Outputs | None = None
        self._groups: dict[str, list[list[Any]]] = {"metrics": [], "weighted_metrics": []}

    @property
    def built(self) -> bool:
        return self._outputs is not None

    @property
    def metrics(self) -> list[Any]:
        """All metrics, those without weights first."""
        return [metric for groups in self._groups.values() for group in groups for metric in group]

    @property
    def variables(self) -> list[Any]:
        return [v for metric in self.metrics for v in metric.variables]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Resolve names by the shapes of labels and predictions."""
        outputs = Outputs(y_pred, self._output_names)
        lists = {argument: _per_output(outputs, given, argument) for argument, given in self._given.items()}
        self._users = [_user(entries) for entries in zip(*lists.values(), strict=True)]
        labels = self._labels(outputs, y_true)
        predictions = outputs.predictions(y_pred)
        with tracer.suspended():
            for argument, entries in lists.items():
                self._groups[argument] = [
                    [
                        resolve(identifier, y_t, y_p)
                        for identifier in tree.flatten(entry)
                        if identifier is not None
                    ]
                    for entry, y_t, y_p in zip(entries, labels, predictions, strict=True)
                ]
        self._outputs = outputs

    def _wanted(self, outputs: Outputs) -> list[bool]:
        """What fewer labels than outputs are for: the outputs with a loss; if there is none, with metrics."""
        loss = self.compile_loss
        if loss is not None and loss.built:
            return loss.wanted(outputs)
        return [user is not None for user in self._users]

    def _labels(self, outputs: Outputs, y: Any) -> list[Any]:
        labels = outputs.labels(y, self._wanted(outputs))
        outputs.check_labels(labels, self._users)
        return labels

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if y_true is None:
            raise ValueError("The model was compiled with metrics, but no labels `y` were given.")
        if self._outputs is None:
            self.build(y_true, y_pred)
        assert self._outputs is not None
        predictions = self._outputs.predictions(y_pred)
        labels = self._labels(self._outputs, y_true)
        weights = self._outputs.weights(sample_weight, self._wanted(self._outputs))
        for k, (y_t, y_p, weight) in enumerate(zip(labels, predictions, weights, strict=True)):
            for metric in self._groups["metrics"][k]:
                metric.update_state(y_t, y_p, sample_weight=None)  # `Mean` would take predictions as weights
            for metric in self._groups["weighted_metrics"][k]:
                metric.update_state(y_t, y_p, sample_weight=weight)

    def reset_state(self) -> None:
        for metric in self.metrics:
            metric.reset_state()

    def result(self) -> dict[str, Any]:
        """Results by name; with several outputs `<output>_<metric>`, and equal names are told apart.

        Raises:  ValueError before the first update.
        """
        if self._outputs is None:
            raise ValueError("Cannot get result() since the metric has not yet been built.")
        results: dict[str, Any] = {}
        seen: dict[str, int] = {}
        for argument, groups in self._groups.items():
            for output, group in zip(self._outputs.metric_names, groups, strict=True):
                prefix = f"{output}_" if self._outputs.count > 1 and output else ""
                for metric in group:
                    name = prefix + metric.name
                    if name in results and argument == "weighted_metrics":
                        name = f"{prefix}weighted_{metric.name}"
                    count = seen.get(name, 0)
                    seen[name] = count + 1
                    results[f"{name}_{count}" if count else name] = metric.result()
        return results


def _per_output(outputs: Outputs, given: Any, argument: str) -> list[Any]:
    """A list of metrics for each output."""
    if not given:
        return [None] * outputs.count
    return [given] if outputs.count == 1 else outputs.settings(given, argument)


def _user(entries: Any) -> str | None:
    """The first of an output's metrics, as a message calls it."""
    first = next((one for one in tree.flatten(list(entries)) if one is not None), None)
    return None if first is None else f"Metric {_name(first)!r}"


def _name(identifier: Any) -> str:
    """What the user calls a metric."""
    if isinstance(identifier, str):
        return identifier
    own = getattr(identifier, "name", None) or getattr(identifier, "__name__", None)
    return (own or type(identifier).__name__).strip("<>")  # a lambda is called <lambda>


def check_names(metrics: Any) -> None:
    """Unknown names among metrics are errors at once."""
    for leaf in tree.flatten(metrics):
        if isinstance(leaf, str) and leaf.lower() not in BY_SHAPE:
            with naming.uncounted():
                metrics_module.get(leaf)
        elif leaf is not None and not isinstance(leaf, str) and not callable(leaf):
            raise ValueError(f"Could not interpret metric identifier: {leaf}")


def resolve(identifier: Any, y_true: Any, y_pred: Any) -> Any:
    """A metric from what the user gave: a name, a function, a class, a metric. It keeps the user's name."""
    if isinstance(identifier, str) and identifier.lower() in BY_SHAPE:
        return ACCURACIES[kind_of_labels(y_true, y_pred)](name=identifier)
    found = metrics_module.get(identifier)
    name = identifier if isinstance(identifier, str) else _name(found)
    if not isinstance(found, Metric):
        found = MeanMetricWrapper(found, name=name)
    if found.name != name:
        found.name = name
    return found
