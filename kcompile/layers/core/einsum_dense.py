"""EinsumDense."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from kcompile import initializers, ops
from kcompile.activations import activated
from kcompile.core.errors import ShapeError
from kcompile.core.signatures import arguments_of
from kcompile.layers.configured import placed, serialized
from kcompile.layers.core.quantized_kernel import QuantizedKernel
from kcompile.layers.input_spec import InputSpec
from kcompile.trace.keras_tensor import KerasTensor

Shape = tuple[int | None, ...]
FORMS = (
    re.compile(r"(?P<x>[a-zA-Z]+),(?P<kernel>[a-zA-Z]+)->(?P<y>[a-zA-Z]+)"),
    re.compile(r"(?P<left>\.\.\.)(?P<x>[a-zA-Z]+),(?P<kernel>[a-zA-Z]+)->\.\.\.(?P<y>[a-zA-Z]+)"),
    re.compile(r"(?P<x>[a-zA-Z]{2,})\.\.\.,(?P<kernel>[a-zA-Z]+)->(?P<y>[a-zA-Z]+)\.\.\."),
)


class EinsumDense(QuantizedKernel):
    """activation(einsum(equation, inputs, kernel) + bias).

    Shapes:  by the equation: "ab,bc->ac", or with the same dimensions elided on both sides, "...ab,bc->...ac"
             or "ab...,bc->ac...".
    Args:    output_shape: sizes of the output's letters after the first (after what is elided); None where
             they are those of the inputs. bias_axes: the output's letters along which a bias is added.
             lora_rank: build the layer with `enable_lora(lora_rank)`. quantization_config: quantizers for a
             layer that is made with a quantized policy.

    >>> import numpy as np
    >>> layer = EinsumDense("...x,xy->...y", output_shape=4, bias_axes="y")
    >>> layer(np.ones((2, 3, 5), "float32")).shape, layer.kernel.shape
    ((2, 3, 4), (5, 4))
    """

    equation: str
    bias_axes: str | None
    activation: Any
    kernel_initializer: Any
    _quantizes = True

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: Any = None,
        lora_alpha: Any = None,
        gptq_unpacked_column_size: Any = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ):
        given = arguments_of(locals())
        super().__init__(**kwargs)
        self.set_lora(given.pop("lora_rank"), given.pop("lora_alpha"))
        self.quantization_config = given.pop("quantization_config")
        self.gptq_unpacked_column_size = given.pop("gptq_unpacked_column_size")
        shape = given.pop("output_shape")
        self.partial_output_shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.configure(given)
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        found = _Shapes.of(self.equation, self.bias_axes, tuple(input_shape), self.partial_output_shape)
        self.input_spec = InputSpec(ndim=len(input_shape))
        mode = self.quantization_mode
        if mode is not None:
            self.quantized_build(found.kernel, mode, self.quantization_config)
        if mode in (None, "float8"):
            start = self._with_axes(found)
            self._kernel = self.add_configured_weight("kernel", found.kernel, initializer=start)
        if found.bias is not None:
            self.bias = self.add_configured_weight("bias", found.bias)
        if self.lora_rank:
            self.enable_lora(self.lora_rank, lora_alpha=self.lora_alpha)

    @property
    def kernel(self) -> Any:
        """The kernel, with the update of LoRA; ints where it is quantized."""
        return self._effective()

    def _with_axes(self, found: _Shapes) -> Any:
        """The kernel's initializer, told which axes of the kernel are inputs and which outputs."""
        given = self.kernel_initializer
        if not isinstance(given, initializers.VarianceScaling) or None not in (
            given.input_axes,
            given.output_axes,
        ):
            return given
        axes = {"input_axes": found.input_axes, "output_axes": found.output_axes}
        return type(given).from_config({**given.get_config(), "seed": given.seed, **axes})

    def call(self, inputs: Any, training: Any = None) -> Any:
        y = ops.einsum(self.equation, inputs, self.kernel)
        return activated(y if self.bias is None else y + self.bias, self.activation)

    def _product(self, inputs: Any, kernel: Any) -> Any:
        return ops.einsum(self.equation, inputs, kernel)

    def _pulled(self, upstream: Any, kernel: Any) -> Any:
        x, weight, y = re.split(",|->", self.equation.replace(" ", ""))
        return ops.einsum(f"{y},{weight}->{x}", upstream, kernel)

    @property
    def _spelled(self) -> tuple[str, str, str]:
        """A letter for each axis of inputs, kernel and output; digits for those that the equation elides."""
        x, kernel, y, left = _letters(self.equation)
        elided = "".join(map(str, range(self.input_spec.ndim - len(x))))
        return (elided + x, kernel, elided + y) if left else (x + elided, kernel, y + elided)

    def _axes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        x, kernel, y = self._spelled
        return (
            tuple(k for k, c in enumerate(x) if c not in y),
            tuple(k for k, c in enumerate(kernel) if c not in y),
        )

    def _output_scale(self, scale: Any, of: str) -> Any:
        x, kernel, y = self._spelled
        return _aligned(scale, kernel if of == "kernel" else x, y)

    def _kernel_scale(self, scale: Any) -> Any:
        _, kernel, y = self._spelled
        return _aligned(scale, y, kernel)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return _Shapes.of(self.equation, self.bias_axes, tuple(input_shape), self.partial_output_shape).output

    def compute_output_spec(self, inputs: Any, training: Any = None) -> Any:
        return KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        penalty = serialized(self, ("activity_regularizer",))["activity_regularizer"]
        config = placed(super().get_config(), "activity_regularizer", penalty, before="kernel_constraint")
        return placed(config, "output_shape", self.partial_output_shape, before="equation")


