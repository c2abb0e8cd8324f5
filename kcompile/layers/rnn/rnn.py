"""RNN: the layer around a cell."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core import tree
from kcompile.core.errors import BroadcastError, SubscriptError
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.layers.layer import Layer
from kcompile.layers.rnn.cell import output_size_of, zero_states
from kcompile.layers.rnn.stacked import StackedRNNCells
from kcompile.layers.rnn.steps import output_before, run_steps
from kcompile.trace import tracer
from kcompile.trace.variable import Variable


class RNN(Layer):
    """Runs a cell over the steps of a sequence.

    Shapes:  (n, steps, ...) -> the last output (n, output_size), or all of them (n, steps, output_size) with
             return_sequences; with return_state, a tuple of that and the last states.
    Args:    cell: a layer (or any callable) with `call(inputs, states)`, which returns (output, new states),
             and `state_size`, an int or a list; it may have `output_size` and
             `get_initial_state(batch_size)`. A list of cells is stacked.
             go_backwards: begin with the last step; the outputs then come in that order too.
             stateful: the next batch goes on from the states of this one; the batch size must be known.
             unroll: accepted; what is unrolled is decided by the compiler.
             zero_output_for_mask: the output of a masked step is zero instead of the one before it; not with
             `unroll`, as in Keras.

    In `call`, initial_state gives the first states and mask (n, steps) the steps that count: at a masked step
    the states stay.

    >>> import numpy as np
    >>> class Sum(Layer):
    ...     state_size = 3
    ...     def call(self, inputs, states):
    ...         total = states[0] + inputs
    ...         return total, [total]
    >>> RNN(Sum())(np.ones((1, 5, 3), "float32")).tolist()
    [[5.0, 5.0, 5.0]]
    """

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ):
        cell = StackedRNNCells(cell) if isinstance(cell, (list, tuple)) else cell
        _check_cell(cell)
        super().__init__(**kwargs)
        self.zero_output_for_mask = zero_output_for_mask
        self.cell = cell
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.stateful, self.unroll = go_backwards, stateful, unroll
        self.supports_masking = True
        self.states: Any = None
        self.single_state = isinstance(cell.state_size, int)
        self.state_size = [cell.state_size] if self.single_state else list(cell.state_size)

    # --- shapes and states ----------------------------------------------------------------------------------

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        if isinstance(self.cell, Layer) and not self.cell.built:
            self.cell.build((sequences_shape[0], *sequences_shape[2:]))
        if self.stateful and self.states is not None:
            self.reset_state()
        elif self.stateful:
            if sequences_shape[0] is None:
                raise ValueError(
                    "When using `stateful=True` in a RNN, the batch size must be static. Found dynamic batch "
                    f"size: sequence.shape={sequences_shape}. Give it in `Input(batch_shape=...)`."
                )
            # Not tracked: what a sequence left behind is no weight, and Keras does not save it.
            self.__dict__["states"] = self._state_variables(sequences_shape[0])

    def _state_variables(self, batch_size: int) -> Any:
        def variable(start: Any) -> Variable:
            return Variable(start, dtype=self.variable_dtype, trainable=False, name="rnn_state")

        with tracer.suspended():
            return tree.map_structure(variable, self.get_initial_state(batch_size))

    def get_initial_state(self, batch_size: Any) -> list[Any]:
        """The states before the first step: the cell's own, else zeros."""
        make = getattr(self.cell, "get_initial_state", None)
        if make is None:
            return zero_states(batch_size, list(self.state_size), self.compute_dtype)
        states = make(batch_size=batch_size)
        return list(states) if isinstance(states, (list, tuple)) else [states]

    def reset_state(self) -> None:
        """Zero the states of a stateful layer."""
        for variable in tree.flatten(self.states or []):
            variable.assign(ops.zeros(variable.shape, variable.dtype))

    reset_states = reset_state

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        batch, steps = sequences_shape[:2]
        size = output_size_of(self.cell)
        if not isinstance(size, int):
            raise ValueError("output_size must be an integer.")
        output = (batch, steps, size) if self.return_sequences else (batch, size)
        states = [tree.map_structure(lambda n: (batch, n), list_of(n)) for n in self.state_size]
        return (output, *states) if self.return_state else output

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Placeholders for outputs and states; the states in the form of `state_size`, as in Keras."""
        outputs = super().compute_output_spec(*args, **kwargs)
        if not self.return_state:
            return outputs
        return tree.pack_as((None, *self.state_size), tree.flatten(outputs))

    def compute_mask(self, _: Any, mask: Any) -> Any:
        """The mask of the sequence for outputs that are one; none for states."""
        mask = tree.flatten(mask)[0] if self.return_sequences else None
        return [mask, *(None for _ in self.state_size)] if self.return_state else mask

    # --- calling --------------------------------------------------------------------------------------------

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        if len(sequences.shape) < 3:
            raise SubscriptError(
                f"{self.name}: sequences need at least 3 dimensions, (batch, steps, features...). "
                f"Received: shape={tuple(sequences.shape)}"
            )
        if self.unroll and not isinstance(sequences.shape[1], int):
            raise ValueError(
                "Cannot unroll a RNN if the time dimension is undefined. Give the number of steps in `Input`."
            )
        states = self._first_states(sequences, initial_state)
        draw = getattr(self.cell, "draw_dropout_masks", None) if training else None
        if draw is not None:
            draw(sequences[:, 0], states)
        last, outputs, states = self.inner_loop(sequences, states, mask, training)
        if draw is not None:
            self.cell.reset_dropout_masks()
        if self.stateful:
            for variable, state in zip(tree.flatten(self.states), tree.flatten(states), strict=True):
                variable.assign(state)
        output = self._cast(outputs if self.return_sequences else last)
        return (output, *tree.map_structure(self._cast, states)) if self.return_state else output

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: Any = False) -> Any:
        """(last output, outputs or None, last states) of the cell over all steps."""
        more = {}
        if isinstance(self.cell, Layer) and self.cell.call_has_training:
            more["training"] = training

        def step(x: Any, states: Any) -> tuple[Any, Any]:
            output, new = self.cell(x, states, **more)
            return output, new if isinstance(new, (list, tuple)) else [new]

        return run_steps(
            step,
            sequences,
            initial_state,
            mask,
            go_backwards=self.go_backwards,
            zero_output_for_mask=self.zero_output_for_mask and not self.unroll,
            return_sequences=self.return_sequences,
            held=None if mask is None else self._held(sequences, initial_state),
        )

    def _first_states(self, sequences: Any, given: Any) -> Any:
        batch = sequences.shape[0]
        states = given
        if self.stateful:
            known = tree.flatten(self.states)[0].shape[0]
            if batch != known:
                raise ValueError(
                    "If an RNN is stateful, the batch size of the input sequences must be the same as the "
                    f"batch size of the initial state. \n- Expected batch size: {known}\n- Received batch "
                    f"size: {batch}"
                )
            states = self.states if given is None else given
        if states is None:
            states = self.get_initial_state(batch_size=batch)
        states = list(states) if isinstance(states, (list, tuple)) else [states]
        if given is not None:
            self._check_states(states, batch)
        dtype = getattr(self.cell, "compute_dtype", self.compute_dtype)
        return tree.map_structure(lambda x: ops.cast(ops.convert_to_tensor(x), dtype), states)

    def _check_states(self, states: list[Any], batch: Any) -> None:
        """Refuse initial states of another number or shape with the types of Keras's errors."""
        few, many = len(states) < len(self.state_size), len(states) > len(self.state_size)
        if few or many:
            raise (SubscriptError if few else BroadcastError)(
                f"Layer '{self.name}' expects {len(self.state_size)} initial state(s), but it received "
                f"{len(states)}."
            )
        for number, (state, size) in enumerate(zip(states, self.state_size, strict=True)):
            shape = tuple(getattr(state, "shape", ()))
            if len(shape) != 2 or not isinstance(size, int):
                continue  # images, or states of a stack
            known = zip(shape, (batch, size), strict=True)
            if any(isinstance(d, int) and isinstance(e, int) and 0 < e != d for d, e in known):
                raise BroadcastError(
                    f"Layer '{self.name}' expects shape ({batch}, {size}) of initial state {number}, but "
                    f"received {shape}."
                )

    def _held(self, sequences: Any, states: Any) -> Any:
        """Zeros as the output before the first one where no state is it (and, as in Keras, with unroll)."""
        before, size = output_before(states), output_size_of(self.cell)
        if len(before.shape) == 2 and before.shape[1] != size:
            return ops.zeros((sequences.shape[0], size), before.dtype)
        return ops.zeros_like(before) if self.unroll else None

    def _cast(self, x: Any) -> Any:
        return ops.cast(x, self.compute_dtype)

    # --- config ---------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "unroll": self.unroll,
            "zero_output_for_mask": self.zero_output_for_mask,
            "cell": serialize_keras_object(self.cell),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        cell = deserialize_keras_object(config["cell"], custom_objects=custom_objects)
        return cls(**{**config, "cell": cell})


def list_of(sizes: Any) -> Any:
    return list(sizes) if isinstance(sizes, (list, tuple)) else sizes


def _check_cell(cell: Any) -> None:
    if "call" not in dir(cell):
        raise ValueError(f"Argument `cell` should have a `call` method. Received: cell={cell}")
    if "state_size" not in dir(cell):
        raise ValueError(
            "The RNN cell should have a `state_size` attribute (single integer or list of integers, one "
            f"integer per RNN state). Received: cell={cell}"
        )
    if not isinstance(cell.state_size, (list, tuple, int)):
        raise ValueError(
            "state_size must be an integer, or a list/tuple of integers (one for each state tensor)."
        )
