"""SpectralNormalization."""

from __future__ import annotations

from typing import Any

from kcompile import initializers, ops
from kcompile.core import dtypes
from kcompile.layers.core.wrapper import Wrapper
from kcompile.layers.input_spec import InputSpec
from kcompile.layers.layer import Layer


class SpectralNormalization(Wrapper):
    """Divides a layer's kernel (or embeddings) by its largest singular value, at each call in training.

    The singular value comes from a power iteration that goes on from call to call in the weight `vector_u`.
    The kernel counts as a matrix with its last axis as columns.

    Args:    power_iterations: steps of the power iteration in a call.
    Raises:  ValueError for a layer without `kernel` and `embeddings`.
    Source:  Miyato et al. 2018, "Spectral normalization for generative adversarial networks".
    """

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Any):
        super().__init__(layer, **kwargs)
        if power_iterations <= 0:
            raise ValueError(
                "`power_iterations` should be greater than zero. Received: "
                f"`power_iterations={power_iterations}`"
            )
        self.power_iterations = power_iterations

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        found = [name for name in ("kernel", "embeddings") if hasattr(self.layer, name)]
        if not found:
            raise ValueError(
                f"{type(self.layer).__name__} object has no attribute 'kernel' nor 'embeddings' (layer "
                f"'{self.layer.name}' in '{self.name}')"
            )
        self.kernel = getattr(self.layer, found[0])
        self.vector_u = self.add_weight(
            name="vector_u",
            shape=(1, self.kernel.shape[-1]),
            initializer=initializers.TruncatedNormal(stddev=0.02),
            trainable=False,
            dtype=self.kernel.dtype,
        )

    def call(self, inputs: Any, training: Any = False) -> Any:
        if training:
            u, kernel = self.normalized_weights()
            self.vector_u.assign(u)
            self.kernel.assign(kernel)
        y = self.layer(inputs)
        # Keras casts to the dtype of any inputs, which would round the rows of an embedding to ints.
        return ops.cast(y, inputs.dtype) if dtypes.is_float(dtypes.standardize(inputs.dtype)) else y

    def normalized_weights(self) -> tuple[Any, Any]:
        """`vector_u` and the kernel after `power_iterations` steps; a kernel of zeros changes neither."""
        kernel, start = self.kernel.value, self.vector_u.value
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        u = start
        for _ in range(self.power_iterations):
            v = ops.normalize(ops.matmul(u, ops.transpose(matrix)), axis=None)
            u = ops.normalize(ops.matmul(v, matrix), axis=None)
        u, v = ops.stop_gradient(u), ops.stop_gradient(v)
        sigma = ops.matmul(ops.matmul(v, matrix), ops.transpose(u))
        empty = ops.all(ops.equal(kernel, 0))
        sigma = ops.where(empty, 1.0, sigma)  # no division by zero, not even in a gradient
        scaled = ops.reshape(ops.reshape(kernel, matrix.shape) / sigma, kernel.shape)
        return ops.where(empty, start, u), ops.cast(scaled, self.kernel.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "power_iterations": self.power_iterations}
