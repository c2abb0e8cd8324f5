"""The losses given to `compile`, one per output, as one loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kcompile import losses as losses_module
from kcompile.core import tree
from kcompile.core.config import floatx
from kcompile.core.errors import MissingLabelsError, ShapeError, message
from kcompile.metrics import Mean
from kcompile.ops import elementwise as ew
from kcompile.trace import tracer
from kcompile.trace.keras_tensor import known_shape
from kcompile.training.outputs import Outputs

BY_SHAPE = ("crossentropy", "ce")


@dataclass
class OutputLoss:
    """The loss of one output, its weight, and the metric that shows it where there are several."""

    loss: Any
    weight: Any
    name: str
    tracker: Any = None


class CompileLoss:
    """Sum of weighted losses, resolved when labels and predictions are first seen.

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
        self._losses: list[OutputLoss | None] = []
        self._outputs: Outputs | None = None

    @property
    def built(self) -> bool:
        return self._outputs is not None

    @property
    def metrics(self) -> list[Any]:
        """With several losses, the mean of each as `<output>_loss`."""
        entries = self._losses if self._outputs is None else self._outputs.as_given(self._losses, self._given)
        return [entry.tracker for entry in entries if entry is not None and entry.tracker is not None]

    def build(self, y: Any, y_pred: Any) -> None:
        """Resolve names by the shapes of labels and predictions."""
        self._check_every_output_is_named(y_pred)
        outputs = Outputs(y_pred, self._names)
        given = outputs.settings(self._given, "loss")
        weights = self._weights(outputs, given)
        labels = outputs.labels(y, [loss is not None for loss in given])
        found: list[OutputLoss | None] = []
        for loss, weight, name, y_t, y_p in zip(
            given, weights, outputs.names, labels, outputs.predictions(y_pred), strict=True
        ):
            resolved = None if loss is None else resolve(loss, y_t, y_p)
            found.append(None if resolved is None else OutputLoss(resolved, weight, name or resolved.name))
        if len([entry for entry in found if entry is not None]) > 1:
            with tracer.suspended():
                for entry in found:
                    if entry is not None:
                        entry.tracker = Mean(name=f"{entry.name}_loss")
        self._losses, self._outputs = found, outputs

    def of_each(self, y_pred: Any) -> list[Any]:
        """The loss that was given for each output, as it was given; None for those without."""
        return Outputs(y_pred, self._names).settings(self._given, "loss")

    def _check_every_output_is_named(self, y_pred: Any) -> None:
        """A dict of losses for a list of outputs names them all, with None for those without a loss."""
        if not isinstance(self._given, dict) or isinstance(y_pred, dict) or not self._names:
            return
        missing = [name for name in self._names if name not in self._given]
        if missing and set(self._given) <= set(self._names):
            raise ValueError(
                message(
                    "the dict of losses must have an entry for each output.",
                    expected=f"keys {list(self._names)} in the loss dict",
                    received=f"loss.keys()={list(self._given)}",
                    hint=f"add {', '.join(f'{name!r}: None' for name in missing)} for outputs without a loss",
                )
            )

    def _weights(self, outputs: Outputs, given: list[Any]) -> list[Any]:
        weights = self._given_weights
        if isinstance(weights, (list, tuple)) and len(weights) != outputs.count:
            used = sum(loss is not None for loss in given)
            raise ValueError(
                f"`loss_weights` must match the number of losses, got {used} losses and {len(weights)} "
                "weights."
            )
        return outputs.settings(weights, "loss_weights")

    def __call__(self, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The total, 0-d; None where no output has a loss."""
        if y is None and self._given is not None:
            raise MissingLabelsError("The model was compiled with a loss, but no labels `y` were given.")
        if self._outputs is None:
            self.build(y, y_pred)
        assert self._outputs is not None
        labels = self._outputs.labels(y, [entry is not None for entry in self._losses])
        parts = zip(
            self._losses,
            labels,
            self._outputs.predictions(y_pred),
            self._outputs.weights(sample_weight),
            strict=True,
        )
        total = None
        for entry, y_t, y_p, weight in parts:
            if entry is None:
                continue
            value = _value(entry, y_t, y_p, weight)
            if entry.tracker is not None:
                entry.tracker.update_state(value, sample_weight=y_p.shape[0])
            value = value if entry.weight is None else value * entry.weight
            total = value if total is None else total + value
        return total

    def label_ranges(self, y: Any, y_pred: Any) -> list[tuple[int, int]]:
        """(position of a label array among the flattened `y`, number of classes) where labels are class
        numbers."""
        if self._outputs is None:
            return []
        flat = [id(leaf) for leaf in tree.flatten(y)]
        labels = self._outputs.labels(y, [entry is not None for entry in self._losses])
        ranges = []
        for entry, y_t, y_p in zip(self._losses, labels, self._outputs.predictions(y_pred), strict=True):
            classes = None if entry is None else entry.loss.classes(tuple(y_p.shape))
            if classes is not None:
                ranges.append((flat.index(id(y_t)), classes))
        return ranges


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
    if isinstance(identifier, str) and identifier.lower() in BY_SHAPE:
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
    if tuple(value.shape) != ():
        raise ValueError(
            message(
                f"loss {entry.loss.name!r}: training needs one number, not one per sample.",
                received=f"values of shape {known_shape(value.shape)} (reduction={entry.loss.reduction!r})",
                hint='use reduction="sum_over_batch_size" or "sum"',
            )
        )
    return value


def _misfit(entry: OutputLoss, y_true: Any, y_pred: Any, weight: Any, error: ShapeError) -> str:
    shapes = f"y_true {known_shape(y_true.shape)}, y_pred {known_shape(y_pred.shape)}"
    if weight is not None:
        shapes += f", sample_weight {known_shape(weight.shape)}"
    hint = ""
    if "categorical_crossentropy" in entry.loss.name and len(y_true.shape) < len(y_pred.shape):
        hint = "for class numbers use loss='sparse_categorical_crossentropy', or utils.to_categorical(y)"
    elif entry.loss.name.startswith("sparse") and tuple(y_true.shape) == tuple(y_pred.shape):
        hint = "for one-hot labels use loss='categorical_crossentropy'"
    summary = f"loss {entry.loss.name!r}: labels, predictions and weights do not fit together."
    return message(summary, received=shapes, at=str(error).splitlines()[0], hint=hint)
