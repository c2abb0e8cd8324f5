"""What the built-in cells share: weights, dropout, and the sizes of states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcompile import ops
from kcompile.layers.configured import Configured
from kcompile.layers.rnn.dropout import DropoutRNNCell
from kcompile.trace.seed_generator import SeedGenerator


def projected(
    x: Any, kernel: Any, masks: Any, product: Callable[[Any, Any], Any] = ops.matmul, axis: int = -1
) -> Any:
    """product(x, kernel) under dropout; with a list of masks, each gate's part of the kernel has its own.

    axis: of the features in the result.
    """
    if masks is None:
        return product(x, kernel)
    if not isinstance(masks, list):
        return product(x * masks, kernel)
    parts = ops.split(kernel, len(masks), axis=-1)
    return ops.concatenate(
        [product(x * mask, part) for mask, part in zip(masks, parts, strict=True)], axis=axis
    )


class BuiltinCell(Configured, DropoutRNNCell):
    """Base of cells with a kernel for the inputs, one for the state, and a bias.

    Args:    settings: the arguments of the cell's class, which become attributes and its config.
             implementation: 1 lets each gate have its own dropout masks, 2 shares one among them.
    """

    gates: int
    kernel: Any
    recurrent_kernel: Any
    bias: Any
    activation: Any
    recurrent_activation: Any
    use_bias: bool

    def __init__(self, settings: dict[str, Any], implementation: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        self.configure(settings)
        self.dropout = min(1.0, max(0.0, self.dropout))
        self.recurrent_dropout = min(1.0, max(0.0, self.recurrent_dropout))
        self.implementation = 1 if self.recurrent_dropout and self.gates > 1 else implementation
        if self.implementation == 1 and self.gates > 1:
            self.dropout_mask_count = self.gates
        self.seed_generator = SeedGenerator(settings["seed"])

    def add_weights(self, kernel: Any, recurrent: Any, bias: Any, bias_initializer: Any = None) -> None:
        """Make kernel, recurrent kernel and bias (if it is used) of these shapes."""
        self.kernel = self.add_configured_weight("kernel", kernel)
        self.recurrent_kernel = self.add_configured_weight("recurrent_kernel", recurrent)
        self.bias = None
        if self.use_bias:
            self.bias = self.add_configured_weight("bias", bias, initializer=bias_initializer)

    def input_masks(self, inputs: Any, training: Any) -> Any:
        """Dropout masks for the inputs, or None."""
        return self.get_dropout_mask(inputs) if training and self._drops(self.dropout) else None

    def state_masks(self, state: Any, training: Any) -> Any:
        """Dropout masks for the state, or None."""
        wanted = training and self._drops(self.recurrent_dropout)
        return self.get_recurrent_dropout_mask(state) if wanted else None

    def _drops(self, rate: float) -> bool:
        """A rate of 1 counts in cells without gates only, as in Keras."""
        return 0 < rate < 1 or (rate == 1 and self.gates == 1)


def zero_states(batch_size: Any, sizes: Any, dtype: str) -> Any:
    """Zeros (batch, size) for every size of a nested structure."""
    if isinstance(sizes, (list, tuple)):
        return [zero_states(batch_size, size, dtype) for size in sizes]
    return ops.zeros((batch_size, size_of(sizes)), dtype)


def size_of(size: Any) -> int:
    if isinstance(size, bool) or not isinstance(size, int):
        raise ValueError(f"state_size must be made of integers. Received: {size!r}")
    return size


def output_size_of(cell: Any) -> Any:
    """The size of a cell's outputs: as it says, else that of its first state."""
    size = getattr(cell, "output_size", None)
    if size is not None:
        return size
    return cell.state_size[0] if isinstance(cell.state_size, (list, tuple)) else cell.state_size
