"""Projections that weights go through after each optimizer step."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core import config, objects, public_names
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object


class Constraint:
    """Base: a callable from a weight to its projection, itself by default, with `get_config`."""

    def __call__(self, w: Any) -> Any:
        return w

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


# Ops throughout, not operators: beside Python's floats NumPy would widen half precision.
def _norms(w: Any, axis: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))


class MaxNorm(Constraint):
    """Vectors along `axis` are scaled down to norm `max_value`."""

    def __init__(self, max_value: float = 2, axis: Any = 0):
        self.max_value, self.axis = max_value, axis

    def __call__(self, w: Any) -> Any:
        norms = _norms(w, self.axis)
        desired = ops.minimum(norms, self.max_value)
        return ops.multiply(w, ops.divide(desired, ops.add(norms, config.epsilon())))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


class NonNeg(Constraint):
    """Negative weights become 0."""

    def __call__(self, w: Any) -> Any:
        return ops.maximum(w, 0)


class UnitNorm(Constraint):
    """Vectors along `axis` get norm 1."""

    def __init__(self, axis: Any = 0):
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        return ops.divide(w, ops.add(_norms(w, self.axis), config.epsilon()))

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


class MinMaxNorm(Constraint):
    """Norms along `axis` move towards [min_value, max_value] by the share `rate`."""

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0):
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def __call__(self, w: Any) -> Any:
        norms = _norms(w, self.axis)
        inside = ops.minimum(ops.maximum(norms, self.min_value), self.max_value)
        desired = ops.add(ops.multiply(inside, self.rate), ops.multiply(norms, 1 - self.rate))
        return ops.multiply(w, ops.divide(desired, ops.add(norms, config.epsilon())))

    def get_config(self) -> dict[str, Any]:
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            "axis": self.axis,
        }


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
_MODULE = "keras.constraints"
_NAMES = objects.publish(_MODULE, [MaxNorm, NonNeg, UnitNorm, MinMaxNorm])


def get(identifier: Any) -> Any:
    """A constraint from a name, a config, a class or a callable; None stays None."""
    return objects.get("constraint", identifier, _NAMES, _MODULE)


def serialize(constraint: Any) -> Any:
    return serialize_keras_object(constraint)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    return deserialize_keras_object(config, custom_objects, module=_MODULE)


__all__ = public_names.of(__name__)
