"""Bidirectional."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.layers.call_spec import signature_of
from kcompile.layers.layer import Layer
from kcompile.layers.pickling import own_classes

MODES = ("sum", "mul", "ave", "concat", None)
SHARED = ("stateful", "return_sequences", "return_state")


class Bidirectional(Layer):
    """A recurrent layer over the steps in both directions.

    Shapes:  those of `layer`; with merge_mode "concat" the last axis is twice as long.
    Args:    layer: copied, once as it is and once with go_backwards. merge_mode: how the outputs of both are
             combined: "sum", "mul", "ave", "concat", or None for a pair. backward_layer: the layer for the
             other direction, if it is not a copy. weights: accepted and ignored, as by Keras.

    With return_state, the states of the forward layer come after the output, then those of the backward
    layer; initial_state is given in the same order.

    >>> import numpy as np
    >>> from kcompile.layers import GRU
    >>> Bidirectional(GRU(4))(np.ones((2, 5, 3), "float32")).shape
    (2, 8)
    """

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ):
        _check(layer, merge_mode, backward_layer)
        super().__init__(**kwargs)
        self.forward_layer = _copied(layer, "forward_")
        self.backward_layer = backward_layer
        if backward_layer is None:
            self.backward_layer = _copied(layer, "backward_", go_backwards=True)
        self._check_pair()
        for one in (self.forward_layer, self.backward_layer):
            if hasattr(layer, "use_cudnn"):
                one.use_cudnn = layer.use_cudnn
            if getattr(one, "zero_output_for_mask", None) is not None:
                one.zero_output_for_mask = one.return_sequences
        self.merge_mode = merge_mode
        self.stateful, self.return_sequences = layer.stateful, layer.return_sequences
        self.return_state = layer.return_state
        self.supports_masking = True
        self.input_spec = layer.input_spec

    def _check_pair(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise ValueError(
                "Forward layer and backward layer should have different `go_backwards` value. Received: "
                f"forward_layer.go_backwards {forward.go_backwards}, "
                f"backward_layer.go_backwards={backward.go_backwards}"
            )
        for name in SHARED:
            values = getattr(forward, name), getattr(backward, name)
            if values[0] != values[1]:
                raise ValueError(
                    "Forward layer and backward layer are expected to have the same value for attribute "
                    f'"{name}", got "{values[0]}" for forward layer and "{values[1]}" for backward layer'
                )

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        for layer in (self.forward_layer, self.backward_layer):
            if not layer.built:
                layer.build(sequences_shape)

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None) -> Any:
        half = 0 if initial_state is None else len(initial_state) // 2
        first = (None, None) if initial_state is None else (initial_state[:half], initial_state[half:])
        names = signature_of(type(self.forward_layer).call).names
        more = {k: v for k, v in (("mask", mask), ("training", training)) if k in names}
        y = self.forward_layer(sequences, initial_state=first[0], **more)
        back = self.backward_layer(sequences, initial_state=first[1], **more)
        states: tuple[Any, ...] = ()
        if self.return_state:
            states = (*y[1:], *back[1:])
            y, back = y[0], back[0]
        y, back = ops.cast(y, self.compute_dtype), ops.cast(back, self.compute_dtype)
        output = self._merged(y, ops.flip(back, axis=1) if self.return_sequences else back)
        if not self.return_state:
            return output
        return (*output, *states) if self.merge_mode is None else (output, *states)

    def _merged(self, y: Any, back: Any) -> Any:
        if self.merge_mode == "concat":
            return ops.concatenate([y, back], axis=-1)
        if self.merge_mode == "sum":
            return y + back
        if self.merge_mode == "ave":
            return (y + back) / 2
        return y * back if self.merge_mode == "mul" else (y, back)

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        shape = self.forward_layer.compute_output_shape(sequences_shape)
        shape, states = (shape[0], shape[1:]) if self.return_state else (shape, ())
        if self.merge_mode == "concat":
            shape = (*shape[:-1], 2 * shape[-1])
        outputs = (shape, shape) if self.merge_mode is None else (shape,)
        if self.return_state or self.merge_mode is None:
            return (*outputs, *states, *states)
        return shape

    def compute_mask(self, _: Any, mask: Any) -> Any:
        """The mask of the sequence for outputs that are one; none for states."""
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        mask = mask if self.return_sequences else None
        return (mask, mask) if self.merge_mode is None else mask

    @property
    def states(self) -> Any:
        """The states of both layers, if they are stateful and built."""
        forward, backward = self.forward_layer.states, self.backward_layer.states
        return (*forward, *backward) if forward and backward else None

    def reset_state(self) -> None:
        """Zero the states of both layers.

        Raises:  AttributeError if they are not stateful.
        """
        if not self.stateful:
            raise AttributeError("Layer must be stateful.")
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "merge_mode": self.merge_mode,
            "layer": serialize_keras_object(self.forward_layer),
            "backward_layer": serialize_keras_object(self.backward_layer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        layers = {
            name: deserialize_keras_object(config[name], custom_objects=custom_objects)
            for name in ("layer", "backward_layer")
            if config.get(name) is not None
        }
        return cls(**{**config, **layers})


def _check(layer: Any, merge_mode: Any, backward_layer: Any) -> None:
    if not isinstance(layer, Layer):
        raise ValueError(
            f"Please initialize `Bidirectional` layer with a `keras.layers.Layer` instance. Received: {layer}"
        )
    if backward_layer is not None and not isinstance(backward_layer, Layer):
        raise ValueError(
            f"`backward_layer` need to be a `keras.layers.Layer` instance. Received: {backward_layer}"
        )
    if merge_mode not in MODES:
        raise ValueError(
            f"Invalid merge mode. Received: {merge_mode}. Merge mode should be one of "
            '{"sum", "mul", "ave", "concat", None}'
        )


def _copied(layer: Any, prefix: str, **changed: Any) -> Any:
    """A layer like this one, without its weights, under a name with the prefix."""
    config = serialize_keras_object(layer)
    config["config"] |= {"name": prefix + layer.name.removeprefix(prefix), **changed}
    return deserialize_keras_object(config, custom_objects=own_classes(layer))
