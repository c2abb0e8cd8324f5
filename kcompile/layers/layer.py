"""The base of all layers: validates, builds and calls what a user's class says in `build` and `call`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from kcompile import constraints, dtype_policies, initializers, regularizers
from kcompile.core import dtypes, tree
from kcompile.core.callers import users_level
from kcompile.core.errors import ConfigError, message
from kcompile.ir.graph import set_origin
from kcompile.layers import call_context
from kcompile.layers.arguments import boolean
from kcompile.layers.building import (
    as_shapes,
    build_config,
    input_shape_of,
    outputs_of,
    placeholders,
    remembers_build,
    shapes_for,
    warn_of_unbuilt,
    weight_shape,
)
from kcompile.layers.call_spec import (
    CallSpec,
    check_positional,
    converted,
    is_as_it_is,
    is_tensor,
    shape_of,
    signature_of,
)
from kcompile.layers.input_spec import check_inputs
from kcompile.layers.locating import locate
from kcompile.layers.penalties import Penalized
from kcompile.layers.pickling import reduced
from kcompile.layers.quantizing import checks_quantize
from kcompile.layers.stateless import stateless_call
from kcompile.ops.guards import guard
from kcompile.ops.public import has_symbolic
from kcompile.trace import present_extents, tracer
from kcompile.trace.masks import mask_of, set_mask
from kcompile.trace.operation import CallNode, default, is_default
from kcompile.trace.variable import Variable, current_path, name_scope

ADD_WEIGHT_ORDER = ("shape", "initializer", "dtype", "trainable", "autocast", "regularizer", "constraint")


@guard
class Layer(Penalized):
    """What users subclass: `build(input_shape)` makes weights, `call(inputs)` computes with `kcompile.ops`.

    Called on arrays it computes at once; on traced values it adds to the trace; on placeholders it becomes
    part of a functional model.

    Args:    activity_regularizer: penalty on the outputs. trainable: whether `fit` changes the weights.
             dtype: a dtype or policy. autocast: whether float inputs take the layer's dtype. name: the
             layer's name.

    >>> from kcompile import ops
    >>> class Scale(Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")
    ...     def call(self, inputs):
    ...         return inputs * self.factor
    >>> import numpy as np
    >>> layer = Scale(name="scale")
    >>> layer(np.ones((1, 2), "float32")).tolist(), layer.factor.path
    ([[1.0, 1.0]], 'scale/factor')
    """

    input_spec: Any
    built: bool
    _build_shapes: dict[str, Any] | None
    _supports_masking: bool
    _input_shape_arg: tuple[int | None, ...] | None
    # Should a functional model call the layer on arrays, before its program? On text it always does.
    runs_on_host: bool = False
    supports_jit: bool = True  # what Keras's programs read and set: all layers are compiled here

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = remembers_build(cls.__dict__["build"])  # type: ignore[method-assign]
        if "quantize" in cls.__dict__:
            cls.quantize = checks_quantize(cls.__dict__["quantize"])  # type: ignore[method-assign]
        guard(cls)

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name)
        own = {
            "activity_regularizer": regularizers.get(activity_regularizer),
            "input_spec": None,
            "autocast": autocast,
            "built": False,
            "_trainable": boolean("trainable", trainable),
            "_dtype_policy": dtype_policies.get(dtype),
            "_losses": [],
            "_build_shapes": None,
            "_path": None,
            "_supports_masking": not is_default(self.compute_mask),
            "_input_shape_arg": input_shape_of(kwargs),
        }
        self.__dict__.update(own)
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments passed to {type(self).__name__}: {kwargs}")

    # --- settings -------------------------------------------------------------------------------------------

    @property
    def path(self) -> str:
        """Names of the layers around this one when it was built, and its own, joined by '/'."""
        return self._path or self.name

    @property
    def call_has_training(self) -> bool:
        """Does `call` take the argument `training`?"""
        return signature_of(getattr(self.call, "__func__", self.call)).has_training

    @property
    def supports_masking(self) -> bool:
        """Whether the layer hands masks on."""
        return self._supports_masking

    @supports_masking.setter
    def supports_masking(self, value: bool) -> None:
        self.__dict__["_supports_masking"] = value

    # --- building -------------------------------------------------------------------------------------------

    @default
    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape. This one makes none; a call builds what is inside."""
        warn_of_unbuilt(self)
        self._built_for(input_shape)

    @remembers_build
    def _built_for(self, input_shape: Any) -> None:
        self.built = True

    def _build_at_init(self) -> None:
        """For layers without weights: nothing waits for an input shape."""
        self.__dict__["built"] = True

    def get_build_config(self) -> dict[str, Any] | None:
        """The arguments of `build`, for loading."""
        return build_config(self._build_shapes)

    def build_from_config(self, config: dict[str, Any] | None) -> None:
        """Build as `get_build_config` says."""
        if config and "input_shape" in config:
            self.build(as_shapes(config["input_shape"]))
        elif config and "shapes_dict" in config:
            self.build(**{name: as_shapes(shape) for name, shape in config["shapes_dict"].items()})

    def _maybe_build(self, spec: CallSpec) -> None:
        if self.built:
            return
        shapes = spec.shapes()
        self._note_shapes(spec)
        with tracer.suspended():
            if is_default(self.build):
                self._built_for(next(iter(shapes.values()), None))
                return
            self.build(**shapes_for(self.build, shapes))
        check_inputs(self.input_spec, spec.first, self.name)

    def _note_shapes(self, spec: CallSpec) -> None:
        """`summary` shows the shapes of the batch that built a layer."""
        if present_extents.is_known():
            self.__dict__["_called_shapes"] = spec.shapes(present_extents.present_shape)

    def add_weight(
        self,
        *args: Any,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """A new variable of this layer.

        Args:    shape: its shape, also the first positional argument. initializer: name, config or
                 callable; by default "glorot_uniform" for floats, "zeros" for ints. dtype: the layer's
                 unless given.
        """
        given = {"shape": shape, "initializer": initializer, "dtype": dtype, "trainable": trainable}
        given |= {"autocast": autocast, "regularizer": regularizer, "constraint": constraint}
        if args and isinstance(args[0], str):  # the order of Keras 2: the name first
            name, args = args[0], args[1:]
        given |= dict(zip(ADD_WEIGHT_ORDER, args, strict=False))
        kind = dtypes.standardize(self.variable_dtype if given["dtype"] is None else given["dtype"])
        start = given["initializer"]
        if start is None:
            start = "glorot_uniform" if dtypes.is_float(kind) else "zeros"
        dims = weight_shape(given["shape"], name, self.name)
        parent = None if self._path is None else self._path.rpartition("/")[0]
        with tracer.suspended(), name_scope(self.name, override_parent=parent):
            variable = Variable(
                initializers.get(start), dims, kind, given["trainable"],
                autocast=given["autocast"], aggregation=aggregation, name=name,
            )  # fmt: skip
        variable.regularizer = regularizers.get(given["regularizer"])
        variable.constraint = constraints.get(given["constraint"])
        variable.overwrite_with_gradient = overwrite_with_gradient
        self._track_variable(variable)
        return variable

    def add_variable(self, *args: Any, **kwargs: Any) -> Variable:
        """`add_weight` under an older name."""
        return self.add_weight(*args, **kwargs)

    def _track_variable(self, variable: Variable) -> None:
        self._tracker.add(variable)
        if not self._trainable:  # it stays among the trainable ones, for when the layer is unfrozen
            variable.trainable = False

    # --- calling --------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`call(*args, **kwargs)` with inputs converted and checked, and the layer built if need be."""
        if "_build_shapes" not in self.__dict__:
            raise RuntimeError(
                f"In layer '{type(self).__name__}', you forgot to call `super().__init__()` as the first "
                "statement in the `__init__()` method. Go add it!"
            )
        check_positional(args)
        spec = self._bind(args, kwargs)
        check_inputs(self.input_spec, spec.first, self.name)
        with call_context.entered(self) as context:
            spec.fill_masks()
            spec.fill_training(context)
            previous = spec.previous_mask()  # before the call, which may take masks away
            self._maybe_build(spec)
            outputs = (
                self._symbolic(spec, args, kwargs)
                if has_symbolic(spec.arguments.values())
                else self._run(spec)
            )
            self._hand_on_masks(spec.first, outputs, previous)
        return outputs

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> CallSpec:
        dtype = self._cast_target()
        as_is = not self._convert_input_args or is_as_it_is(args, kwargs, self.input_dtype)
        args = tuple(tree.map_structure(lambda x: converted(x, dtype), list(args)))
        kwargs = tree.map_structure(lambda x: converted(x, dtype), kwargs)
        return CallSpec(signature_of(getattr(self.call, "__func__", self.call)), args, kwargs, as_is)

    def _symbolic(self, spec: CallSpec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Remember a call: of the placeholders as they were given, for casting them is part of the layer."""
        self._note_shapes(spec)
        written, by_name = spec.as_written()
        outputs = self.compute_output_spec(*written, **by_name)
        if spec.records_all:
            args, kwargs = written, by_name
        args = tuple(tree.map_structure(lambda x: converted(x, None), list(args)))
        CallNode(self, args, tree.map_structure(lambda x: converted(x, None), kwargs), outputs)
        return outputs

    def _run(self, spec: CallSpec) -> Any:
        outputs = self._call(*spec.bound.args, **spec.bound.kwargs)
        if self.activity_regularizer is not None:
            for output in tree.flatten(outputs):
                self.add_loss(self._activity_loss(output))
        return outputs

    def _call(self, *args: Any, **kwargs: Any) -> Any:
        """`call` in the layer's scope and its dtypes."""
        with self._autocast_scope():
            return self._call_in_place(*args, **kwargs)

    def _call_in_place(self, *args: Any, **kwargs: Any) -> Any:
        """`call` in the layer's scope, names of variables, origins of nodes, located errors; in the dtypes of
        whoever calls."""
        with name_scope(self.name, self):
            origin = set_origin(current_path())
            try:
                return self._computation()(*args, **kwargs)
            except Exception as error:
                locate(error, self, current_path())
                raise
            finally:
                set_origin(origin)

    def stateless_call(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """The layer's call with these values of its variables; the variables themselves do not change.

        Returns: outputs and the new values of the non-trainable variables; with return_losses a third, the
                 list of losses.
        Raises:  ValueError before the layer is built, and for other numbers of values than of variables.
        """
        return stateless_call(
            self,
            trainable_variables,
            non_trainable_variables,
            lambda: Layer.__call__(self, *args, **kwargs),
            return_losses,
        )

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The computation; to be overridden."""
        raise NotImplementedError(f"Layer {type(self).__name__} does not have a `call` method implemented.")

    # --- what a call would give -----------------------------------------------------------------------------

    @default
    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Placeholders for the outputs of a call on these placeholders."""
        spec = self._bind(args, kwargs)
        self._maybe_build(spec)
        return outputs_of(self, spec)

    @default
    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """Shapes of the outputs for shapes of the inputs: tuples with None where unknown, or structures."""
        args = tuple(placeholders(as_shapes(a), self.compute_dtype) for a in args)
        kwargs = {
            name.removesuffix("_shape"): placeholders(as_shapes(shape), self.compute_dtype)
            for name, shape in kwargs.items()
        }
        if args or "input" not in kwargs:
            return shape_of(self.compute_output_spec(*args, **kwargs))
        return shape_of(self.compute_output_spec(kwargs.pop("input"), **kwargs))

    @default
    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the outputs; by default that of the inputs."""
        return previous_mask

    def _hand_on_masks(self, inputs: Any, outputs: Any, previous: Any) -> None:
        """Set the masks of the outputs where `call` did not. `previous`: those of the inputs."""
        if not self.supports_masking:
            if any(m is not None for m in tree.flatten(previous)):
                warnings.warn(
                    f"Layer '{self.name}' (of type {type(self).__name__}) was passed an input with a mask "
                    "attached to it. However, this layer does not support masking and will therefore "
                    "destroy the mask information. Downstream layers will not see the mask.",
                    stacklevel=users_level(),
                )
            return
        if is_default(self.compute_mask) and all(m is None for m in tree.flatten(previous)):
            return
        masks = tree.flatten(self.compute_mask(inputs, previous))
        for output, mask in zip(tree.flatten(outputs), masks, strict=False):
            if mask is not None and is_tensor(output) and mask_of(output) is None:
                set_mask(output, mask)

    # --- config ---------------------------------------------------------------------------------------------

    @default
    def get_config(self) -> dict[str, Any]:
        """Plain data that `from_config` makes an equal layer from."""
        config = {"trainable": self._trainable, "dtype": dtype_policies.serialize(self._dtype_policy)}
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer from what `get_config` returned."""
        try:
            return cls(**config)
        except ConfigError:
            raise
        except (TypeError, ValueError) as error:
            what = f"{cls.__name__} cannot be made from its config."
            raise ConfigError(message(what, received=f"{config}", hint=str(error))) from error

    def __reduce__(self) -> Any:
        return reduced(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"
