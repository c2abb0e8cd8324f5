"""Training that sees the errors of quantization: floats rounded to the levels that ints would have."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.ops.public import has_symbolic
from kcompile.trace.operation import Operation


class FakeQuantWithMinMaxVars(Operation):
    """`fake_quant_with_min_max_vars` in a functional model."""

    def __init__(self, num_bits: int = 8, narrow_range: bool = False, axis: int | None = None):
        super().__init__()
        self.num_bits, self.narrow_range, self.axis = num_bits, narrow_range, axis

    def call(self, inputs: Any, min_vals: Any, max_vals: Any) -> Any:
        return fake_quant_with_min_max_vars(
            inputs, min_vals, max_vals, self.num_bits, self.narrow_range, self.axis
        )


def fake_quant_with_min_max_vars(
    inputs: Any,
    min_vals: Any,
    max_vals: Any,
    num_bits: int = 8,
    narrow_range: bool = False,
    axis: int | None = None,
) -> Any:
    """Floats clipped to [min_vals, max_vals] and rounded to the nearest of 2 ** num_bits levels.

    The range is moved so that 0 is a level. Gradients pass where nothing was clipped; the rest goes to the
    end of the range that clipped.

    Args:    min_vals, max_vals: 0-d, or of the size of `axis`: a range for each channel. narrow_range: one
             level less, so that the levels lie symmetrically.
    Source:  Jacob et al. 2017, "Quantization and training of neural networks for efficient
             integer-arithmetic-only inference".

    >>> import numpy as np
    >>> x = np.array([-2.0, 0.3, 1.0], "float32")
    >>> fake_quant_with_min_max_vars(x, np.float32(0), np.float32(3), num_bits=2).tolist()
    [0.0, 0.0, 1.0]
    """
    if has_symbolic((inputs,)):
        return FakeQuantWithMinMaxVars(num_bits, narrow_range, axis)(inputs, min_vals, max_vals)
    inputs, low, high = (ops.convert_to_tensor(x) for x in (inputs, min_vals, max_vals))
    kept = None if axis is None else axis % len(inputs.shape)
    most, least = (1 << int(num_bits)) - 1, 1 if narrow_range else 0

    def along(x: Any) -> Any:
        """The numbers of the channels along their axis."""
        if kept is None or kept == len(inputs.shape) - 1 or not x.shape:
            return x
        return ops.reshape(x, [-1 if k == kept else 1 for k in range(len(inputs.shape))])

    @ops.custom_gradient
    def rounded(x: Any, low: Any, high: Any) -> Any:
        span = ops.cast(high, "float32") - ops.cast(low, "float32")
        scale, inverse = span / (most - least), (most - least) / span
        zero = ops.round(ops.clip(least - ops.cast(low, "float32") / scale, least, most))
        start, end = along((least - zero) * scale), along((most - zero) * scale)
        scale, inverse = along(scale), along(inverse)
        shift = ops.floor(-start * inverse + 0.5)
        clipped = ops.clip(ops.cast(x, "float32"), start, end) - start
        result = ops.floor(clipped * inverse - shift + 0.5) * scale

        def pull(upstream: Any) -> tuple[Any, Any, Any]:
            def where(mask: Any) -> Any:
                return ops.where(mask, upstream, ops.zeros_like(upstream))

            def total(mask: Any, like: Any) -> Any:
                others = None if kept is None else [k for k in range(len(x.shape)) if k != kept]
                return ops.cast(ops.reshape(ops.sum(where(mask), axis=others), like.shape), like.dtype)

            inside = ops.logical_and(ops.greater_equal(x, start), ops.less_equal(x, end))
            return where(inside), total(ops.less_equal(x, start), low), total(ops.greater_equal(x, end), high)

        return ops.cast(result, x.dtype), pull

    return rounded(inputs, low, high)
