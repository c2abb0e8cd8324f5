"""TimeDistributed."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core.errors import ShapeError
from kcompile.layers.call_spec import Signature, signature_of
from kcompile.layers.core.lambda_layer import Lambda
from kcompile.layers.core.wrapper import Wrapper
from kcompile.layers.layer import Layer
from kcompile.trace.keras_tensor import known_shape

UNROLLED = 16  # so many calls at most are written out; more steps are a loop


class TimeDistributed(Wrapper):
    """Applies a layer to each step by itself: (n, steps, ...) -> (n, steps, ...).

    Where the layer computes each sample alone, all steps are one larger batch. Where it may not (it keeps
    statistics of the batch, or is the user's own), it is called step by step.

    Args:    layer: gets (n, ...), one step. A mask (n, steps, ...) reaches it, a step at a time, if `call`
             takes `mask`.
    Raises:  ValueError for inputs of less than three dimensions, or a mask that does not fit.

    >>> import numpy as np
    >>> from kcompile.layers import Conv2D
    >>> TimeDistributed(Conv2D(2, 3))(np.ones((1, 4, 5, 5, 3), "float32")).shape
    (1, 4, 3, 3, 2)
    """

    def __init__(self, layer: Layer, **kwargs: Any):
        if not isinstance(layer, Layer):
            raise ValueError(
                "Please initialize `TimeDistributed` layer with a `keras.layers.Layer` instance. Received: "
                f"{layer}"
            )
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def _step_shape(self, input_shape: Any) -> tuple[Any, ...]:
        if not isinstance(input_shape, (tuple, list)) or len(input_shape) < 3:
            raise ShapeError(
                "`TimeDistributed` Layer should be passed an `input_shape` with at least 3 dimensions, "
                f"received: {input_shape} (layer '{self.name}')"
            )
        return (input_shape[0], *input_shape[2:])

    def build(self, input_shape: Any = None) -> None:
        super().build(self._step_shape(input_shape))

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if mask is not None:
            self._check_mask(inputs, mask)
        steps = inputs.shape[1]
        if not steps or treats_samples_alone(self.layer, bool(training)):
            y = self._called(_joined(inputs), training, None if mask is None else _joined(mask))
            return ops.reshape(y, (inputs.shape[0], steps, *y.shape[1:]))
        if isinstance(steps, int) and steps <= UNROLLED:
            parts = [
                self._called(inputs[:, k], training, None if mask is None else mask[:, k])
                for k in range(steps)
            ]
            return ops.stack(parts, axis=1)
        slices = [_swapped(x) for x in (inputs, mask) if x is not None]
        y = ops.map(lambda xs: self._called(xs[0], training, *xs[1:]), slices)
        return _swapped(y)

    def _called(self, x: Any, training: Any, mask: Any = None) -> Any:
        """The layer on some samples. As in Keras, not through `__call__`: it adds no loss on activities, and
        computes in the dtype of this one."""
        takes = self._signature().names
        extra = {"mask": mask} if mask is not None and "mask" in takes else {}
        if self.layer.call_has_training:
            extra["training"] = training
        y = self.layer._call_in_place(x, **extra)
        if isinstance(y, (list, tuple, dict)):
            raise ValueError(
                f"Layer '{self.name}': `TimeDistributed` takes layers with one output. '{self.layer.name}' "
                f"returned {len(y)}."
            )
        return y

    def _signature(self) -> Signature:
        return signature_of(getattr(self.layer.call, "__func__", self.layer.call))

    def _check_mask(self, inputs: Any, mask: Any) -> None:
        given, wanted = known_shape(mask.shape), known_shape(inputs.shape)[:2]
        fits = len(given) >= 2 and all(
            a is None or b is None or a == b for a, b in zip(given, wanted, strict=False)
        )
        if not fits:
            raise ShapeError(
                f"The `mask` passed to the `TimeDistributed` layer '{self.name}' has a shape {given} that is "
                "incompatible with the input: it must have at least two dimensions, and the first two must "
                f"be those of the input. Expected mask shape prefix: {wanted}."
            )

    def compute_output_shape(self, input_shape: Any) -> Any:
        y = self.layer.compute_output_shape(self._step_shape(input_shape))
        return (y[0], input_shape[1], *y[1:])


def _joined(x: Any) -> Any:
    """Samples and steps as one axis."""
    return ops.reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:]))


def _swapped(x: Any) -> Any:
    """Steps before samples, and back."""
    return ops.transpose(x, (1, 0, *range(2, len(x.shape))))


def treats_samples_alone(layer: Layer, training: bool) -> bool:
    """Is it sure that a sample's output depends on no other sample, and that calls leave nothing behind?"""
    for inner in layer._flatten_layers():
        if type(inner).__module__.partition(".")[0] != "kcompile" or isinstance(inner, Lambda):
            return False
        if getattr(inner, "stateful", False) or (training and inner._non_trainable_variables):
            return False
        if 0 in _axes(getattr(inner, "axis", None)):
            return False
        if any(not isinstance(one, Layer) for one in getattr(inner, "operations", ())):
            return False
    return True


def _axes(axis: Any) -> tuple[Any, ...]:
    return tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)
