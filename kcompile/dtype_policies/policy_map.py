"""Policies by the paths of layers."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from typing import Any

from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.dtype_policies.identify import get
from kcompile.dtype_policies.policy import DTypePolicy


class DTypePolicyMap(DTypePolicy, MutableMapping[str, Any]):
    """A policy for every layer path: that of the equal key, else of the one pattern that matches the whole
    path, else the default. Given to layers as their `dtype`.

    Args:    default_policy: a policy or its name; None: the global policy.
             policy_map: a dict of paths (or regular expressions) and policies.
    Raises:  ValueError where two patterns match a path, and for a key that is set twice.

    >>> policies = DTypePolicyMap("float32", {"encoder/.*": DTypePolicy("bfloat16")})
    >>> policies["encoder/dense"], policies["decoder"]
    (<DTypePolicy "bfloat16">, <DTypePolicy "float32">)
    """

    def __init__(self, default_policy: Any = None, policy_map: dict[str, Any] | None = None):
        if isinstance(default_policy, DTypePolicyMap):
            raise ValueError("`default_policy` cannot be a `DTypePolicyMap`.")
        if policy_map is not None and not isinstance(policy_map, dict):
            raise TypeError(
                "If specified, `policy_map` must be a dict. "
                f"Received: policy_map={policy_map} of type {type(policy_map)}"
            )
        self._given = default_policy
        self._default_policy = get(default_policy)
        self._policy_map: dict[str, Any] = policy_map or {}

    @property
    def name(self) -> str:
        return f"map_{self.default_policy.name}"

    @property
    def default_policy(self) -> DTypePolicy:
        return self._default_policy

    @property
    def compute_dtype(self) -> str:
        return self.default_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        return self.default_policy.variable_dtype

    @property
    def quantization_mode(self) -> str | None:
        return self.default_policy.quantization_mode

    def __getitem__(self, key: str) -> DTypePolicy:
        if key in self._policy_map:
            return self._policy_map[key]
        found = [pattern for pattern in self._policy_map if re.fullmatch(pattern, key)]
        if len(found) > 1:
            raise ValueError(
                f"Path '{key}' matches multiple dtype policy specification keys: {found}. Let each path "
                "match one of them at most."
            )
        return self._policy_map[found[0]] if found else self.default_policy

    def __setitem__(self, key: str, policy: Any) -> None:
        if key in self._policy_map:
            raise ValueError(
                f"{key} already exist in the DTypePolicyMap with value {self._policy_map[key]}. "
                "Delete it first."
            )
        try:
            self._policy_map[key] = get(policy)
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                "Cannot interpret the assigned value by `keras.dtype_policies.get`. "
                f"Received: {policy} of type {type(policy)}"
            ) from error

    def __delitem__(self, key: str) -> None:
        del self._policy_map[key]

    def __contains__(self, key: object) -> bool:
        return key in self._policy_map

    def __len__(self) -> int:
        return len(self._policy_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._policy_map)

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, DTypePolicyMap) and other._policy_map == self._policy_map
        return same and other.default_policy == self.default_policy  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        mapping = [(key, policy.name) for key, policy in self._policy_map.items()]
        return (
            f"<DTypePolicyMap at {hex(id(self))} default_policy={self.default_policy.name}, "
            f"mapping={mapping}>"
        )

    def get_config(self) -> dict[str, Any]:
        given = self._given
        return {
            "default_policy": serialize_keras_object(given) if isinstance(given, DTypePolicy) else given,
            "policy_map": serialize_keras_object(self._policy_map),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> DTypePolicyMap:
        default = config["default_policy"]
        if isinstance(default, dict):
            default = get(default)
        return cls(default, deserialize_keras_object(config["policy_map"], custom_objects))
