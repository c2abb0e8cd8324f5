"""Which dtype a layer computes in and which dtype its weights have, as in `keras.dtype_policies`."""

from __future__ import annotations

from typing import Any

from kcompile.core import public_names, registry
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.dtype_policies.identify import get as get
from kcompile.dtype_policies.policy import DTypePolicy as DTypePolicy
from kcompile.dtype_policies.policy import FloatDTypePolicy as FloatDTypePolicy
from kcompile.dtype_policies.policy import dtype_policy as dtype_policy
from kcompile.dtype_policies.policy import set_dtype_policy as set_dtype_policy
from kcompile.dtype_policies.policy_map import DTypePolicyMap as DTypePolicyMap
from kcompile.dtype_policies.quantized import QUANTIZATION_MODES as QUANTIZATION_MODES
from kcompile.dtype_policies.quantized import AWQDTypePolicy as AWQDTypePolicy
from kcompile.dtype_policies.quantized import GPTQDTypePolicy as GPTQDTypePolicy
from kcompile.dtype_policies.quantized import Int4DTypePolicy as Int4DTypePolicy
from kcompile.dtype_policies.quantized import QuantizedDTypePolicy as QuantizedDTypePolicy
from kcompile.dtype_policies.quantized import QuantizedFloat8DTypePolicy as QuantizedFloat8DTypePolicy

registry.publish("keras", {"DTypePolicy": DTypePolicy, "FloatDTypePolicy": FloatDTypePolicy})
OTHERS: tuple[type[DTypePolicy], ...] = (
    DTypePolicyMap,
    QuantizedDTypePolicy,
    QuantizedFloat8DTypePolicy,
    Int4DTypePolicy,
    GPTQDTypePolicy,
    AWQDTypePolicy,
)
registry.publish("keras.dtype_policies", {kind.__name__: kind for kind in OTHERS})
KINDS: tuple[type[DTypePolicy], ...] = (DTypePolicy, FloatDTypePolicy, *OTHERS)
ALL_OBJECTS = {kind.__name__: kind for kind in KINDS}


def serialize(dtype_policy: DTypePolicy) -> dict[str, Any]:
    """A policy as plain data.

    >>> serialize(DTypePolicy("float16"))["config"]
    {'name': 'float16'}
    """
    return serialize_keras_object(dtype_policy)


def deserialize(config: dict[str, Any] | None, custom_objects: dict[str, Any] | None = None) -> Any:
    """A policy from plain data; None stays None.

    Raises:  ValueError for classes that are no policies.

    >>> deserialize({"class_name": "DTypePolicy", "config": {"name": "mixed_bfloat16"}})
    <DTypePolicy "mixed_bfloat16">
    """
    if config is None:
        return None
    name = str(config.get("class_name"))
    own = ALL_OBJECTS.get(name)
    if own is None and name not in (custom_objects or {}) and registry.find_custom(name) is None:
        raise ValueError(
            f"Unknown dtype policy class {name!r}; known are {', '.join(ALL_OBJECTS)}. Received: {config}"
        )
    if own is not None:
        return own.from_config(config["config"])
    return deserialize_keras_object(config, custom_objects)


__all__ = public_names.of(__name__)
