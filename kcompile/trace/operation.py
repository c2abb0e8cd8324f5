"""What a functional model is made of: operations (layers and ops), and the calls that connect them."""

from __future__ import annotations

import inspect
from typing import Any

from kcompile.core import tree
from kcompile.core.errors import message
from kcompile.ops.public import Symbolic, has_symbolic
from kcompile.trace.keras_tensor import infer_output
from kcompile.trace.naming import auto_name, checked_name

PLAIN = (str, int, float, bool, type(None))


def default(method: Any) -> Any:
    """Decorator: marks a method of a base class, to tell whether a user's class has its own."""
    method._is_default = True
    return method


def is_default(method: Any) -> bool:
    return getattr(method, "_is_default", False)


class Operation:
    """Base of layers and recorded ops: a name, the calls on placeholders, and a config."""

    name: str
    _init_arguments: tuple[tuple[Any, ...], dict[str, Any]]
    _inbound_nodes: list[CallNode]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        instance = super().__new__(cls)
        instance.__dict__["_init_arguments"] = (args, kwargs)
        return instance

    def __init__(self, name: str | None = None):
        name = auto_name(type(self).__name__) if name is None else checked_name(name)
        self.__dict__.update(name=name, _inbound_nodes=[])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`call` on tensors; on placeholders the call is remembered and placeholders come back."""
        if has_symbolic(args) or has_symbolic(kwargs.values()):
            return self.symbolic_call(*args, **kwargs)
        return self.call(*args, **kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Remember a call on placeholders, and return placeholders for its results."""
        outputs = self.compute_output_spec(*args, **kwargs)
        CallNode(self, args, kwargs, outputs)
        return outputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Placeholders for the results of `call`, found by tracing it."""
        return infer_output(self.call, *args, **kwargs)

    @default
    def call(self, *args: Any, **kwargs: Any) -> Any:
        """What the operation computes: written by every class of operations."""
        raise NotImplementedError(f"Operation {type(self).__name__} must implement `call`.")

    @property
    def input(self) -> Any:
        """The placeholders of the first call."""
        return self._of_first_call("input_tensors", "input")

    @property
    def output(self) -> Any:
        """The placeholders that the first call returned."""
        return self._of_first_call("output_tensors", "output")

    def _of_first_call(self, tensors: str, what: str) -> Any:
        if not self._inbound_nodes:
            raise AttributeError(
                f"The layer {self.name} has never been called and thus has no defined {what}."
            )
        found = getattr(self._inbound_nodes[0], tensors)
        return found[0] if len(found) == 1 else found

    @default
    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs; made from the constructor's arguments where a class does not say."""
        if not is_default(self.get_config):
            return {"name": self.name}
        config = self._arguments_as_config()
        parameters = inspect.signature(type(self).__init__).parameters.values()
        takes_name = any(p.name == "name" or p.kind is p.VAR_KEYWORD for p in parameters)
        return {"name": self.name, **config} if takes_name else config

    def _arguments_as_config(self) -> dict[str, Any]:
        args, kwargs = self._init_arguments
        bound = inspect.signature(type(self).__init__).bind(self, *args, **kwargs)
        bound.apply_defaults()
        kinds = {p.name: p.kind for p in bound.signature.parameters.values()}
        config: dict[str, Any] = {}
        nameless = False  # are there arguments that a config cannot name?
        for name, value in list(bound.arguments.items())[1:]:
            if kinds[name] is inspect.Parameter.VAR_KEYWORD:
                config |= value
            elif kinds[name] is inspect.Parameter.VAR_POSITIONAL:
                nameless = nameless or bool(value)
            else:
                config[name] = value
        config.pop("name", None)
        if not isinstance(config.get("dtype"), (str, type(None))):
            del config["dtype"]  # a layer writes its policy itself
        plain = all(isinstance(leaf, PLAIN) for leaf in tree.flatten(config))
        if plain and not nameless:
            return config
        raise NotImplementedError(
            message(
                f"Object {type(self).__name__} was created by passing non-serializable argument values in "
                "`__init__()`, and therefore the object must override `get_config()` to be serializable.",
                received=", ".join(f"{k}={v!r}" for k, v in config.items()),
            )
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def __repr__(self) -> str:
        return f"<Operation name={self.name}>"


class CallNode:
    """One call of an operation in a functional model: what went in, what came out."""

    def __init__(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any):
        self.operation, self.args, self.kwargs, self.outputs = operation, args, kwargs, outputs
        self.input_tensors = [x for x in tree.flatten([list(args), kwargs]) if isinstance(x, Symbolic)]
        leaves = tree.flatten(outputs)
        self.output_tensors: list[Any] = [x for x in leaves if isinstance(x, Symbolic)]
        if self.output_tensors and len(leaves) > len(self.output_tensors):  # which is which, when it runs?
            odd = next(x for x in leaves if not isinstance(x, Symbolic))
            raise ValueError(
                f"All operation outputs must be tensors. Operation {operation!r} returned a non-tensor. "
                f"Non-tensor received: {odd!r}"
            )
        index = len(operation._inbound_nodes)
        operation._inbound_nodes.append(self)
        for position, tensor in enumerate(self.output_tensors):
            tensor._keras_history = (operation, index, position)

    @property
    def is_input(self) -> bool:
        return not self.input_tensors

    @property
    def parent_nodes(self) -> list[CallNode]:
        """The calls that made the inputs, each once."""
        histories = [t._keras_history for t in self.input_tensors]  # type: ignore[attr-defined]
        nodes = [
            operation._inbound_nodes[index] for operation, index, _ in histories if operation is not None
        ]
        return list(dict.fromkeys(nodes))

    def fill(self, values: dict[int, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The call's arguments with each placeholder replaced by values[id(placeholder)]."""

        def replace(x: Any) -> Any:
            return values[id(x)] if isinstance(x, Symbolic) else x

        return tuple(tree.map_structure(replace, list(self.args))), tree.map_structure(replace, self.kwargs)


def get_source_inputs(tensor: Any) -> Any:
    """The inputs of the functional model that a placeholder depends on, as a list.

    Returns: `tensor` itself if it is no placeholder.
    """
    if not isinstance(tensor, Symbolic):
        return tensor
    found: dict[int, Any] = {}
    stack, seen = [tensor], set()
    while stack:  # a model may be deeper than Python's stack
        item: Any = stack.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        operation, index, _ = item._keras_history
        node = operation._inbound_nodes[index] if operation is not None else None
        if node is None or node.is_input:
            sources = [item] if node is None else node.output_tensors
            found.update((id(x), x) for x in sources)
        else:
            stack += reversed(node.input_tensors)
    return list(found.values())
