"""GRU."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core.signatures import arguments_of
from kcompile.layers.arguments import positive_int
from kcompile.layers.rnn.cell import BuiltinCell, projected, zero_states
from kcompile.layers.rnn.cell_layer import WithCudnn


class GRUCell(BuiltinCell):
    """Gates z, r and a candidate g: h = z * h + (1 - z) * g.

    Shapes:  inputs (n, d), states [(n, units)] -> (output (n, units), [it]).
    Args:    reset_after: r multiplies h @ recurrent_kernel, with a bias of its own; else it multiplies h.
    Source:  Cho et al. 2014, versions 3 (reset_after=False) and 1 of arXiv 1406.1078.
    """

    gates = 3
    reset_after: bool

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
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
        reset_after: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ):
        positive_int("units", units)
        super().__init__(arguments_of(locals()), **kwargs)
        self.state_size = self.output_size = units

    def build(self, input_shape: Any) -> None:
        units = self.output_size
        bias = (2, 3 * units) if self.reset_after else (3 * units,)
        self.add_weights((input_shape[-1], 3 * units), (units, 3 * units), bias)

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:
        nested = isinstance(states, (list, tuple))
        h = states[0] if nested else states
        x = projected(inputs, self.kernel, self.input_masks(inputs, training))
        if self.bias is not None:
            x = x + (self.bias[0] if self.reset_after else self.bias)
        z, g = self._gates(x, h, self.state_masks(h, training))
        h = z * h + (1 - z) * g
        return h, [h] if nested else h

    def _gates(self, x: Any, h: Any, masks: Any) -> tuple[Any, Any]:
        """How much of the state stays, and what comes in its place."""
        x_z, x_r, x_g = ops.split(x, 3, axis=-1)
        sigma = self.recurrent_activation
        if self.reset_after:
            inner = projected(h, self.recurrent_kernel, masks)
            h_z, h_r, h_g = ops.split(inner if self.bias is None else inner + self.bias[1], 3, axis=-1)
            return sigma(x_z + h_z), self.activation(x_g + sigma(x_r + h_r) * h_g)
        kernel, two = self.recurrent_kernel, 2 * self.output_size
        of_gates, of_candidate = (None, None) if masks is None else (masks[:2], masks[2:])
        h_z, h_r = ops.split(projected(h, kernel[:, :two], of_gates), 2, axis=-1)
        h_g = projected(sigma(x_r + h_r) * h, kernel[:, two:], of_candidate)
        return sigma(x_z + h_z), self.activation(x_g + h_g)

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        return zero_states(batch_size, [self.state_size], self.compute_dtype)


class GRU(WithCudnn, cell=GRUCell, last=("reset_after",)):
    """Gated recurrent unit.

    Shapes:  (n, steps, d) -> (n, units), or (n, steps, units) with return_sequences; with return_state, a
             tuple of that and the state (n, units). kernel (d, 3 units), recurrent_kernel (units, 3 units),
             bias (2, 3 units), or (3 units,) without reset_after. Gates in the order z, r, candidate.
    Args:    as of `RNN` and `GRUCell`. use_cudnn: accepted; there is one implementation.
    Source:  Cho et al. 2014.

    >>> import numpy as np
    >>> GRU(4, return_sequences=True)(np.ones((2, 5, 3), "float32")).shape
    (2, 5, 4)
    """
