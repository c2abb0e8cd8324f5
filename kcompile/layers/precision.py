"""The dtypes of a layer: what it computes in, what its weights are stored in, how inputs and weights meet."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from kcompile import dtype_policies
from kcompile.core import dtypes
from kcompile.layers.state import State
from kcompile.trace.variable import autocast_scope, autocasts


class Precision(State):
    """A layer's dtype policy, and what follows from it."""

    autocast: bool
    _dtype_policy: dtype_policies.DTypePolicy
    _path: str | None
    # Are float arguments brought to `input_dtype`? A functional model also records masks and `training`.
    _convert_input_args = True

    @property
    def dtype_policy(self) -> dtype_policies.DTypePolicy:
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        policy, own = dtype_policies.get(value), self._dtype_policy
        if isinstance(own, dtype_policies.DTypePolicyMap) and self._path:
            if self._path in own:
                del own[self._path]
            own[self._path] = policy
        else:
            self.__dict__["_dtype_policy"] = policy

    @property
    def _policy(self) -> dtype_policies.DTypePolicy:
        """This layer's own policy: of a map, the one for its path, which is known when it is built."""
        policy = self._dtype_policy
        if isinstance(policy, dtype_policies.DTypePolicyMap) and self._path:
            return policy[self._path]
        return policy

    @property
    def variable_dtype(self) -> str:
        """The dtype of the weights."""
        return self._policy.variable_dtype

    @property
    def dtype(self) -> str:
        """The dtype of the weights."""
        return self.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The dtype that float inputs are brought to and outputs usually have."""
        return self._policy.compute_dtype

    @property
    def input_dtype(self) -> str:
        return self.compute_dtype

    def _cast_target(self) -> str | None:
        """The dtype that float arguments of a call take; None: their own."""
        casts = self._convert_input_args and self.autocast and self.input_dtype != dtypes.STRING
        return self.input_dtype if casts else None

    def _autocast_scope(self) -> AbstractContextManager[Any]:
        """How `call` reads float variables: in the dtype of computing if the layer, or one around it, is
        mixed.
        """
        inside, mixed = bool(autocasts()), self.compute_dtype != self.variable_dtype
        if not inside and not mixed:
            return nullcontext()
        casts = not inside or (self.autocast and dtypes.is_float(self.compute_dtype))
        return autocast_scope(self.compute_dtype if casts else None)
