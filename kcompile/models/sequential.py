"""Models in which each layer's output is the next one's input."""

from __future__ import annotations

from typing import Any

from kcompile.core import dtypes, registry
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.layers import state
from kcompile.layers.building import are_shapes, as_shapes, is_shape
from kcompile.layers.core.input_layer import InputLayer
from kcompile.layers.layer import Layer
from kcompile.models.functional import Functional
from kcompile.models.host_stage import host_array
from kcompile.models.model import Model
from kcompile.trace.keras_tensor import KerasTensor
from kcompile.trace.naming import auto_name


class Sequential(Model):
    """A stack of layers, built when its input shape is known: from an `Input`, `build` or a first call.

    >>> from kcompile import layers
    >>> model = Sequential([layers.Input((4,)), layers.Dense(2), layers.Dense(1)])
    >>> model.output_shape, len(model.layers)
    ((None, 1), 2)
    """

    _stack: list[Layer]
    _functional: Functional | None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        instance = super().__new__(cls, *args, **kwargs)
        instance.__dict__.update(_stack=[], _functional=None)
        return instance

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None, **kwargs: Any):
        self._initialize(trainable=trainable, name=name, **kwargs)
        if layers is not None:
            for layer in layers if isinstance(layers, (list, tuple)) else [layers]:
                self.add(layer, rebuild=False)
            self._maybe_rebuild()

    # --- the stack ------------------------------------------------------------------------------------------

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer on top.

        Raises:  ValueError for what is no layer, a name that is taken, or a second input.
        """
        if isinstance(layer, KerasTensor) and isinstance(layer._keras_history[0], InputLayer):
            layer = layer._keras_history[0]
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Only instances of `keras.Layer` can be added to a Sequential model. Received: {layer} (of "
                f"type {type(layer)})"
            )
        if not self._stack and layer._input_shape_arg is not None:
            self.add(InputLayer(shape=layer._input_shape_arg), rebuild=False)
        if any(known.name == layer.name and known is not layer for known in self._stack):
            raise ValueError(
                f"All layers added to a Sequential model should have unique names. Name '{layer.name}' is "
                "already the name of a layer in this model. Update the `name` argument to pass a unique "
                "name."
            )
        if isinstance(layer, InputLayer) and self._stack:
            self._refuse_input(layer)
        self._stack.append(layer)
        self._changed(rebuild)

    def _refuse_shape(self, shape: Any) -> None:
        raise ValueError(
            f"Sequential model '{self.name}' has already been configured to use input shape "
            f"{self._known_shape()}. You cannot build it with input_shape {shape}"
        )

    def _refuse_input(self, layer: InputLayer) -> None:
        first = self._stack[0]
        if isinstance(first, InputLayer):
            raise ValueError(
                f"Sequential model '{self.name}' has already been configured to use input shape "
                f"{first.batch_shape}. You cannot add a different Input layer to it."
            )
        raise ValueError(
            f"Sequential model '{self.name}' has layers already; an Input must be the first of them."
        )

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the layer on top away, and return it."""
        layer = self._stack.pop()
        self._tracker.remove(layer)
        self._changed(rebuild)
        return layer

    def _changed(self, rebuild: bool) -> None:
        self._tracker.locked = False
        self._tracker.stores["layers"][:] = list(self._stack)
        self.__dict__.update(built=False, _functional=None)
        state.changed()
        if rebuild:
            self._maybe_rebuild()

    def _maybe_rebuild(self, input_shape: Any = None) -> None:
        known = self._shape_of_first()
        if known is not None:
            self.build(known)
        elif input_shape is not None and self._stack and not isinstance(self._stack[0], InputLayer):
            self.build(input_shape)

    def _shape_of_first(self) -> Any:
        """The shape that the first of several layers knows: an input, or a model that is built."""
        if len(self._stack) < 2:
            return None
        first = self._stack[0]
        shape = first.batch_shape if isinstance(first, InputLayer) else getattr(first, "input_shape", None)
        return shape if is_shape(shape) else None

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input."""
        return [layer for layer in self._stack if not isinstance(layer, InputLayer)]

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError(
            "`Sequential.layers` attribute is reserved and should not be used. Use `add()` and `pop()` to "
            "change the layers in this model."
        )

    @property
    def input_dtype(self) -> str:
        """The dtype of the input layer, which need not be the one that the layers compute in."""
        first = self._stack[0] if self._stack else None
        return first.dtype if isinstance(first, InputLayer) else super().input_dtype

    # --- building and calling -------------------------------------------------------------------------------

    def build(self, input_shape: Any = None) -> None:
        """Make all weights, for inputs of this shape (batch included)."""
        shape = as_shapes(input_shape) if input_shape is not None else self._known_shape()
        if are_shapes(shape):
            return  # several inputs, which are no chain of placeholders: each layer builds in its call
        if not is_shape(shape):
            raise ValueError(
                f"Sequential model '{self.name}' takes one input; its shape must be a tuple. Received: "
                f"{shape}"
            )
        if not self._stack:
            raise ValueError(
                f"Sequential model {self.name} cannot be built because it has no layers. Call "
                "`model.add(layer)`."
            )
        first = self._stack[0]
        if not isinstance(first, InputLayer):
            first = InputLayer(batch_shape=shape, dtype=first.compute_dtype)
            self._stack.insert(0, first)
            self._tracker.stores["layers"].insert(0, first)
        elif first.batch_shape != shape:
            self._refuse_shape(shape)
        x = inputs = first.output
        for layer in self.layers:
            try:
                x = layer(x)
            except NotImplementedError:  # a layer whose call cannot be traced
                return
        auto_name("functional")  # Keras counts the functional model inside, though it bears this one's name
        self.__dict__["_functional"] = Functional(inputs, x, name=self.name)

    def _known_shape(self) -> Any:
        first = self._stack[0] if self._stack else None
        if isinstance(first, InputLayer):
            return first.batch_shape
        raise ValueError(
            f"You must provide an `input_shape` argument to build Sequential model '{self.name}'."
        )

    def call(self, inputs: Any, training: Any = None, mask: Any = None, **kwargs: Any) -> Any:
        if self._functional is not None:
            return self._functional.call(inputs, training=training, mask=mask)
        for layer in self.layers:
            more = {"training": training} if layer.call_has_training and training is not None else {}
            inputs = layer(inputs, **more)
        return inputs

    def compute_output_spec(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if self._functional is not None and getattr(inputs, "dtype", None) == dtypes.STRING:
            return self._functional.compute_output_spec(inputs, training=training, mask=mask)
        return super().compute_output_spec(inputs, training=training, mask=mask)

    # --- text: see Functional -------------------------------------------------------------------------------

    def _host_stage_for(self, x: Any) -> Any:
        if self._functional is None and not self.built:
            x = host_array(x) if hasattr(x, "__array__") else x
            if dtypes.is_text(x):
                self.build((None, *x.shape[1:]))
        return None if self._functional is None else self._functional._host_stage_for(x)

    def _on_host(self, x: Any) -> Any:
        return x if self._host_stage_for(x) is None else self._functional._on_host(x)  # type: ignore[union-attr]

    def _placeholders(self, x: Any) -> Any:
        return None if self._functional is None else self._functional._placeholders(x)

    def _makes_text(self) -> bool:
        return self._functional is not None and self._functional._makes_text()

    def _inner_calls(self) -> Any:
        """The calls inside, for a model around this one."""
        return None if self._functional is None else self._functional._graph

    def _flat(self, inputs: Any) -> list[Any]:
        return [inputs]

    @property
    def input_shape(self) -> Any:
        return self._of_functional("input_shape", "input shape")

    @property
    def output_shape(self) -> Any:
        return self._of_functional("output_shape", "output shape")

    @property
    def inputs(self) -> Any:
        return self._of_functional("inputs", "inputs")

    @property
    def outputs(self) -> Any:
        return self._of_functional("outputs", "outputs")

    def _of_functional(self, attribute: str, what: str) -> Any:
        if self._functional is None:
            raise AttributeError(f"Sequential model '{self.name}' has no defined {what} yet.")
        return getattr(self._functional, attribute)

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = as_shapes(input_shape)
        for layer in self.layers:
            shape = layer.compute_output_shape(shape)
        return shape

    # --- config ---------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        layers = [serialize_keras_object(layer) for layer in self._stack]
        config = {**Layer.get_config(self), "name": self.name, "layers": layers}
        if self._functional is not None:
            config["build_input_shape"] = self._functional.input_shape
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        shape = config.get("build_input_shape")
        settings = {k: config[k] for k in ("name", "trainable", "dtype") if k in config}
        model = cls(**settings)
        again = -1
        for data in config["layers"]:
            model.add(deserialize_keras_object(data, custom_objects), rebuild=False)
            again += model._shape_of_first() is not None
        for _ in range(again):  # Keras builds with each layer, and counts
            auto_name("functional")
        model._maybe_rebuild(None if shape is None else as_shapes(shape))
        return model


registry.publish("keras", {"Sequential": Sequential})
