"""Layers with one main weight that low-rank updates are added to (LoRA), and that may be quantized."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile import initializers, ops
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.layers.configured import Configured, placed
from kcompile.quantizers.config import Int4QuantizationConfig
from kcompile.trace.variable import Variable


class Adapted(Configured):
    """Base of layers whose main weight W counts as W + lora_alpha / rank * A @ B once LoRA is enabled.

    W is then frozen; files hold the sum, so that a layer without LoRA can read them.
    Source:  Hu et al. 2021, "LoRA: low-rank adaptation of large language models".
    """

    lora_rank: int | None
    lora_alpha: float | None
    lora_enabled: bool = False
    _main: str = "kernel"  # the name of the main weight

    def set_lora(self, lora_rank: Any, lora_alpha: Any) -> None:
        """Keep the arguments for `build`."""
        self.lora_rank = lora_rank
        self.lora_alpha = lora_rank if lora_alpha is None else lora_alpha

    @property
    def _main_variable(self) -> Any:
        """The main weight as it is stored, None before the layer is built."""
        return self.__dict__.get(f"_{self._main}")

    def _main_shape(self) -> tuple[int, ...]:
        """The shape of the main weight before it is packed."""
        return self._main_variable.shape

    def _effective(self) -> Any:
        """The main weight with what LoRA adds."""
        if self._main_variable is None:
            raise AttributeError(f"You must build the layer before accessing `{self._main}`.")
        weight = self._unpacked(self._main_variable)
        if not self.lora_enabled:
            return weight
        return ops.cast(weight + self._update(), self.compute_dtype)

    def _unpacked(self, stored: Any) -> Any:
        """The stored weight with one number in each element."""
        return stored

    @property
    def _lora(self) -> tuple[Any, Any]:
        return getattr(self, f"lora_{self._main}_a"), getattr(self, f"lora_{self._main}_b")

    @property
    def _lora_scale(self) -> float:
        return self.lora_alpha / self.lora_rank  # type: ignore[operator]

    def _update(self) -> Any:
        """What LoRA adds to the main weight."""
        return self._lora_scale * ops.matmul(*self._lora)

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:
        """Freeze the main weight and add the trainable product of two thin matrices to it.

        Args:    rank: columns of the first, rows of the second. lora_alpha: the update counts
                 lora_alpha / rank times; by default once.
        Raises:  ValueError for a weight with a constraint, a layer that is not built, and a second time.
        """
        part = self._main
        if getattr(self, f"{part}_constraint") is not None:
            raise ValueError(
                f"Lora is incompatible with {part} constraints. In order to enable lora on this layer, "
                f"remove the `{part}_constraint` argument."
            )
        if self._main_variable is None:
            raise ValueError("Cannot enable lora on a layer that isn't yet built.")
        if self.lora_enabled:
            raise ValueError("lora is already enabled. This can only be done once per layer.")
        shape = self._main_shape()
        shapes = {"a": (*shape[:-1], rank), "b": (rank, shape[-1])}
        starts = {"a": a_initializer, "b": b_initializer}
        locked, self._tracker.locked = self._tracker.locked, False
        try:
            for letter, start in starts.items():
                name = f"lora_{part}_{letter}"
                weight = self.add_weight(
                    name=name, shape=shapes[letter], initializer=initializers.get(start), dtype="float32",
                    regularizer=getattr(self, f"{part}_regularizer"),
                )  # fmt: skip
                setattr(self, name, weight)
        finally:
            self._tracker.locked = locked
        self._main_variable.trainable = False
        self.lora_enabled = True
        self.lora_rank = rank
        self.lora_alpha = rank if lora_alpha is None else lora_alpha

    # --- files ----------------------------------------------------------------------------------------------

    @property
    def variable_serialization_spec(self) -> dict[str | None, list[str]]:
        """The names of what files hold, in their order, for each quantization mode."""
        return {None: [self._main, "bias"]}

    def _stored(self) -> dict[str, Variable]:
        mode = self.quantization_mode
        if mode not in self.variable_serialization_spec:
            raise self._wrong_mode(mode)
        found = {
            name: self._main_variable if name == self._main else getattr(self, name, None)
            for name in self.variable_serialization_spec[mode]
        }
        return {name: variable for name, variable in found.items() if variable is not None}

    def _stored_variables(self) -> list[Variable]:
        own = super()._stored_variables()
        known = list(self._stored().values()) if self.built else []
        lora = list(self._lora) if self.lora_enabled else []
        mine = {id(variable) for variable in (*known, *lora)}
        return known + [variable for variable in own if id(variable) not in mine]  # those of a user's class

    def _stored_arrays(self) -> list[np.ndarray]:
        if not self.lora_enabled:
            return super()._stored_arrays()
        merged = self._merged()
        names = {id(variable): name for name, variable in self._stored().items()}
        return [
            np.asarray(merged.get(names.get(id(variable), ""), variable.numpy()))
            for variable in self._stored_variables()
        ]

    def _merged(self) -> dict[str, Any]:
        """The main weight, and what belongs to it, with the update of LoRA in it."""
        return {self._main: np.asarray(self._effective())}

    def _loaded(self) -> None:
        if self.lora_enabled:  # the update is in the weight that was read
            for variable in self._lora:
                variable.assign(np.zeros(variable.shape, "float32"))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.lora_rank:
            config |= {"lora_rank": self.lora_rank, "lora_alpha": self.lora_alpha}
        return config


class QuantizableWeight(Adapted):
    """Base of layers that quantize their main weight."""

    quantization_config: Any = None
    _quantizes: bool = False  # set in each class that may be quantized; its subclasses may not
    _block_size: int | None = None  # of int4, None for a scale per channel

    def _block_size_of(self, config: Any) -> int | None:
        """The group size of int4 that the config says, else the policy; None: no groups."""
        if isinstance(config, Int4QuantizationConfig):
            size = config.block_size
        else:
            size = getattr(self._policy, "block_size", None)
        return None if size == -1 else size

    def _build_quantized(self, shape: Any, mode: str, config: Any) -> None:
        """Make the weights of a mode, for the main weight's shape."""
        if mode not in self.variable_serialization_spec or mode is None:
            raise self._wrong_mode(mode)
        if mode == "int4":
            self._block_size = self._block_size_of(config)
        getattr(self, f"_{mode}_build")(tuple(shape), config)
        self._is_quantized = True

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None) -> None:
        """Store the main weight in few bits; see `Layer.quantize`.

        "int8": a scale for each output, and inputs quantized in each call. "int4": groups of 128 inputs, each
        with a scale and a zero point, and inputs as they are.
        """
        if type_check and not vars(type(self)).get("_quantizes"):
            raise self._without("quantize")
        if mode not in self.variable_serialization_spec:
            raise self._wrong_mode(mode)
        self.quantization_config = config
        if mode == "int4":
            self._block_size = self._block_size_of(config)
        arrays = self._quantized(mode, self._main_variable.numpy(), config)
        shape = self._main_variable.shape
        if arrays:
            delattr(self, f"_{self._main}")
        self._build_quantized(shape, mode, config)
        for name, array in arrays.items():
            variable = self._main_variable if name == self._main else getattr(self, name)
            variable.assign(array)
        if self.quantization_mode is None:
            detail = f"/{self._block_size or -1}" if mode == "int4" else ""
            self.dtype_policy = f"{mode}{detail}_from_{self._policy.name}"

    def _fixed(self, name: str, shape: Any, dtype: str | None, start: str = "zeros") -> Any:
        """A weight that training does not change."""
        return self.add_weight(name=name, shape=shape, initializer=start, dtype=dtype, trainable=False)

    def _quantized(self, mode: str, weight: np.ndarray, config: Any) -> dict[str, Any]:
        """The arrays that the weight is stored as, by the names of their variables."""
        raise NotImplementedError

    def _dequantized(self) -> Any:
        """The main weight as floats."""
        raise NotImplementedError

    def _merged(self) -> dict[str, Any]:
        mode = self.quantization_mode
        if mode not in ("int8", "int4"):
            return super()._merged()
        return self._quantized(mode, np.asarray(self._dequantized() + self._update()), None)

    def get_config(self) -> dict[str, Any]:
        how = serialize_keras_object(self.quantization_config)
        return placed(super().get_config(), "quantization_config", how, before="lora_rank")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        given = deserialize_keras_object(config.get("quantization_config"))
        return super().from_config({**config, "quantization_config": given})
