"""Models made of the calls between placeholders: `Model(inputs, outputs)`."""

from __future__ import annotations

import warnings
from typing import Any

from kcompile import ops
from kcompile.core import dtypes, registry, tree
from kcompile.core.dtypes import is_text
from kcompile.core.errors import ShapeError
from kcompile.layers.core.input_layer import InputLayer
from kcompile.layers.input_spec import InputSpec, check_inputs
from kcompile.layers.layer import Layer
from kcompile.models.call_graph import CallGraph, cut_at
from kcompile.models.functional_config import config_of_graph
from kcompile.models.host_stage import HostStage, Staged, caller, fitted_dtype, host_array, stage_of
from kcompile.models.inputs import flat_inputs
from kcompile.models.model import Model
from kcompile.trace.keras_tensor import KerasTensor, known_shape
from kcompile.trace.masks import set_mask


class Functional(Model):
    """A model of layers and ops, given by its inputs and outputs: tensors, or structures of them."""

    _inputs_struct: Any
    _outputs_struct: Any
    _graph: CallGraph
    _convert_input_args = False  # they take the dtypes of their placeholders

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any):
        trainable = kwargs.pop("trainable", None)
        _check_placeholders("inputs", inputs)
        _check_placeholders("outputs", outputs)
        for what, structure in (("inputs", inputs), ("outputs", outputs)):
            if not tree.flatten(structure):
                raise ValueError(f"`{what}` of a model cannot be empty. Received: {what}={structure}")
        _warn_of_names(inputs)
        if not all(_is_input(x) for x in tree.flatten(inputs)):
            fresh, cut = cut_at(tree.flatten(inputs), tree.flatten(outputs), _input)
            inputs, outputs = tree.pack_as(inputs, fresh), tree.pack_as(outputs, cut)
        self._initialize(name=name, **kwargs)
        graph = CallGraph(tree.flatten(inputs), tree.flatten(outputs))
        self.__dict__.update(_inputs_struct=inputs, _outputs_struct=outputs, _graph=graph)
        if trainable is not None:
            self.trainable = trainable  # before it has layers: each of them keeps what it says of itself
        self._take_layers()

    def _take_layers(self) -> None:
        for operation in self._graph.operations:
            if isinstance(operation, Layer):
                self._tracker.add(operation)
        self.__dict__["built"] = True

    # --- inputs and outputs ---------------------------------------------------------------------------------

    @property
    def inputs(self) -> list[KerasTensor]:
        """The input placeholders as a flat list; dicts in the order of their sorted keys."""
        return self._graph.inputs

    @property
    def outputs(self) -> list[KerasTensor]:
        return self._graph.outputs

    @property
    def input(self) -> Any:
        return self._inputs_struct

    @property
    def output(self) -> Any:
        return self._outputs_struct

    @property
    def input_shape(self) -> Any:
        return _one_or_all([x.shape for x in self.inputs])

    @property
    def output_shape(self) -> Any:
        return _one_or_all([x.shape for x in self.outputs])

    @property
    def input_names(self) -> list[str]:
        return [x._keras_history[0].name for x in self.inputs]

    @property
    def output_names(self) -> list[str]:
        return [x._keras_history[0].name for x in self.outputs]

    @property
    def operations(self) -> list[Any]:
        """Layers and ops of the model, from the inputs on."""
        return list(self._graph.operations)

    def _layers_directly_inside(self) -> list[Layer]:
        return [op for op in self._graph.operations if isinstance(op, Layer)]

    @property
    def input_spec(self) -> Any:
        if "_manual_input_spec" in self.__dict__:
            return self.__dict__["_manual_input_spec"]
        names = self.input_names
        if isinstance(self._inputs_struct, dict):
            if any(isinstance(x, (list, tuple, dict)) for x in self._inputs_struct.values()):
                return None  # `call` compares the structures
            names = sorted(self._inputs_struct)
        return [
            InputSpec(
                shape=(None, *x.shape[1:]),
                allow_last_axis_squeeze=True,
                name=name,
                optional=x._keras_history[0].optional,
            )
            for x, name in zip(self.inputs, names, strict=True)
        ]

    @input_spec.setter
    def input_spec(self, value: Any) -> None:
        self.__dict__["_manual_input_spec"] = value

    # --- calling --------------------------------------------------------------------------------------------

    def call(self, inputs: Any, training: Any = None, mask: Any = None, **kwargs: Any) -> Any:
        if isinstance(inputs, Staged) and (stage := self._host_stage()) is not None:
            return self._packed(stage.finish(inputs, training))
        tensors = [self._fitted(x, wanted) for x, wanted in zip(self._flat(inputs), self.inputs, strict=True)]
        for x, m in zip(tensors, tree.flatten(mask), strict=False):
            if m is not None:
                set_mask(x, m)
        return self._packed(self._graph.run(tensors, caller(training)))

    def _packed(self, results: list[Any]) -> Any:
        """Results in the structure of the outputs; one alone, without its list."""
        outputs = tree.pack_as(self._outputs_struct, results)
        return outputs[0] if isinstance(outputs, (list, tuple)) and len(outputs) == 1 else outputs

    def add_loss(self, loss: Any) -> None:
        raise NotImplementedError(
            f"add_loss() of the functional model '{self.name}' is not supported: a layer may call it in its "
            "call()."
        )

    def compute_output_spec(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if not any(getattr(x, "dtype", None) == dtypes.STRING for x in tree.flatten(inputs)):
            found = super().compute_output_spec(inputs, training=training, mask=mask)
            return tree.pack_as(self._outputs_struct, tree.flatten(found))  # a list of one stays a list here
        specs = self._graph.run(
            self._flat(inputs), lambda operation, a, k: operation.compute_output_spec(*a, **k)
        )
        return tree.pack_as(self._outputs_struct, specs)

    def _inner_calls(self) -> CallGraph:
        return self._graph

    def _host_stage(self) -> HostStage | None:
        if "_stage" not in self.__dict__:
            self.__dict__["_stage"] = stage_of(self._graph)
        return self.__dict__["_stage"]

    def _host_stage_for(self, x: Any) -> HostStage | None:
        return self._host_stage()

    def _on_host(self, x: Any) -> Any:
        stage = self._host_stage()
        if stage is None or isinstance(x, Staged):
            return x
        check_inputs(self.input_spec, tree.map_structure(host_array, x), self.name)
        return stage(
            [self._fitted(host_array(a), w) for a, w in zip(self._flat(x), self.inputs, strict=True)]
        )

    def _makes_text(self) -> bool:
        return any(x.dtype == dtypes.STRING for x in self.outputs)

    def _placeholders(self, x: Any) -> Any:
        stage = self._host_stage()
        return stage.inputs if stage is not None and isinstance(x, Staged) else self.inputs

    def _flat(self, inputs: Any) -> list[Any]:
        return flat_inputs(inputs, self._inputs_struct, self.input_names, self.name)

    def _fitted(self, x: Any, wanted: KerasTensor) -> Any:
        """An input in the dtype of its placeholder, and with a last axis of size 1 added or taken away."""
        if x is None:
            return None
        rank, target = len(x.shape), len(wanted.shape)
        if rank == target + 1 and x.shape[-1] == 1:
            x = x[..., 0] if is_text(x) else ops.squeeze(x, -1)
        elif rank == target - 1 and wanted.shape[-1] == 1:
            x = x[..., None] if is_text(x) else ops.expand_dims(x, -1)
        elif rank != target:
            raise ShapeError(
                f"Invalid input shape for '{wanted._keras_history[0].name}' of model '{self.name}'. "
                f"Expected shape {wanted.shape}, but input has incompatible shape {known_shape(x.shape)}"
            )
        return fitted_dtype(x, wanted)

    def build(self, input_shape: Any = None) -> None:
        """Functional models are built when they are made."""

    def get_build_config(self) -> dict[str, Any] | None:
        return {"input_shape": None}

    # --- config ---------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        if not self._is_plain():
            return super().get_config()
        return {"name": self.name, "trainable": self.trainable, **config_of_graph(self)}


registry.publish("keras.src.models.functional", {"Functional": Functional})


def _one_or_all(shapes: list[Any]) -> Any:
    return shapes[0] if len(shapes) == 1 else shapes


def _check_placeholders(what: str, structure: Any) -> None:
    for x in tree.flatten(structure):
        if not isinstance(x, KerasTensor):
            raise ValueError(
                f"All `{what}` values must be KerasTensors. Received: {what}={structure} including invalid "
                f"value {x} of type {type(x)}"
            )


def _is_input(x: KerasTensor) -> bool:
    return isinstance(x._keras_history[0], InputLayer)


def _input(shape: Any, dtype: str, name: str) -> KerasTensor:
    return InputLayer(batch_shape=shape, dtype=dtype, name=name).output


def _warn_of_names(inputs: Any) -> None:
    """A dict of inputs should be keyed by their names: that is how data and configs address them."""
    for key, x in inputs.items() if isinstance(inputs, dict) else ():
        name = x._keras_history[0].name if isinstance(x, KerasTensor) and x._keras_history[0] else key
        if name != key:
            warnings.warn(
                f"The input with the key '{key}' has the name '{name}'. Give it the same name: "
                f"Input(..., name='{key}').",
                stacklevel=4,
            )
