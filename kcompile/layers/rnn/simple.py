"""SimpleRNN."""

from __future__ import annotations

from typing import Any

from kcompile.activations import activated
from kcompile.core.signatures import arguments_of
from kcompile.layers.arguments import positive_int
from kcompile.layers.input_spec import InputSpec
from kcompile.layers.rnn.cell import BuiltinCell, projected, zero_states
from kcompile.layers.rnn.cell_layer import CellLayer


class SimpleRNNCell(BuiltinCell):
    """h = activation(x @ kernel + bias + h @ recurrent_kernel).

    Shapes:  sequence (n, d), one step of it, states [(n, units)] -> (output (n, units), [it]).

    >>> import numpy as np
    >>> cell = SimpleRNNCell(2, activation=None, kernel_initializer="ones", recurrent_initializer="ones")
    >>> cell(np.ones((1, 3), "float32"), [np.ones((1, 2), "float32")])[0].tolist()
    [[5.0, 5.0]]
    """

    gates = 1

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        positive_int("units", units)
        super().__init__(arguments_of(locals()), **kwargs)
        self.state_size = self.output_size = units

    def build(self, input_shape: Any) -> None:
        units = self.output_size
        self.add_weights((input_shape[-1], units), (units, units), (units,))

    def call(self, sequence: Any, states: Any, training: bool = False) -> tuple[Any, Any]:
        nested = isinstance(states, (list, tuple))
        h = states[0] if nested else states
        x = projected(sequence, self.kernel, self.input_masks(sequence, training))
        x = x if self.bias is None else x + self.bias
        h = activated(x + projected(h, self.recurrent_kernel, self.state_masks(h, training)), self.activation)
        return h, [h] if nested else h

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        return zero_states(batch_size, [self.state_size], self.compute_dtype)


class SimpleRNN(CellLayer, cell=SimpleRNNCell, last=("seed",)):
    """A fully connected layer whose output is also its next state.

    Shapes:  (n, steps, d) -> (n, units), or (n, steps, units) with return_sequences; with return_state, a
             tuple of that and the state (n, units). kernel (d, units), recurrent_kernel (units, units), bias
             (units,).
    Args:    as of `RNN` and `SimpleRNNCell`. activity_regularizer: ignored, as by Keras.

    >>> import numpy as np
    >>> SimpleRNN(4)(np.ones((2, 5, 3), "float32")).shape
    (2, 4)
    """

    def __init__(self, **given: Any):
        super().__init__(**{**given, "activity_regularizer": None})
        self.input_spec = [InputSpec(ndim=3)]

    def get_config(self) -> dict[str, Any]:
        return {k: v for k, v in super().get_config().items() if k != "seed"}