def _aligned(array: Any, letters: str, wanted: str) -> Any:
    """An array whose axes have these letters with the axes of others: what is not among them has size 1."""
    kept = [k for k, c in enumerate(letters) if c in wanted]
    array = ops.squeeze(array, axis=tuple(k for k in range(len(letters)) if k not in kept))
    names = [letters[k] for k in kept]
    array = ops.transpose(array, [names.index(c) for c in wanted if c in names])
    return ops.expand_dims(array, tuple(k for k, c in enumerate(wanted) if c not in names))


@dataclass(frozen=True)
class _Shapes:
    """Shapes of kernel, bias (None without one) and output, and which axes of the kernel are which."""

    kernel: Shape
    bias: Shape | None
    output: Shape
    input_axes: list[int]
    output_axes: list[int]

    @classmethod
    def of(cls, equation: str, bias_axes: str | None, input_shape: Shape, given: Shape) -> _Shapes:
        """Raises:  ValueError for an equation of another form, and where it does not fit the shapes."""
        x, kernel, y, left = _letters(equation)
        elided = max(len(input_shape) - len(x), 0)
        output = (*input_shape[: max(elided, 1) if left else 1], *given)
        if not left and elided:
            output += input_shape[-elided:]
        offset = elided if left else 0
        inputs = dict(zip(x, input_shape[offset:], strict=False))
        outputs = dict(zip(y, output[offset:], strict=False))
        _check_letters(x, kernel, y, inputs, outputs)
        return cls(
            tuple(outputs.get(c, inputs.get(c)) for c in kernel),
            None if bias_axes is None else _bias_shape(bias_axes, y, outputs, 0 if left else elided),
            output,
            [k for k, c in enumerate(kernel) if c not in outputs],
            [k for k, c in enumerate(kernel) if c in outputs],
        )


def _letters(equation: str) -> tuple[str, str, str, bool]:
    """Letters of inputs, kernel and output; whether the first dimensions are elided."""
    for form in FORMS:
        match = form.match(equation.replace(" ", ""))
        if match:
            return match["x"], match["kernel"], match["y"], "left" in match.groupdict()
    raise ValueError(
        f"Invalid einsum equation '{equation}'. Equations must be in the form [X],[Y]->[Z], "
        "...[X],[Y]->...[Z], or [X]...,[Y]->[Z]...."
    )


def _check_letters(x: str, kernel: str, y: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> None:
    for c in x:
        if outputs.get(c) is not None and outputs[c] != inputs.get(c):
            raise ShapeError(
                f"Input shape and output shape do not match at shared dimension '{c}'. Input shape is "
                f"{inputs.get(c)}, and output shape is {outputs[c]}."
            )
    for c in y:
        if c not in x and c not in kernel:
            raise ShapeError(
                f"Dimension '{c}' was specified in the output '{y}' but has no corresponding dim in the "
                f"input spec '{x}' or weight spec '{kernel}'"
            )
    for c in kernel:
        if c not in outputs and c not in inputs:
            raise ShapeError(
                f"Weight dimension '{c}' did not have a match in either the input spec '{x}' or the output "
                f"spec '{y}'. For this layer, the weight must be fully specified."
            )


def _bias_shape(bias_axes: str, y: str, outputs: dict[str, Any], elided: int) -> Shape:
    for c in bias_axes:
        if c not in y:
            raise ShapeError(f"Bias dimension '{c}' was requested, but is not part of the output spec '{y}'")
    first = min(y.index(c) for c in bias_axes)
    return tuple(outputs[c] if c in bias_axes else 1 for c in y[first:]) + (1,) * elided
