"""`Model`: a layer that can be trained, saved and summarized."""

from __future__ import annotations

import inspect
import os
import warnings
from typing import Any

import numpy as np

from kcompile.core import registry, tree
from kcompile.core.dtypes import is_text
from kcompile.core.errors import UnknownObjectError, message
from kcompile.layers.building import as_shapes, placeholders, remembers_build
from kcompile.layers.call_spec import CallSpec
from kcompile.layers.layer import Layer
from kcompile.models.compiled_call import CompiledCalls, as_array
from kcompile.quantizers.config import is_chosen
from kcompile.trace.operation import is_default
from kcompile.training.extents import leaves_of
from kcompile.training.trainer import Trainer


class Model(Trainer, Layer):
    """A functional model, `Model(inputs, outputs)`, or the base of a user's own with `__init__` and `call`.

    Called on arrays, a model runs its compiled program; inside a trace or on placeholders it is a layer.

    >>> import numpy as np
    >>> from kcompile import layers
    >>> class Twice(Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.inner = layers.Dense(1, kernel_initializer="ones")
    ...     def call(self, inputs):
    ...         return self.inner(inputs) * 2
    >>> Twice()(np.ones((1, 3), "float32")).tolist()
    [[6.0]]
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and _is_functional(args, kwargs):
            from kcompile.models.functional import Functional

            return super().__new__(Functional, *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any):
        if _is_functional(args, kwargs):  # a user's class over inputs and outputs
            from kcompile.models.functional import Functional

            _derive_from(type(self), Functional)
            Functional.__init__(self, *args, **kwargs)  # type: ignore[arg-type]
        else:
            self._initialize(*args, **kwargs)

    def _initialize(self, *args: Any, **kwargs: Any) -> None:
        Layer.__init__(self, *args, **kwargs)

    # --- calling --------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        calls: CompiledCalls | None = self.__dict__.get("_calls")
        if calls is not None and not kwargs and len(args) == 1 and type(args[0]) is np.ndarray:
            run = calls.known(args[0])
            if run is not None:
                return run(args[0])
        outputs = self._call_anew(args, kwargs)
        if self.__dict__.pop("_built_by_call", False):
            self._tracker.locked = True  # what a call builds, it may make; then it is all there
        return outputs

    def _call_anew(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        args = tuple(tree.map_structure(as_array, list(args)))
        compiled = len(args) == 1 and kwargs.keys() <= {"training"} and not self._makes_text()
        if compiled and CompiledCalls.apply_to(self, args[0]):
            inputs = self._on_host(args[0])
            if not any(
                map(is_text, leaves_of(inputs))
            ):  # else a model of one's own, whose call is not taken apart
                return self._run_compiled(inputs, kwargs.get("training"))
        return super().__call__(*args, **kwargs)

    def _run_compiled(self, inputs: Any, training: bool | None = None) -> Any:
        """The outputs for arrays, by the program compiled for their dtypes and shapes and any batch size."""
        if "_calls" not in self.__dict__:
            self.__dict__["_calls"] = CompiledCalls(self)
        return self.__dict__["_calls"](inputs, training)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """None: the layers inside give the outputs their masks."""
        return None

    def call(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"Model {type(self).__name__} does not have a `call()` method implemented.")

    def build_from_config(self, config: dict[str, Any] | None) -> None:
        """Build as `get_build_config` says; a model without a `build` by a call on placeholders."""
        if config and "input_shape" in config and is_default(self.build):
            self._build_by_call(config["input_shape"])
        else:
            super().build_from_config(config)

    @remembers_build
    def _build_by_call(self, input_shape: Any) -> None:
        self.__dict__["built"] = True
        self.compute_output_spec(placeholders(as_shapes(input_shape), self.compute_dtype))

    def _maybe_build(self, spec: CallSpec) -> None:
        if not self.built and is_default(self.build):
            first = next(iter(spec.shapes().values()), None)
            self.__dict__["_called_with"] = spec.placeholders()
            self.__dict__.update(
                built=True, _built_by_call=True, _build_shapes={"input_shape": first}
            )  # the call builds what is inside
            self._note_shapes(spec)
        super()._maybe_build(spec)

    # --- layers ---------------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers directly inside."""
        return self._layers_directly_inside()

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError(
            "`Model.layers` attribute is reserved and should not be used. Please use another name."
        )

    def _layers_directly_inside(self) -> list[Layer]:
        return self._flatten_layers(include_self=False, recursive=False)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by its name or its position."""
        if (name is None) == (index is None):
            wanted = (
                "Provide either a layer name or layer index" if name is None else "Provide only one of them"
            )
            raise ValueError(f"{wanted} at `get_layer`. Received: index={index}, name={name}.")
        if index is not None:
            if len(self.layers) <= index:
                raise ValueError(
                    f"Was asked to retrieve layer at index {index} but model only has {len(self.layers)} "
                    "layers."
                )
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(
            f"No such layer: {name}. Existing layers are: {[layer.name for layer in self.layers]}."
        )

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print the layers with their output shapes and numbers of parameters.

        Args:    positions: relative or absolute ends of the columns. print_fn: gets the text instead of
                 standard output. expand_nested: show the layers of nested models. layer_range: names (or
                 patterns of names) of the first and last layer to show.
        """
        from kcompile.models.summary import print_summary

        print_summary(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, Any]:
        """All numbers of the model, its optimizer and its metrics as nested dicts.

        Args:    value_format: "backend_tensor" or "numpy_array"; both give NumPy arrays, copies.
        Returns: {"trainable_variables", "non_trainable_variables", "optimizer_variables",
                 "metrics_variables"}, each by the parts of the variables' paths.
        """
        from kcompile.models.state_tree import get_state_tree

        return get_state_tree(self, value_format)

    def set_state_tree(self, state_tree: dict[str, Any]) -> None:
        """Assign what `get_state_tree` returned, or a part of it."""
        from kcompile.models.state_tree import set_state_tree

        set_state_tree(self, state_tree)

    # --- files ----------------------------------------------------------------------------------------------

    def save(self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any) -> None:
        """Save architecture, weights, optimizer and compile settings to a `.keras` file."""
        from kcompile.saving import save_model

        save_model(self, filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_weights(self, filepath: Any, overwrite: bool = True, max_shard_size: Any = None) -> None:
        """Save the weights to a `.weights.h5` file."""
        from kcompile.saving import save_weights

        save_weights(self, filepath, overwrite=overwrite, max_shard_size=max_shard_size)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
        """Load weights from a `.weights.h5` or `.keras` file."""
        from kcompile.saving import load_weights

        load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)

    def _save_training(self, path: str, between: bool) -> None:
        """Save weights and all else that `fit` needs to go on from here. between: an epoch has ended.

        Weights alone where it is not `fit` that calls the callbacks, but a loop of one's own.
        """
        from kcompile.saving.backup import save_training

        progress = self._training.progress
        save_training(self, path, *(progress.notes(between) if progress is not None else (None, {})))

    def _load_training(self, path: str) -> int | None:
        """Load what `_save_training` saved: the number of the epoch with which `fit` goes on, None if the
        file holds weights alone.
        """
        from kcompile.saving.backup import load_training

        progress = self._training.progress
        if progress is not None:
            progress.trace()
        elif self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        found = load_training(self, path)
        return None if found is None or progress is None else progress.resume(*found)

    def export(self, filepath: str | os.PathLike[str], format: str = "onnx", **kwargs: Any) -> None:
        """Write the model as an ONNX file."""
        from kcompile.export import export_model

        export_model(self, filepath, format=format, **kwargs)

    def quantize(  # type: ignore[override]
        self, mode: Any = None, config: Any = None, filters: Any = None, **kwargs: Any
    ) -> None:
        """Quantize the weights of all layers inside that can be; the others warn.

        Args:    mode: "int8", "int4" or "float8", or the config alone. config: a
                 `quantizers.QuantizationConfig`. filters: a pattern of layers' names, several, or a function
                 of a layer that says whether to quantize it. type_check: refuse subclasses of the library's
                 layers (the default).
        Raises:  ValueError for a model that is not built, and for wrong arguments.
        """
        type_check = kwargs.pop("type_check", True)
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments passed to {type(self).__name__}: {kwargs}")
        if filters is not None and not (isinstance(filters, (str, list, tuple)) or callable(filters)):
            raise ValueError(
                "The `filters` argument must be a regex string, a list of regex strings, or a callable. "
                f"Received: {type(filters)}"
            )
        for layer in self._flatten_layers():
            if len(layer._flatten_layers()) == 1 and is_chosen(layer, filters):
                try:
                    layer.quantize(mode, type_check=type_check, config=config)
                except NotImplementedError as error:
                    warnings.warn(str(error), stacklevel=3)

    def get_quantization_layer_structure(self, mode: Any = None) -> Any:
        """None: modes that calibrate blocks of layers with data would ask a model for these."""
        return None

    def explain(self, **kwargs: Any) -> Any:
        """Print the graph before and after the passes and the kernels it became, or write them as a page
        (`html="report.html"`); see `kcompile.explain.explain`.
        """
        from kcompile.explain import explain

        return explain(self, **kwargs)

    def to_json(self, **kwargs: Any) -> str:
        """The architecture as JSON, for `models.model_from_json`."""
        import json

        from kcompile.core.serialization import serialize_keras_object

        return json.dumps(serialize_keras_object(self), **kwargs)

    @classmethod
    def _is_plain(cls) -> bool:
        """Can the model be made from inputs and outputs alone? Where its constructor takes what theirs takes,
        or anything, as Keras asks; it hands that on.
        """
        wanted = inspect.getfullargspec(cls.__init__)
        takes_all = wanted.varargs is not None and wanted.varkw is not None
        return takes_all or wanted.args[1:] == ["inputs", "outputs", "name"]

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """A model from what `get_config` returned."""
        if {"layers", "input_layers", "output_layers"} <= config.keys() and cls._is_plain():
            from kcompile.models.functional_config import graph_from_config

            inputs, outputs = graph_from_config(config, custom_objects)
            return cls(inputs, outputs, name=config.get("name"), trainable=config.get("trainable"))
        with registry.CustomObjectScope(custom_objects):
            try:
                return cls(**config)
            except UnknownObjectError:
                raise
            except TypeError as error:
                hint = "`get_config()` must return everything that the constructor takes, and nothing else"
                text = message(
                    f"Unable to revive model {cls.__name__} from its config.", received=f"{config}", hint=hint
                )
                raise TypeError(f"{text}\n  error     {error}") from error


registry.publish("keras", {"Model": Model})


def _is_functional(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return (
        len(args) == 2 or (len(args) == 1 and "outputs" in kwargs) or {"inputs", "outputs"} <= kwargs.keys()
    )


def _derive_from(cls: type, functional: type) -> None:
    """Put `functional` between a user's class and Model: it is called as its inputs and outputs say."""
    if issubclass(cls, functional):
        return
    if Model in cls.__bases__:
        cls.__bases__ = tuple(functional if base is Model else base for base in cls.__bases__)
        return
    for base in cls.__bases__:
        if issubclass(base, Model):
            _derive_from(base, functional)
