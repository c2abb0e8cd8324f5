"""Policies of layers whose weights are stored as small integers."""

from __future__ import annotations

from typing import Any

from kcompile.core.errors import message
from kcompile.dtype_policies.policy import DTypePolicy, dtypes_of, policy_name

QUANTIZATION_MODES = ("int8", "float8", "int4", "gptq", "awq")


class QuantizedDTypePolicy(DTypePolicy):
    """Quantized weights over the dtypes of another policy: "int8_from_mixed_bfloat16" computes in bfloat16.

    Args:    mode: how weights are stored. source_name: the policy before quantization; the global one by
             default.
    Raises:  ValueError for other modes, and for int8 that computes in float16.

    >>> policy = QuantizedDTypePolicy("int8", "mixed_bfloat16")
    >>> policy.name, policy.quantization_mode, policy.compute_dtype
    ('int8_from_mixed_bfloat16', 'int8', 'bfloat16')
    """

    def __init__(self, mode: str, source_name: str | None = None):
        source_name = policy_name(source_name)
        self._compute_dtype, self._variable_dtype = dtypes_of(source_name)
        if mode not in QUANTIZATION_MODES:
            raise ValueError(
                f"Invalid quantization mode. Expected one of {QUANTIZATION_MODES}. Received: mode={mode}"
            )
        if self._compute_dtype == "float16" and mode == "int8":
            raise ValueError(
                f"Quantization mode='{mode}' doesn't work well with compute_dtype='float16': scales overflow "
                "there. Use 'mixed_bfloat16' or 'float32' instead."
            )
        self._name = f"{mode}_from_{source_name}"
        self._source_name = source_name
        self._quantization_mode = mode

    @property
    def quantization_mode(self) -> str:
        return self._quantization_mode

    def get_config(self) -> dict[str, Any]:
        return {"mode": self._quantization_mode, "source_name": self._source_name}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.get_config() == self.get_config()

    def __hash__(self) -> int:
        return hash(self.name)


class QuantizedFloat8DTypePolicy(QuantizedDTypePolicy):
    """Products of numbers rounded to 8 bit floats, whose scales follow the largest values of late steps.

    amax_history_length: over how many steps these are kept.

    >>> QuantizedFloat8DTypePolicy("float8", "float32", amax_history_length=16)
    <QuantizedFloat8DTypePolicy "float8_from_float32">
    """

    default_amax_history_length = 1024

    def __init__(self, mode: str, source_name: str | None = None, amax_history_length: int = 1024):
        super().__init__(mode=mode, source_name=source_name)
        if not isinstance(amax_history_length, int):
            raise TypeError(
                "`amax_history_length` must be an integer. "
                f"Received: amax_history_length={amax_history_length}"
            )
        self._amax_history_length = amax_history_length

    @property
    def amax_history_length(self) -> int:
        return self._amax_history_length

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "amax_history_length": self.amax_history_length}


class _Detailed(QuantizedDTypePolicy):
    """A policy whose mode says more, after slashes: "int4/128"."""

    _form: str
    _parts: tuple[str, ...]

    def __init__(self, mode: str, source_name: str | None = None):
        numbers = self._numbers(mode)
        base = self._form.split("/")[0]
        super().__init__(mode=base, source_name=source_name)
        self._name = f"{mode}_from_{source_name}"
        self.mode = base
        for name, number in zip(self._parts, numbers, strict=True):
            setattr(self, name, number)

    def _numbers(self, mode: str) -> list[int]:
        base, *found = mode.split("/")
        if base != self._form.split("/")[0] or len(found) != len(self._parts):
            raise ValueError(self._wrong(mode, f"it has the form '{self._form}'"))
        try:
            numbers = [int(text) for text in found]
        except ValueError:
            raise ValueError(self._wrong(mode, f"{' and '.join(self._parts)} must be integers")) from None
        for name, number in zip(self._parts, numbers, strict=True):
            self._check(mode, name, number)
        return numbers

    def _check(self, mode: str, name: str, number: int) -> None:
        if number < -1 or number == 0:
            hint = "-1 stands for one group per channel; otherwise give a positive integer"
            raise ValueError(self._wrong(mode, hint, f"Invalid {name} in mode."))

    def _wrong(self, mode: str, hint: str, summary: str = "") -> str:
        return message(
            summary or f"Invalid mode for {type(self).__name__}.", received=f"mode={mode!r}", hint=hint
        )

    def get_config(self) -> dict[str, Any]:
        mode = "/".join([self.mode, *(str(getattr(self, name)) for name in self._parts)])
        return {**super().get_config(), "mode": mode}


class Int4DTypePolicy(_Detailed):
    """Weights of four bits, in groups of `block_size` along the inputs; "int4/-1": a scale per channel.

    >>> Int4DTypePolicy("int4/64", "float32").block_size
    64
    """

    block_size: int
    _form = "int4/<block_size>"
    _parts = ("block_size",)


class _Calibrated(_Detailed):
    """Weights quantized by looking at data."""

    weight_bits: int
    group_size: int
    _parts = ("weight_bits", "group_size")
    _bits: tuple[int, ...]

    def _check(self, mode: str, name: str, number: int) -> None:
        if name == "group_size":
            super()._check(mode, name, number)
        elif number not in self._bits:
            allowed = ", ".join(map(str, self._bits))
            raise ValueError(
                self._wrong(mode, f"weight_bits can be {allowed}", "Invalid weight_bits in mode.")
            )


class GPTQDTypePolicy(_Calibrated):
    """The policy that Keras gives layers which GPTQ quantized: "gptq/4/128".

    >>> GPTQDTypePolicy("gptq/4/128", "float32").weight_bits
    4
    """

    _form = "gptq/<weight_bits>/<group_size>"
    _bits = (2, 3, 4, 8)


class AWQDTypePolicy(_Calibrated):
    """The policy that Keras gives layers which AWQ quantized: "awq/4/128".

    >>> AWQDTypePolicy("awq/4/128", "float32").group_size
    128
    """

    _form = "awq/<weight_bits>/<group_size>"
    _bits = (4,)


def from_name(name: str) -> QuantizedDTypePolicy:
    """The policy that a name such as "int8_from_float32" stands for.

    Raises:  ValueError unless it has the form `<mode>_from_<policy>`.
    """
    parts = name.split("_from_")
    if len(parts) != 2:
        raise ValueError(
            "Cannot convert `policy` into a valid pair (`mode`, `source_name`), as in 'int8_from_float32', "
            f"to instantiate `QuantizedDTypePolicy`. Received: policy={name}"
        )
    mode, source_name = parts
    if name.startswith("int4"):
        kind: Any = Int4DTypePolicy if "/" in mode else QuantizedDTypePolicy
    else:
        kinds = {"float8": QuantizedFloat8DTypePolicy, "gptq": GPTQDTypePolicy, "awq": AWQDTypePolicy}
        kind = next((k for start, k in kinds.items() if name.startswith(start)), QuantizedDTypePolicy)
    return kind(mode, source_name)
