"""`keras.Function`: the calls between placeholders as one operation, without a layer's weights."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core import tree
from kcompile.models.call_graph import CallGraph
from kcompile.trace.keras_tensor import KerasTensor, infer_output
from kcompile.trace.operation import Operation
from kcompile.tree import map_shape_structure


class Function(Operation):
    """What leads from input placeholders to outputs, to be applied to other tensors.

    Args:    inputs, outputs: placeholders (KerasTensor), or structures of them.
    Raises:  ValueError if one of them is empty, or an output does not depend on the inputs alone.

    >>> x = KerasTensor((None, 2))
    >>> Function(x, ops.sum(x * 2, axis=1))(ops.array([[1.0, 2.0]])).tolist()
    [6.0]
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None):
        super().__init__(name=name)
        for what, structure in (("inputs", inputs), ("outputs", outputs)):
            if not tree.flatten(structure):
                raise ValueError(
                    f"`{what}` argument cannot be empty. Received:\ninputs={inputs}\noutputs={outputs}"
                )
        self._inputs_struct, self._outputs_struct = inputs, outputs
        self._graph = CallGraph(tree.flatten(inputs), tree.flatten(outputs))

    @property
    def inputs(self) -> list[Any]:
        """The input placeholders as a flat list."""
        return self._graph.inputs

    @property
    def outputs(self) -> list[Any]:
        """The output placeholders as a flat list."""
        return self._graph.outputs

    @property
    def operations(self) -> list[Any]:
        """Layers and ops, from the inputs on."""
        return list(self._graph.operations)

    def call(self, inputs: Any) -> Any:
        """The outputs for other inputs, in the structure of `outputs`."""
        tensors = tree.flatten(inputs)
        if len(tensors) != len(self.inputs):
            raise ValueError(
                f'Function "{self.name}" expects {len(self.inputs)} input(s). Received: {len(tensors)}'
            )
        tensors = [
            ops.convert_to_tensor(x, wanted.dtype) for x, wanted in zip(tensors, self.inputs, strict=True)
        ]
        results = self._graph.run(tensors, lambda operation, args, kwargs: operation(*args, **kwargs))
        return tree.pack_as(self._outputs_struct, results)

    def compute_output_spec(self, inputs: Any) -> Any:
        """Placeholders for the outputs of placeholders."""
        return infer_output(self.call, inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes of the outputs for the shapes of the inputs."""
        shapes: list[Any] = []
        map_shape_structure(shapes.append, input_shape)
        inputs = [KerasTensor(s, x.dtype) for s, x in zip(shapes, self.inputs, strict=True)]
        return tree.map_structure(lambda x: x.shape, self.compute_output_spec(inputs))
