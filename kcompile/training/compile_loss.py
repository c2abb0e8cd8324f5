"""The losses given to `compile`, one per output, as one loss."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kcompile import losses as losses_module
from kcompile.core import tree
from kcompile.core.callers import users_level
from kcompile.core.config import floatx
from kcompile.core.errors import ArgumentError, MissingLabelsError, ShapeError, message
from kcompile.metrics import Mean
from kcompile.ops import elementwise as ew
from kcompile.trace import tracer
from kcompile.trace.keras_tensor import known_shape
from kcompile.training.loss_places import Path, at, places
from kcompile.training.outputs import Outputs

BY_SHAPE = ("crossentropy", "ce")


@dataclass
class OutputLoss:
    """The loss at a place of the outputs, its weight, and the metric that shows it if there are several."""

    path: Path
    loss: Any
    weight: Any
    name: str
    tracker: Any = None


class CompileLoss:
    """Sum of weighted losses, resolved when labels and predictions are first seen.

    Of several losses for the one output of a model the first alone counts, as in Keras.

    Raises:  ValueError for loss_weights of another type, or of another number than there are losses.
    """

    name = "compile_loss"

    def __init__(self, loss: Any, loss_weights: Any = None, output_names: Sequence[str] | None = None):
        if loss_weights and not isinstance(loss_weights, (list, tuple, dict, float)):
            raise ValueError(
                "Expected `loss_weights` argument to be a float (single output case) or a list, tuple, or "
                "dict "
                f"(multiple output case). Received instead: loss_weights={loss_weights} of type "
                f"{type(loss_weights)}"
            )
        check_names(loss)
        self._given, self._given_weights, self._names = loss, loss_weights, output_names
        self._losses: list[OutputLoss] = []
        self._outputs: Outputs | None = None

    @property
    def built(self) -> bool:
        return self._outputs is not None

    @property
    def metrics(self) -> list[Any]:
        """With several losses, the mean of each as `<output>_loss`."""
        return [entry.tracker for entry in self._losses if entry.tracker is not None]

    def build(self, y: Any, y_pred: Any) -> None:
        """Resolve names by the shapes of labels and predictions."""
        outputs = Outputs(y_pred, self._names)
        wanted = places(self._given, self._given_weights, y_pred, self._names)
        labels = self._labels(outputs, y, y_pred, [place.path for place in wanted])
        found = []
        for place in wanted:
            loss = resolve(place.given.loss, at(labels, place.path), at(y_pred, place.path))
            found.append(OutputLoss(place.path, loss, place.given.weight, place.name(loss.name)))
        if len(found) > 1:
            with tracer.suspended():
                for entry in found:
                    entry.tracker = Mean(name=f"{entry.name}_loss")
        if len(found) > 1 and not (tree.is_nested(y) or tree.is_nested(y_pred)):
            warnings.warn(
                f"`compile` got {len(found)} losses for one output: the first alone is used, as in Keras. "
                "For their sum give one function that adds them.",
                stacklevel=users_level(),
            )
        self._losses, self._outputs = found, outputs

    def of_each(self, y_pred: Any) -> list[Any]:
        """The loss that was given for each output, as it was given; None for those without."""
        wanted = places(self._given, self._given_weights, y_pred, self._names)
        outputs = Outputs(y_pred, self._names)
        return [
            next((place.given.loss for place in wanted if way[: len(place.path)] == place.path), None)
            for way in outputs.ways
        ]

    def wanted(self, outputs: Outputs) -> list[bool]:
        """Which outputs have a loss. Once it is built."""
        return _with_loss(outputs, [entry.path for entry in self._losses])

    def _labels(self, outputs: Outputs, y: Any, y_pred: Any, paths: list[Path]) -> Any:
        """Labels nested like the outputs; None for outputs without a loss for which none were given."""
        wanted = _with_loss(outputs, paths)
        labels = outputs.labels(y, wanted)
        outputs.check_labels(labels, ["The loss" if need else None for need in wanted])
        return outputs.nested(labels, y_pred)

    def __call__(self, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The total; None where no output has a loss. It is 0-d, but for losses with reduction="none"."""
        if y is None and self._given is not None:
            raise MissingLabelsError("The model was compiled with a loss, but no labels `y` were given.")
        if self._outputs is None:
            self.build(y, y_pred)
        assert self._outputs is not None
        labels = self._labels(self._outputs, y, y_pred, [entry.path for entry in self._losses])
        weights = self._outputs.nested(
            self._outputs.weights(sample_weight, self.wanted(self._outputs)), y_pred
        )
        total = None
        alone = not (tree.is_nested(y) or tree.is_nested(y_pred))
        for entry in self._losses[:1] if alone else self._losses:
            y_t, y_p = at(labels, entry.path), at(y_pred, entry.path)
            weight = at(weights, entry.path) if tree.is_nested(sample_weight) else sample_weight
            value = _value(entry, y_t, y_p, weight)
            if entry.tracker is not None and not alone:
                entry.tracker.update_state(value, sample_weight=tree.flatten(y_p)[0].shape[0])
            value = value if entry.weight is None else value * entry.weight
            total = value if total is None else total + value
        return total

    def label_ranges(self, y: Any, y_pred: Any) -> list[tuple[int, int]]:
        """(position of a label array among the flattened `y`, number of classes) where labels are class
        numbers."""
        if y is None and self._given is not None:
            return []  # the loss says so
        if self._outputs is None:
            self.build(y, y_pred)
        assert self._outputs is not None
        if Outputs(y_pred, self._names).form != self._outputs.form:
            return []  # a `compute_loss` of the user's own took the outputs apart
        flat = [id(leaf) for leaf in tree.flatten(y)]
        labels = self._labels(self._outputs, y, y_pred, [entry.path for entry in self._losses])
        ranges = []
        for entry in self._losses:
            y_t, y_p = at(labels, entry.path), at(y_pred, entry.path)
            classes = None if tree.is_nested(y_p) else entry.loss.classes(tuple(y_p.shape))
            if classes is not None and id(y_t) in flat:
                ranges.append((flat.index(id(y_t)), classes))
        return ranges


