"""Placeholders of functional models and the operations that connect them."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from kcompile.core import dtypes, tree
from kcompile.core.symbolic import Int, symbol
from kcompile.ir.graph import Value
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.ops.public import Symbolic, set_recorder
from kcompile.trace.naming import auto_name
from kcompile.trace.tracer import Tracer


class KerasTensor(Symbolic):
    """What `Input` returns and layers pass on while a functional model is built: shape (None where unknown), dtype, history."""

    def __init__(self, shape: Any, dtype: Any = "float32", sparse: bool = False, record_history: bool = True, name: str | None = None, **_: Any):
        self.shape: tuple[int | None, ...] = tuple(None if d is None or isinstance(d, Int) else int(d) for d in shape)
        self.dtype = dtypes.standardize(dtype)
        self.sparse = sparse
        self.name = name or auto_name("keras_tensor")
        self.record_history = record_history
        self._keras_history: Any = None  # (operation, node index, tensor index)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, sparse={self.sparse}, name={self.name}>"

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise ValueError(
            "A KerasTensor is symbolic: it's a placeholder for a shape and a dtype. It has no numbers; use kcompile.ops or a layer "
            "on it instead of NumPy functions."
        )

    def __bool__(self) -> bool:
        raise TypeError("A symbolic KerasTensor cannot be used as a boolean.")

    def __iter__(self) -> Any:
        raise TypeError("Iterating over a symbolic KerasTensor is not supported.")

    def __len__(self) -> int:
        raise TypeError("A symbolic KerasTensor has no length.")


def symbolic_dim(position: int, dim: int | None) -> int | Int:
    """None as a symbol: the first dimension is the batch, others are named by their position."""
    if dim is not None:
        return dim
    return symbol("batch") if position == 0 else symbol(f"dim{position}")


def type_of(tensor: Any) -> TensorType:
    """The type that a placeholder stands for in a trace."""
    return TensorType(tuple(symbolic_dim(k, d) for k, d in enumerate(tensor.shape)), tensor.dtype)


def spec_of(value: Any) -> KerasTensor:
    """A placeholder for a traced value: symbolic dimensions become None."""
    return KerasTensor(tuple(d if isinstance(d, int) else None for d in value.shape), value.dtype)


def infer_output(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Placeholders for what function(*args, **kwargs) returns, by tracing it on values of the placeholders' types."""
    from kcompile.ir.op import constant, unwrap

    def enter(x: Any) -> Any:
        return make_parameter(x.name, type_of(x)) if isinstance(x, KerasTensor) else x

    def leave(x: Any) -> Any:
        if x is None:
            return None
        x = unwrap(x)
        return spec_of(x if isinstance(x, Value) else constant(x))

    with Tracer():
        result = function(*tree.map_structure(enter, list(args)), **tree.map_structure(enter, kwargs))
        return tree.map_structure(leave, result)


class CallNode:
    """One call of an operation in a functional model: what went in, what came out."""

    def __init__(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any):
        self.operation, self.args, self.kwargs, self.outputs = operation, args, kwargs, outputs
        flat = tree.flatten([list(args), kwargs])
        self.input_tensors: list[KerasTensor] = [x for x in flat if isinstance(x, KerasTensor)]
        self.output_tensors: list[KerasTensor] = [x for x in tree.flatten(outputs) if isinstance(x, KerasTensor)]
        index = len(operation._inbound_nodes)
        operation._inbound_nodes.append(self)
        for position, tensor in enumerate(self.output_tensors):
            tensor._keras_history = (operation, index, position)

    @property
    def parent_nodes(self) -> list[CallNode]:
        return [op._inbound_nodes[k] for op, k, _ in (t._keras_history for t in self.input_tensors)]

    def fill(self, values: dict[int, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The call's arguments with each placeholder replaced by values[id(placeholder)]."""

        def replace(x: Any) -> Any:
            return values[id(x)] if isinstance(x, KerasTensor) else x

        return tuple(tree.map_structure(replace, list(self.args))), tree.map_structure(replace, self.kwargs)


class OpCall:
    """A public op used on placeholders: an operation of the functional model without weights."""

    def __init__(self, function: Callable[..., Any], name: str | None = None):
        self.function = function
        self.name = name or auto_name(function.__name__)
        self._inbound_nodes: list[CallNode] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


def record_op(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """An op called on placeholders: infer its output and remember the call."""
    outputs = infer_output(function, *args, **kwargs)
    CallNode(OpCall(function), args, kwargs, outputs)
    return outputs


set_recorder(record_op)


def _install_operators() -> None:
    """Python operators on placeholders are the public ops."""

    def binary(name: str, swapped: bool) -> Callable[[Any, Any], Any]:
        def operate(a: Any, b: Any) -> Any:
            from kcompile import ops

            function = getattr(ops, name)
            return function(b, a) if swapped else function(a, b)

        return operate

    table = {
        "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide",
        "mod": "mod", "pow": "power", "matmul": "matmul", "and": "logical_and", "or": "logical_or",
    }  # fmt: skip
    for method, name in table.items():
        setattr(KerasTensor, f"__{method}__", binary(name, False))
        setattr(KerasTensor, f"__r{method}__", binary(name, True))
    for method, name in {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}.items():
        setattr(KerasTensor, f"__{method}__", binary(name, False))
    setattr(KerasTensor, "__neg__", lambda a: _op("negative")(a))
    setattr(KerasTensor, "__abs__", lambda a: _op("absolute")(a))
    setattr(KerasTensor, "__getitem__", lambda a, key: _op("get_item")(a, key))
    KerasTensor.__array_ufunc__ = None  # type: ignore[attr-defined]


def _op(name: str) -> Callable[..., Any]:
    from kcompile import ops

    return builtins.getattr(ops, name)


_install_operators()
