"""StackedRNNCells."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core import tree
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.layers.layer import Layer
from kcompile.layers.rnn.cell import output_size_of, zero_states


class StackedRNNCells(Layer):
    """Cells one on top of the other, as one cell.

    Args:    cells: the outputs of each are the inputs of the next.

    >>> import numpy as np
    >>> from kcompile.layers import RNN, GRUCell, LSTMCell
    >>> layer = RNN(StackedRNNCells([LSTMCell(4), GRUCell(2)]))
    >>> layer(np.ones((1, 5, 3), "float32")).shape
    (1, 2)
    """

    def __init__(self, cells: Any, **kwargs: Any):
        super().__init__(**kwargs)
        for cell in cells:
            for name in ("call", "state_size"):
                if name not in dir(cell):
                    kind = "method" if name == "call" else "attribute"
                    raise ValueError(
                        f"All cells must have a `{name}` {kind}. Received cell without a `{name}`: {cell}"
                    )
        self.cells = cells

    @property
    def state_size(self) -> list[Any]:
        """The sizes of the cells' states, cell by cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        """That of the last cell."""
        return output_size_of(self.cells[-1])

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """The first states, cell by cell."""
        states = []
        for cell in self.cells:
            make = getattr(cell, "get_initial_state", None)
            zeros = zero_states(batch_size, cell.state_size, self.compute_dtype) if make is None else None
            states.append(zeros if make is None else make(batch_size=batch_size))
        return states

    def build(self, input_shape: Any) -> None:
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built:
                cell.build(input_shape)
            input_shape = (input_shape[0], output_size_of(cell))

    def call(self, inputs: Any, states: Any, training: bool = False, **kwargs: Any) -> tuple[Any, Any]:
        new_states: list[Any] = []
        for cell, state in zip(self.cells, states, strict=True):
            nested = isinstance(state, (list, tuple))
            more = dict(kwargs)
            if isinstance(cell, Layer) and cell.call_has_training:
                more["training"] = training
            step = cell if callable(cell) else cell.call
            inputs, new = step(inputs, list(state) if nested else [state], **more)
            new_states.append(new if nested else tree.flatten(new)[0])
        return inputs, new_states

    def draw_dropout_masks(self, step_input: Any, states: Any) -> None:
        """Draw the masks of all cells; see `DropoutRNNCell`."""
        for cell, state in zip(self.cells, states, strict=True):
            draw = getattr(cell, "draw_dropout_masks", None)
            if draw is not None:
                draw(step_input, state)
            step_input = ops.zeros((step_input.shape[0], output_size_of(cell)), step_input.dtype)

    def reset_dropout_masks(self) -> None:
        for cell in self.cells:
            getattr(cell, "reset_dropout_masks", lambda: None)()

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cells": [serialize_keras_object(cell) for cell in self.cells]}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        cells = [deserialize_keras_object(cell, custom_objects=custom_objects) for cell in config["cells"]]
        return cls(**{**config, "cells": cells})
