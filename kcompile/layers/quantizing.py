"""Layers whose weights become small ints: what all layers know of it. Layers that do it say how."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from kcompile import dtype_policies
from kcompile.dtype_policies import QUANTIZATION_MODES
from kcompile.layers.precision import Precision
from kcompile.quantizers.config import resolved


def checks_quantize(quantize: Callable[..., None]) -> Callable[..., None]:
    """`quantize` of a layer that is built and not quantized yet, with the config that its arguments mean."""

    @functools.wraps(quantize)
    def wrapped(self: Any, mode: Any = None, config: Any = None, **kwargs: Any) -> None:
        if "_is_quantizing" in self.__dict__:  # super().quantize() of a user's class
            return quantize(self, mode=mode, config=config, **kwargs)
        config = resolved(mode, config)
        self._check_quantize(config.mode)
        locked, self._tracker.locked = self._tracker.locked, False
        self.__dict__["_is_quantizing"] = True
        try:
            quantize(self, mode=config.mode, config=config, **kwargs)
        finally:
            del self.__dict__["_is_quantizing"]
            self._tracker.locked = locked
        return None

    return wrapped


class Quantizable(Precision):
    """The base of layers as far as quantization goes: `quantize`, and the choice of what a call computes."""

    _is_quantized: bool = False
    call: Callable[..., Any]

    @property
    def quantization_mode(self) -> str | None:
        """How the weights are stored: "int8", "int4", "float8", or None for floats."""
        return self._policy.quantization_mode

    @property
    def dtype_policy(self) -> dtype_policies.DTypePolicy:
        """Dtypes of computing and of weights; a quantized policy quantizes a layer that is built."""
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        Precision.dtype_policy.fset(self, value)  # type: ignore[attr-defined]
        mode = dtype_policies.get(value).quantization_mode
        if mode is not None and self.built and not self._is_quantized:
            self.quantize(mode)

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None) -> None:
        """Store the weights in few bits from now on. Layers without such a form raise NotImplementedError.

        Args:    mode: "int8", "int4" or "float8", or the config alone. type_check: refuse subclasses of the
                 library's layers. config: a `quantizers.QuantizationConfig`.
        Raises:  ValueError for a layer that is not built or is quantized already, and for wrong arguments.
        """
        raise self._without("quantize")

    quantize = checks_quantize(quantize)

    def quantized_build(self, input_shape: Any, mode: str, config: Any = None) -> None:
        """Make the weights of a mode."""
        raise self._without("quantized_build")

    def quantized_call(self, *args: Any, **kwargs: Any) -> Any:
        """`call` with quantized weights."""
        mode = self.quantization_mode
        if mode not in QUANTIZATION_MODES:
            raise self._wrong_mode(mode)
        call = getattr(self, f"_{mode}_call", None)
        if call is None:
            raise self._without(f"_{mode}_call")
        return call(*args, **kwargs)

    def _computation(self) -> Callable[..., Any]:
        """What computes a call."""
        return self.call if self._policy.quantization_mode is None else self.quantized_call

    def _check_quantize(self, mode: str) -> None:
        kind = type(self).__name__
        if not self.built:
            raise ValueError(
                f"Cannot quantize a layer that isn't yet built. Layer '{self.name}' (of type '{kind}') is "
                "not built yet; call it once, or its `build`."
            )
        if self._is_quantized:
            raise ValueError(
                f"Layer '{self.name}' is already quantized with dtype_policy='{self.dtype_policy.name}'. "
                f"Received: mode={mode}"
            )
        if mode == "int8" and self.compute_dtype == "float16":
            raise ValueError(
                f"Quantization mode='{mode}' doesn't work well with compute_dtype='float16'. Load the layer "
                "with another dtype policy, such as 'mixed_bfloat16', before calling `quantize()`."
            )

    def _without(self, method: str) -> NotImplementedError:
        return NotImplementedError(
            f"Layer {type(self).__name__} does not have a `{method}` method implemented."
        )

    @staticmethod
    def _wrong_mode(mode: Any) -> NotImplementedError:
        return NotImplementedError(
            f"Invalid quantization mode. Expected one of {QUANTIZATION_MODES}. "
            f"Received: quantization_mode={mode}"
        )
