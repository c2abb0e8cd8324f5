"""ConvLSTM1D, ConvLSTM2D, ConvLSTM3D."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core.signatures import arguments_of
from kcompile.layers.arguments import positive_int
from kcompile.layers.convolutional.conv import Windowed
from kcompile.layers.input_spec import InputSpec
from kcompile.layers.rnn.cell import BuiltinCell, projected
from kcompile.layers.rnn.cell_layer import CellLayer
from kcompile.layers.rnn.lstm import forgetting_slowly, lstm_step


class ConvLSTMCell(BuiltinCell, Windowed):
    """An LSTM step with convolutions in the place of the products; `rank` is the number of spatial axes.

    Shapes:  channels_last: inputs (n, d..., c), states (n, o..., filters); kernel (k..., c, 4 filters),
             recurrent_kernel (k..., filters, 4 filters), bias (4 filters,).
    """

    gates = 4
    filters: int
    unit_forget_bias: bool
    bias_initializer: Any

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        positive_int("filters", filters)
        super().__init__(arguments_of(locals()), implementation=1, **kwargs)
        self.set_window(kernel_size, strides, padding, data_format, dilation_rate)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self.state_size = [-1, -1]  # images, whose sizes are known when the layer is built

    def build(self, inputs_shape: Any, states_shape: Any = None) -> None:
        channels = self.channels_of(inputs_shape)
        self.step_shape = tuple(inputs_shape[1:])
        if None in self.step_shape:
            raise ValueError(
                "ConvLSTM layers only support static input shapes for the spatial dimension. Received "
                f"invalid input shape: input_shape={inputs_shape}"
            )
        self.input_spec = InputSpec(shape=(None, *self.step_shape))
        start = forgetting_slowly(self.bias_initializer, self.filters) if self.unit_forget_bias else None
        self.add_weights(
            (*self.kernel_size, channels, 4 * self.filters),
            (*self.kernel_size, self.filters, 4 * self.filters),
            (4 * self.filters,),
            start,
        )

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        h, c = states
        axis = self.channel_axis
        x = projected(inputs, self.kernel, self.input_masks(inputs, training), self._input_conv, axis)
        inner = projected(h, self.recurrent_kernel, self.state_masks(h, training), self._recurrent_conv, axis)
        return lstm_step(self, self.with_bias(x, self.bias) + inner, c, axis)

    def _input_conv(self, x: Any, kernel: Any) -> Any:
        return ops.conv(x, kernel, self.strides, self.padding, self.data_format, self.dilation_rate)

    def _recurrent_conv(self, x: Any, kernel: Any) -> Any:
        return ops.conv(x, kernel, 1, "same", self.data_format)

    def compute_output_shape(self, inputs_shape: Any, states_shape: Any = None) -> Any:
        shape = self.output_shape_of(inputs_shape, self.filters)
        return shape, [shape, shape]

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        shape = self.output_shape_of((batch_size, *self.step_shape), self.filters)
        return [ops.zeros(shape, self.compute_dtype), ops.zeros(shape, self.compute_dtype)]


class BaseConvLSTM(CellLayer):
    """Base of the layers: `RNN` around a ConvLSTMCell."""

    cell: ConvLSTMCell

    options = ("return_sequences", "return_state", "go_backwards", "stateful")

    def __init__(self, **given: Any):
        super().__init__(**given)
        self.input_spec = InputSpec(ndim=self.cell.rank + 3)

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        batch, steps, *one = sequences_shape
        _, *image = self.cell.output_shape_of((batch, *one), self.cell.filters)
        output = (batch, steps, *image) if self.return_sequences else (batch, *image)
        return (output, (batch, *image), (batch, *image)) if self.return_state else output


class _Cell1D(ConvLSTMCell):
    rank = 1


class _Cell2D(ConvLSTMCell):
    rank = 2


class _Cell3D(ConvLSTMCell):
    rank = 3


class ConvLSTM1D(BaseConvLSTM, cell=_Cell1D, cell_name="conv_lstm_cell"):
    """LSTM over sequences of rows, with convolutions in the place of the products.

    Shapes:  (n, steps, d, c) -> (n, o, filters), or (n, steps, o, filters) with return_sequences; with
             return_state, a tuple of that and two states (n, o, filters). Lengths as of `Conv1D`.
    Source:  Shi et al. 2015, without the connections from cell to gates.
    """


class ConvLSTM2D(BaseConvLSTM, cell=_Cell2D, cell_name="conv_lstm_cell"):
    """LSTM over sequences of images, with convolutions in the place of the products.

    Shapes:  (n, steps, h, w, c) -> (n, h', w', filters), or with the steps as second axis with
             return_sequences; with return_state, a tuple of that and two states. Sizes as of `Conv2D`.
    Source:  Shi et al. 2015, without the connections from cell to gates.

    >>> import numpy as np
    >>> ConvLSTM2D(4, 3, padding="same")(np.ones((1, 2, 5, 5, 3), "float32")).shape
    (1, 5, 5, 4)
    """


class ConvLSTM3D(BaseConvLSTM, cell=_Cell3D, cell_name="conv_lstm_cell"):
    """LSTM over sequences of volumes, with convolutions in the place of the products.

    Shapes:  (n, steps, d, h, w, c) -> (n, d', h', w', filters), or with the steps as second axis with
             return_sequences; with return_state, a tuple of that and two states. Sizes as of `Conv3D`.
    Source:  Shi et al. 2015, without the connections from cell to gates.
    """
