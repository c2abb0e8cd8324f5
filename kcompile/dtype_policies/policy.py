"""A dtype for computing and one for weights; and the global policy."""

from __future__ import annotations

from typing import Any

from kcompile.core import config as settings
from kcompile.core import dtypes


class DTypePolicy:
    """A dtype name for both; "mixed_float16", "mixed_bfloat16": float32 weights, the smaller dtype in `call`.

    >>> DTypePolicy("mixed_bfloat16").compute_dtype, DTypePolicy("mixed_bfloat16").variable_dtype
    ('bfloat16', 'float32')
    """

    def __init__(self, name: str | None = None):
        self._name = policy_name(name)
        self._compute_dtype, self._variable_dtype = dtypes_of(self._name)

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
    def quantization_mode(self) -> str | None:
        """How the weights are quantized, None where they are not."""
        return None

    def convert_input(self, x: Any, autocast: bool, dtype: Any) -> Any:
        """A tensor as a layer takes it: floats in `dtype` if `autocast` says so, all else as it is.

        >>> import numpy as np
        >>> DTypePolicy("float16").convert_input(np.ones(2, "float32"), True, "float16").dtype.name
        'float16'
        """
        from kcompile import ops

        if not hasattr(x, "dtype") and not hasattr(x, "__array__"):
            return x
        y = x if hasattr(x, "dtype") else ops.convert_to_tensor(x)
        own, wanted = dtypes.standardize(y.dtype), dtypes.standardize(dtype)
        casts = autocast and own != wanted and dtypes.is_float(own) and dtypes.is_float(wanted)
        return ops.cast(y, wanted) if casts else y

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        return cls(**config)

    def __repr__(self) -> str:
        shown = "DTypePolicy" if isinstance(self, FloatDTypePolicy) else type(self).__name__
        return f'<{shown} "{self.name}">'

    def __eq__(self, other: object) -> bool:
        plain = (DTypePolicy, FloatDTypePolicy)
        same = type(other) in plain if type(self) in plain else type(other) is type(self)
        return same and other.name == self.name  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash(self.name)


class FloatDTypePolicy(DTypePolicy):
    """`DTypePolicy` under an older name."""


def policy_name(name: Any) -> str:
    """The name of a policy as it is given; None stands for the global one.

    Raises:  TypeError for anything else than a string.
    """
    name = dtype_policy().name if name is None else name
    if not isinstance(name, str):
        raise TypeError(
            f"'name' must be a string, such as 'mixed_float16'. Received: name={name} (type {type(name)})"
        )
    return name


def dtypes_of(name: str) -> tuple[str, str]:
    """(dtype of computing, dtype of weights) of a policy that is not quantized."""
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
    """The policy of layers that are made without `dtype`: the default float unless set.

    >>> dtype_policy()
    <DTypePolicy "float32">
    """
    return _global or DTypePolicy(settings.floatx())


def set_dtype_policy(policy: Any) -> None:
    """Set the policy of layers that are made without `dtype`: a policy, or a name such as "mixed_bfloat16".

    Raises:  ValueError for anything else.

    >>> set_dtype_policy("mixed_bfloat16"); dtype_policy().compute_dtype
    'bfloat16'
    >>> set_dtype_policy("float32")
    """
    global _global
    from kcompile.dtype_policies.identify import get

    if not isinstance(policy, (str, DTypePolicy)):
        raise ValueError(
            "Invalid `policy` argument: give the name of a policy (such as 'mixed_float16') or a "
            f"`DTypePolicy`. Received: policy={policy} (of type {type(policy)})"
        )
    _global = get(policy)
