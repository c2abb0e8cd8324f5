"""LSTM."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from kcompile import ops
from kcompile.core.signatures import arguments_of
from kcompile.layers.arguments import positive_int
from kcompile.layers.rnn.cell import BuiltinCell, projected, zero_states
from kcompile.layers.rnn.cell_layer import WithCudnn


def lstm_step(cell: BuiltinCell, z: Any, c: Any, axis: int = -1) -> tuple[Any, list[Any]]:
    """Output and states from the sums z that go into the gates i, f, the candidate and o, along `axis`.

    c = f * c + i * candidate, h = o * activation(c).
    """
    i, f, candidate, o = ops.split(z, 4, axis=axis)
    sigma = cell.recurrent_activation
    c = sigma(f) * c + sigma(i) * cell.activation(candidate)
    h = sigma(o) * cell.activation(c)
    return h, [h, c]


def forgetting_slowly(initializer: Any, units: int) -> Any:
    """An initializer of the bias of four gates: ones for the forget gate.

    Source:  Jozefowicz et al. 2015.
    """

    def start(shape: Any, dtype: Any = None) -> Any:
        ones = ops.ones((units,), dtype)
        return ops.concatenate(
            [initializer((units,), dtype=dtype), ones, initializer((2 * units,), dtype=dtype)]
        )

    return start


class LSTMCell(BuiltinCell):
    """Gates i, f, o and a candidate g: c = f * c + i * g, h = o * activation(c).

    Shapes:  inputs (n, d), states [h, c], both (n, units) -> (h, [h, c]).
    Args:    unit_forget_bias: the forget gate's bias begins with ones.
    Source:  Hochreiter and Schmidhuber 1997; Gers et al. 2000 (forget gates).
    """

    gates = 4
    unit_forget_bias: bool
    bias_initializer: Any
    _earlier = MappingProxyType({"unit_forget_bias": "kernel_initializer"})

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
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
        self.state_size = [units, units]
        self.output_size = units

    def build(self, input_shape: Any) -> None:
        units = self.output_size
        start = forgetting_slowly(self.bias_initializer, units) if self.unit_forget_bias else None
        self.add_weights((input_shape[-1], 4 * units), (units, 4 * units), (4 * units,), start)

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        h, c = states[0], states[1]
        x = projected(inputs, self.kernel, self.input_masks(inputs, training))
        x = x if self.bias is None else x + self.bias
        return lstm_step(self, x + projected(h, self.recurrent_kernel, self.state_masks(h, training)), c)

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        return zero_states(batch_size, self.state_size, self.compute_dtype)


class LSTM(WithCudnn, cell=LSTMCell):
    """Long short-term memory.

    Shapes:  (n, steps, d) -> (n, units), or (n, steps, units) with return_sequences; with return_state, a
             tuple of that and the states h and c (n, units). kernel (d, 4 units), recurrent_kernel (units,
             4 units), bias (4 units,). Gates in the order i, f, candidate, o.
    Args:    as of `RNN` and `LSTMCell`. use_cudnn: accepted; there is one implementation.
    Source:  Hochreiter and Schmidhuber 1997.

    >>> import numpy as np
    >>> outputs, h, c = LSTM(4, return_sequences=True, return_state=True)(np.ones((2, 5, 3), "float32"))
    >>> outputs.shape, h.shape, c.shape
    ((2, 5, 4), (2, 4), (2, 4))
    """
