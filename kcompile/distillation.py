"""Training a small model on the outputs of a large one (Hinton et al., 2015): `keras.distillation`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcompile import losses, metrics, ops
from kcompile.core import public_names, registry, tree
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.models import Model
from kcompile.trace.keras_tensor import KerasTensor


class DistillationLoss:
    """Base of what compares a student with its teacher; `compute_loss` is to be overridden."""

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        """A 0-d loss from the outputs of both."""
        raise NotImplementedError("Subclasses must implement compute_loss method.")

    def validate_outputs(self, teacher_outputs: Any, student_outputs: Any) -> None:
        """Raise ValueError unless the outputs have one structure."""
        if not _same_structure(teacher_outputs, student_outputs):
            raise ValueError(
                f"{type(self).__name__}: the outputs of the models don't have the same nested structure. "
                f"Received: {tree.map_structure(_shape, teacher_outputs)} and "
                f"{tree.map_structure(_shape, student_outputs)}"
            )

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        """Raise ValueError unless the two models go together."""

    def _prepared(self, teacher: Any, student: Any) -> tuple[Any, Any]:
        """The models whose outputs are compared."""
        return teacher, student


class LogitsDistillation(DistillationLoss):
    """Logits of the teacher beside those of the student, both divided by a temperature.

    Args:    temperature: above 0. loss: name, function or object; for models with several outputs nested as
             they are, None leaves one out. `losses.KLDivergence()`, the object, compares probabilities, and
             is multiplied by the square of the temperature; all others take the logits as they are, the
             function that the name "kl_divergence" stands for included (as in Keras).

    >>> import numpy as np
    >>> logits = np.float32([[1, 2, 3]])
    >>> float(LogitsDistillation(2.0, losses.KLDivergence()).compute_loss(logits, logits))
    0.0
    """

    def __init__(self, temperature: float = 3.0, loss: Any = "kl_divergence"):
        if not isinstance(temperature, (int, float)):
            raise ValueError(f"LogitsDistillation: temperature must be a number. Received: {temperature!r}")
        if temperature <= 0:
            raise ValueError(f"LogitsDistillation: temperature must be positive. Received: {temperature}")
        self.temperature = temperature
        self.loss = _losses_of(loss)

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        """The mean over samples, added up over outputs."""
        return _sum_of_means(self._one, self.loss, teacher_outputs, student_outputs)

    def _one(self, loss: Any, teacher: Any, student: Any) -> Any:
        scaled = [ops.convert_to_tensor(x) / self.temperature for x in (teacher, student)]
        if not isinstance(loss, losses.KLDivergence):
            return loss(*scaled)
        return loss(*(ops.softmax(x, -1) for x in scaled)) * self.temperature**2

    def get_config(self) -> dict[str, Any]:
        return {"temperature": self.temperature, "loss": serialize_keras_object(self.loss)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**{**config, "loss": deserialize_keras_object(config["loss"])})


class FeatureDistillation(DistillationLoss):
    """Outputs of a layer of the teacher beside those of a layer of the student.

    Args:    loss: name, function or object. teacher_layer_name, student_layer_name: layers of the models;
             None is the end of the model. The two must give equal shapes.
    """

    def __init__(
        self, loss: Any = "mse", teacher_layer_name: str | None = None, student_layer_name: str | None = None
    ):
        self.loss = _losses_of(loss)
        self.teacher_layer_name, self.student_layer_name = teacher_layer_name, student_layer_name

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        named = self.teacher_layer_name is not None or self.student_layer_name is not None
        for what, model, name in (
            ("teacher", teacher, self.teacher_layer_name),
            ("student", student, self.student_layer_name),
        ):
            if named and not _is_functional(model):
                raise ValueError(
                    f"FeatureDistillation: the {what} must be a functional or a Sequential model that is "
                    "built, for layers inside of it to be reached by name."
                )
            if name is not None:
                _layer(model, name, what)

    def _prepared(self, teacher: Any, student: Any) -> tuple[Any, Any]:
        return _until(teacher, self.teacher_layer_name), _until(student, self.student_layer_name)

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        """The mean over samples and places, added up over outputs."""
        return _sum_of_means(lambda loss, a, b: loss(a, b), self.loss, teacher_outputs, student_outputs)

    def get_config(self) -> dict[str, Any]:
        return {
            "loss": serialize_keras_object(self.loss),
            "teacher_layer_name": self.teacher_layer_name,
            "student_layer_name": self.student_layer_name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**{**config, "loss": deserialize_keras_object(config["loss"])})


class Distiller(Model):
    """A student in training: its own loss, and what its teacher would have said.

    loss = student_loss_weight * loss(y, student(x))
           + (1 - student_loss_weight) * sum of weight * distillation loss (teacher(x), student(x))

    Args:    teacher: a trained model; it is frozen. student: the model to train, later `distiller.student`.
             distillation_losses: one or a list. distillation_loss_weights: for each of them, by default 1.
             student_loss_weight: from 0 to 1.
    Raises:  ValueError for arguments that do not go together.
    """

    distillation_losses: list[DistillationLoss]
    distillation_loss_weights: list[float]
    _pairs: list[tuple[Any, Any]]  # of models whose outputs are compared, for each loss

    def __init__(
        self,
        teacher: Any,
        student: Any,
        distillation_losses: Any,
        distillation_loss_weights: Any = None,
        student_loss_weight: float = 0.5,
        name: str = "distiller",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        for what, model in (("Teacher", teacher), ("Student", student)):
            if not isinstance(model, Model):
                raise ValueError(f"{what} must be a keras.Model, got {type(model)}")
        if not 0.0 <= student_loss_weight <= 1.0:
            raise ValueError(f"student_loss_weight must be between 0.0 and 1.0, got {student_loss_weight}")
        several = isinstance(distillation_losses, (list, tuple))
        parts = list(distillation_losses) if several else [distillation_losses]
        weights = [1.0] * len(parts) if distillation_loss_weights is None else distillation_loss_weights
        weights = list(weights) if isinstance(weights, (list, tuple)) else [weights]
        if len(weights) != len(parts):
            raise ValueError(
                f"Number of distillation_loss_weights ({len(weights)}) must match number of "
                f"distillation_losses ({len(parts)})"
            )
        for part in parts:
            part.validate_model_compatibility(teacher, student)
        teacher.trainable = False
        self.teacher, self.student = teacher, student
        self.student_loss_weight = student_loss_weight
        own = {"distillation_losses": parts, "distillation_loss_weights": weights}
        self.__dict__.update(own, _pairs=[part._prepared(teacher, student) for part in parts])
        self.student_loss_tracker = metrics.Mean(name="student_loss")
        self.distillation_loss_tracker = metrics.Mean(name="distillation_loss")
        self.total_loss_tracker = metrics.Mean(name="total_loss")

    def compile(  # type: ignore[override]
        self, optimizer: Any = "adam", loss: Any = None, metrics: Any = None, **kwargs: Any
    ) -> None:
        """As of any model; `loss` and `metrics` are the student's."""
        super().compile(optimizer=optimizer, loss=loss, metrics=metrics, **kwargs)

    def call(self, inputs: Any, training: Any = None, **kwargs: Any) -> Any:
        """The student's outputs."""
        return self.student(inputs, training=training, **kwargs)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The joint loss; its parts go to the logs as well."""
        student = ops.convert_to_tensor(0.0, "float32")
        if self.student_loss_weight > 0 and y is not None:
            student = super().compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)
        distilled = ops.convert_to_tensor(0.0, "float32")
        if self.student_loss_weight < 1:
            for part, weight, (teacher, learner) in zip(
                self.distillation_losses, self.distillation_loss_weights, self._pairs, strict=True
            ):
                wanted = tree.map_structure(ops.stop_gradient, teacher(x, training=False))
                found = y_pred if learner is self.student else learner(x, training=training)
                part.validate_outputs(wanted, found)
                distilled = distilled + weight * part.compute_loss(wanted, found)
        total = self.student_loss_weight * student + (1.0 - self.student_loss_weight) * distilled
        self.student_loss_tracker.update_state(student)
        self.distillation_loss_tracker.update_state(distilled)
        self.total_loss_tracker.update_state(total)
        return total

    def reset_metrics(self) -> None:
        super().reset_metrics()
        for tracker in (self.student_loss_tracker, self.distillation_loss_tracker, self.total_loss_tracker):
            tracker.reset_state()

    def get_config(self) -> dict[str, Any]:
        own = ("teacher", "student", "distillation_losses")
        return {
            **super().get_config(),
            **{name: serialize_keras_object(getattr(self, name)) for name in own},
            "distillation_loss_weights": self.distillation_loss_weights,
            "student_loss_weight": self.student_loss_weight,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        own = ("teacher", "student", "distillation_losses")
        found = {name: deserialize_keras_object(config[name], custom_objects) for name in own}
        return cls(**{**config, **found})


def _losses_of(loss: Any) -> Any:
    found = tree.map_structure(losses.get, loss)
    if all(one is None for one in tree.flatten(found)):
        raise ValueError("A distillation loss needs a `loss`: a name, a function or an object, not None.")
    return found


def _sum_of_means(one: Callable[..., Any], loss: Any, teacher: Any, student: Any) -> Any:
    parts = zip(tree.flatten(loss), tree.flatten(teacher), tree.flatten(student), strict=True)
    return sum(ops.mean(one(fn, a, b)) for fn, a, b in parts if fn is not None)


def _shape(x: Any) -> Any:
    return tuple(getattr(x, "shape", ()))


def _same_structure(a: Any, b: Any) -> bool:
    flat = [tree.map_structure(lambda _: 0, x) for x in (a, b)]
    return flat[0] == flat[1]


def _is_functional(model: Any) -> bool:
    return bool(getattr(model, "inputs", None))


def _layer(model: Any, name: str, what: str) -> Any:
    try:
        return model.get_layer(name)
    except ValueError as error:
        raise ValueError(f"In {what} model: {error}") from None


def _until(model: Any, name: str | None) -> Any:
    """A model that ends where the layer of this name ends."""
    if name is None:
        return model
    output = model.get_layer(name).output
    assert isinstance(output, (KerasTensor, list, tuple, dict))
    return Model(model.inputs, output)


registry.publish(
    "keras.distillation",
    {
        "Distiller": Distiller,
        "DistillationLoss": DistillationLoss,
        "FeatureDistillation": FeatureDistillation,
        "LogitsDistillation": LogitsDistillation,
    },
)

__all__ = public_names.of(__name__)
