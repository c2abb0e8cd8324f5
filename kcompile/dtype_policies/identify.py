"""A policy from whatever users give as `dtype`."""

from __future__ import annotations

from typing import Any

from kcompile.core import dtypes
from kcompile.core.errors import message
from kcompile.dtype_policies.policy import DTypePolicy, dtype_policy

QUANTIZED = ("int8", "float8", "int4", "gptq", "awq")
QUANTIZED_CLASSES = (
    "QuantizedDTypePolicy",
    "QuantizedFloat8DTypePolicy",
    "GPTQDTypePolicy",
    "AWQDTypePolicy",
    "Int4DTypePolicy",
)


def get(identifier: Any) -> DTypePolicy:
    """A policy from a policy, a name, a dtype, a config or None (the global policy).

    Raises:  ValueError for what names no dtype; NotImplementedError for quantized policies.

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
        refuse_quantized(identifier)
        if identifier.startswith(QUANTIZED):
            raise ValueError(
                message(
                    "Layers take no dtype whose name begins like that of a quantized policy.",
                    received=f"dtype={identifier!r}",
                    hint="give a float dtype such as 'float32', 'mixed_bfloat16', or DTypePolicy('int8')",
                )
            )
        return DTypePolicy(identifier)
    try:
        return DTypePolicy(dtypes.standardize(identifier))
    except (ValueError, TypeError):
        raise ValueError(
            "Cannot interpret `dtype` argument. Expected a string or an instance of DTypePolicy. Received: "
            f"dtype={identifier}"
        ) from None


def refuse_quantized(name: str) -> None:
    """Raise NotImplementedError if this names a quantized policy or its class."""
    if name in QUANTIZED_CLASSES or (name.startswith(QUANTIZED) and "_from_" in name):
        raise NotImplementedError(
            message(
                "Quantized layers are not supported.",
                received=f"the dtype policy {name!r}",
                hint="load the model before it was quantized, or use 'mixed_bfloat16' to halve the memory "
                "of activations",
            )
        )
