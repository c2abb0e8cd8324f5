"""How a layer or a model is to be quantized: configs, and what `quantize` makes of its arguments."""

from __future__ import annotations

import re
from typing import Any

from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.dtype_policies import QUANTIZATION_MODES
from kcompile.quantizers.quantizer import AbsMaxQuantizer


class QuantizationConfig:
    """Base: quantizers for weights and for activations; subclasses say the mode.

    Args:    weight_quantizer: None for the layer's own. activation_quantizer: None leaves activations alone.
    """

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = None):
        self.weight_quantizer = weight_quantizer
        self.activation_quantizer = activation_quantizer

    @property
    def mode(self) -> str:
        raise NotImplementedError(
            "Subclasses must implement the property `mode`. Do not instantiate QuantizationConfig directly."
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "weight_quantizer": serialize_keras_object(self.weight_quantizer),
            "activation_quantizer": serialize_keras_object(self.activation_quantizer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**_quantizers_of(config))

    @staticmethod
    def weight_quantizer_or_default(config: Any, default: Any) -> Any:
        """The quantizer of the config, `default` where it names none."""
        own = None if config is None else config.weight_quantizer
        return default if own is None else own

    @staticmethod
    def activation_quantizer_or_default(config: Any, default: Any) -> Any:
        """The quantizer of the config, None where it wants none; `default` without a config."""
        return default if config is None else config.activation_quantizer


class Int8QuantizationConfig(QuantizationConfig):
    """Weights, and by default activations, as int8.

    >>> Int8QuantizationConfig().mode, Int8QuantizationConfig(activation_quantizer=None).activation_quantizer
    ('int8', None)
    """

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = "default"):
        if activation_quantizer == "default":
            activation_quantizer = AbsMaxQuantizer()
        super().__init__(weight_quantizer, activation_quantizer)
        _check_output(self)

    @property
    def mode(self) -> str:
        return "int8"


class Int4QuantizationConfig(QuantizationConfig):
    """Weights of four bits, by default in groups of 128 inputs, each with a scale and a zero point.

    Args:    block_size: inputs in a group; None or -1: one scale for each output.
    Raises:  ValueError for another block_size, and for quantizers beside groups.

    >>> Int4QuantizationConfig(block_size=32).get_config()["block_size"]
    32
    """

    def __init__(
        self,
        weight_quantizer: Any = None,
        activation_quantizer: Any = "default",
        block_size: int | None = 128,
    ):
        if activation_quantizer == "default":
            activation_quantizer = None
        super().__init__(weight_quantizer, activation_quantizer)
        if block_size is not None and block_size != -1 and block_size <= 0:
            raise ValueError(
                f"block_size must be None, -1, or a positive integer. Received: block_size={block_size}"
            )
        self.block_size = block_size
        custom = weight_quantizer is not None or activation_quantizer is not None
        if custom and block_size is not None and block_size > 0:
            raise ValueError(
                "Int4 sub-channel quantization (block_size > 0) does not support custom quantizers. Set "
                "block_size to None or -1 for per-channel quantization, or leave the quantizers out. "
                f"Received: block_size={block_size}"
            )
        if weight_quantizer is not None and weight_quantizer.value_range != (-8, 7):
            raise ValueError(
                "Int4QuantizationConfig requires a weight_quantizer with value_range=(-8, 7). Received: "
                f"value_range={weight_quantizer.value_range}"
            )
        _check_output(self)

    @property
    def mode(self) -> str:
        return "int4"

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "block_size": self.block_size}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**_quantizers_of(config), block_size=config.get("block_size"))


class Float8QuantizationConfig(QuantizationConfig):
    """Products of 8 bit floats in training.

    >>> Float8QuantizationConfig().mode
    'float8'
    """

    def __init__(self) -> None:
        super().__init__(None, None)

    @property
    def mode(self) -> str:
        return "float8"

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls()


def _quantizers_of(config: dict[str, Any]) -> dict[str, Any]:
    names = ("weight_quantizer", "activation_quantizer")
    return {name: deserialize_keras_object(config.get(name)) for name in names}


def _check_output(config: QuantizationConfig) -> None:
    quantizer = config.weight_quantizer
    if quantizer is not None and quantizer.output_dtype != "int8":
        raise ValueError(
            f"{type(config).__name__} requires a weight_quantizer with output_dtype='int8'. Received: "
            f"output_dtype={quantizer.output_dtype}"
        )


DEFAULTS = {
    "int8": Int8QuantizationConfig,
    "int4": Int4QuantizationConfig,
    "float8": Float8QuantizationConfig,
}


def resolved(mode: Any, config: Any) -> QuantizationConfig:
    """The config that the arguments of `quantize` mean: a mode has a default one, a config has a mode.

    Raises:  ValueError for unknown modes, other configs, and a mode that is not the config's;
             NotImplementedError for modes that look at data, which are not there.
    """
    if isinstance(config, str):
        mode, config = config, None
    if mode is not None and mode not in QUANTIZATION_MODES:
        raise ValueError(
            f"Invalid quantization mode. Expected one of {QUANTIZATION_MODES}. Received: mode={mode}"
        )
    if config is None and mode is None:
        raise ValueError("You must provide either `mode` or `config` to `quantize`.")
    if config is None and mode in DEFAULTS:
        return DEFAULTS[mode]()
    if config is None:
        raise ValueError(f"For {str(mode).upper()}, you must pass its config in the `config` argument.")
    if not isinstance(config, QuantizationConfig):
        raise ValueError(
            "Argument `config` must be an instance of `QuantizationConfig`. "
            f"Received: config={config} (of type {type(config)})"
        )
    if mode is not None and config.mode != mode:
        raise ValueError(f"Contradictory arguments: mode='{mode}' but config.mode='{config.mode}'")
    return config


def is_chosen(layer: Any, filters: Any) -> bool:
    """Do the filters of `Model.quantize` (a pattern of names, several, or a function) choose the layer?"""
    if isinstance(filters, str):
        return bool(re.search(filters, layer.name))
    if isinstance(filters, (list, tuple)):
        return any(re.search(pattern, layer.name) for pattern in filters)
    return filters(layer) if callable(filters) else True
