"""A policy from whatever users give as `dtype`."""

from __future__ import annotations

from typing import Any

from kcompile.core import dtypes
from kcompile.dtype_policies.policy import DTypePolicy, dtype_policy
from kcompile.dtype_policies.quantized import QUANTIZATION_MODES, from_name


def get(identifier: Any) -> DTypePolicy:
    """A policy from a policy, a name, a dtype, a config or None (the global policy).

    Raises:  ValueError for what names no dtype.

    >>> get("float16")
    <DTypePolicy "float16">
    """
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        from kcompile.dtype_policies import deserialize

        return deserialize(identifier)
    if isinstance(identifier, str):
        return from_name(identifier) if identifier.startswith(QUANTIZATION_MODES) else DTypePolicy(identifier)
    try:
        return DTypePolicy(dtypes.standardize(identifier))
    except (ValueError, TypeError):
        raise ValueError(
            "Cannot interpret `dtype` argument. Expected a string or an instance of DTypePolicy. Received: "
            f"dtype={identifier}"
        ) from None
