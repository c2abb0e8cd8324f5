"""Which dtype a layer computes in and which dtype its weights have."""

from __future__ import annotations

from typing import Any

from kcompile.core import config as settings
from kcompile.core import dtypes, registry


class DTypePolicy:
    """A dtype name for both; "mixed_float16", "mixed_bfloat16": float32 weights, the smaller dtype in `call`.

    >>> DTypePolicy("mixed_bfloat16").compute_dtype, DTypePolicy("mixed_bfloat16").variable_dtype
    ('bfloat16', 'float32')
    """

    def __init__(self, name: str | None = None):
        name = name or dtype_policy().name
        if not isinstance(name, str):
            raise TypeError(
                f"'name' must be a string, such as 'mixed_float16'. Received: name={name} (type {type(name)})"
            )
        self._name = name
        self._compute_dtype, self._variable_dtype = _dtypes_of(name)

    @property
    def name(self) -> str:
        return self._name

    @property
    def compute_dtype(self) -> str:
        return self._compute_dtype

    @property
    def variable_dtype(self) -> str:
        return self._variable_dtype

    @property
    def quantization_mode(self) -> None:
        return None

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        return cls(**config)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


FloatDTypePolicy = DTypePolicy
registry.publish("keras", {"DTypePolicy": DTypePolicy})


def _dtypes_of(name: str) -> tuple[str, str]:
    if name in ("mixed_float16", "mixed_bfloat16"):
        return name.removeprefix("mixed_"), "float32"
    try:
        dtype = dtypes.standardize(name)
    except ValueError:
        raise ValueError(
            f"Cannot convert '{name}' to a DTypePolicy. Valid policies are 'mixed_float16', "
            "'mixed_bfloat16' and the name of a dtype such as 'float32'."
        ) from None
    return dtype, dtype


_global: DTypePolicy | None = None


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are made without `dtype`: the default float unless set."""
    return _global or DTypePolicy(settings.floatx())


def set_dtype_policy(policy: Any) -> None:
    """Set the policy of layers that are made without `dtype`."""
    global _global
    _global = get(policy)


def get(identifier: Any) -> DTypePolicy:
    """A policy from a policy, a name, a config or None (the global policy).

    >>> get("float16")
    <DTypePolicy "float16">
    """
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        return DTypePolicy(identifier)
    try:
        return DTypePolicy(dtypes.standardize(identifier))
    except (ValueError, TypeError):
        raise ValueError(
            "Cannot interpret `dtype` argument. Expected a string or an instance of DTypePolicy. Received: "
            f"dtype={identifier}"
        ) from None


def serialize(policy: DTypePolicy) -> dict[str, Any]:
    return {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": policy.get_config(),
        "registered_name": None,
    }


def deserialize(config: dict[str, Any], custom_objects: Any = None) -> DTypePolicy:
    name = config.get("class_name")
    if name not in ("DTypePolicy", "FloatDTypePolicy"):
        raise ValueError(
            f"Unknown dtype policy class {name!r}; only DTypePolicy is supported. Received: {config}"
        )
    return DTypePolicy.from_config(config["config"])