def _with_loss(outputs: Outputs, paths: list[Path]) -> list[bool]:
    return [any(way[: len(path)] == path for path in paths) for way in outputs.ways]


def check_names(loss: Any) -> None:
    """Unknown names among losses are errors at once."""
    for leaf in tree.flatten(loss):
        if isinstance(leaf, str) and leaf.lower() not in BY_SHAPE:
            losses_module.get(leaf)
        elif leaf is not None and not isinstance(leaf, str) and not callable(leaf):
            raise ValueError(f"Could not interpret loss identifier: {leaf}")


def kind_of_labels(y_true: Any, y_pred: Any) -> str:
    """ "binary", "sparse" or "categorical", by the shapes of labels and predictions."""
    if y_pred.shape[-1] == 1:
        return "binary"
    is_column = y_true.shape[-1] == 1 and y_pred.shape[-1] > 1
    return "sparse" if len(y_true.shape) < len(y_pred.shape) or is_column else "categorical"


def resolve(identifier: Any, y_true: Any, y_pred: Any) -> Any:
    """A loss from what the user gave: a name, a function, a class, a loss."""
    if isinstance(identifier, str) and identifier.lower() in BY_SHAPE and not tree.is_nested(y_pred):
        kind = kind_of_labels(y_true, y_pred)
        prefix = {"binary": "binary", "sparse": "sparse_categorical", "categorical": "categorical"}[kind]
        found = getattr(losses_module, f"{prefix}_crossentropy")
    else:
        found = losses_module.get(identifier)
    if isinstance(found, losses_module.Loss):
        return found
    name = identifier if isinstance(identifier, str) else getattr(found, "__name__", type(found).__name__)
    return losses_module.LossFunctionWrapper(found, name=name)


def _value(entry: OutputLoss, y_true: Any, y_pred: Any, weight: Any) -> Any:
    try:
        value = ew.as_tensor(entry.loss(y_true, y_pred, weight), floatx())
    except ShapeError as error:
        raise type(error)(_misfit(entry, y_true, y_pred, weight, error)) from error
    except TypeError as error:
        if not tree.is_nested(y_pred):
            raise
        raise ArgumentError(
            message(
                f"loss {entry.loss.name!r} was given for several outputs at once, and cannot take them.",
                received=f"y_pred of the form {tree.form(y_pred)}",
                at=str(error).splitlines()[0],
                hint="give losses nested like the outputs",
            )
        ) from error
    return value


def _misfit(entry: OutputLoss, y_true: Any, y_pred: Any, weight: Any, error: ShapeError) -> str:
    if tree.is_nested(y_pred):  # of several outputs at once
        return str(error)
    shapes = f"y_true {known_shape(y_true.shape)}, y_pred {known_shape(y_pred.shape)}"
    if weight is not None:
        shapes += f", sample_weight {known_shape(weight.shape)}"
    hint = ""
    of_numbers = "sparse" in entry.loss.name
    fewer = len(y_true.shape) < len(y_pred.shape)
    if "categorical_crossentropy" in entry.loss.name and fewer and not of_numbers:
        hint = "for class numbers use loss='sparse_categorical_crossentropy', or utils.to_categorical(y)"
    elif of_numbers and tuple(y_true.shape) == tuple(y_pred.shape):
        hint = "for one-hot labels use loss='categorical_crossentropy'"
    summary = f"loss {entry.loss.name!r}: labels, predictions and weights do not fit together."
    return message(summary, received=shapes, at=str(error).splitlines()[0], hint=hint)
