"""What an ONNX operator set offers: operators, attributes, dtypes, and the types of results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.symbolic import Int
from kcompile.export.onnx.graph import OnnxGraph, OnnxNode, domain_of, version_of
from kcompile.export.onnx.symbols import Symbols
from kcompile.ir.types import TensorType


class NotInOpset(NotImplementedError):
    """The operator set lacks an operator, an attribute or a dtype; the op is decomposed, if it can be.

    since: the opset from which on it is there, if it is known.
    """

    def __init__(self, text: str, since: int | None = None):
        super().__init__(text)
        self.since = since


@cache
def schema_of(op: str, opset: int) -> Any:
    """The operator's schema in an opset."""
    import onnx

    domain, opset = domain_of(op), version_of(domain_of(op), opset)
    if not onnx.defs.has(op, opset, domain):
        since = next((s.since_version for s in _versions(op)), None)
        lacks = f"ONNX has {op} from opset {since} on" if since else f"ONNX has no operator {op}"
        raise NotInOpset(lacks, since)
    return onnx.defs.get_schema(op, opset, domain)


def _versions(op: str) -> list[Any]:
    import onnx

    found = [
        s for s in onnx.defs.get_all_schemas_with_history() if s.name == op and s.domain == domain_of(op)
    ]
    return sorted(found, key=lambda s: s.since_version)


@dataclass(frozen=True)
class Signature:
    """Type variables of an operator's inputs (the last repeats) and outputs, and their dtypes."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    allowed: dict[str, frozenset[str]]

    def variable(self, position: int) -> str:
        return self.inputs[min(position, len(self.inputs) - 1)]


@cache
def signature(op: str, opset: int) -> Signature:
    """The types that an operator takes, less those that onnxruntime has no kernel for."""
    found = schema_of(op, opset)
    allowed = {c.type_param_str: frozenset(map(_dtype, c.allowed_type_strs)) for c in found.type_constraints}
    inputs, outputs = (tuple(i.type_str for i in formal) for formal in (found.inputs, found.outputs))
    allowed |= {name: frozenset([_dtype(name)]) for name in (*inputs, *outputs) if name not in allowed}
    for name in (n for n in set(inputs) if len(allowed[n]) > 1):  # not a condition, which is bool
        allowed[name] -= NO_KERNEL.get(op, frozenset())
        if op not in TAKES_BFLOAT16:
            allowed[name] -= {"bfloat16"}
    return Signature(inputs, outputs, allowed)


def _dtype(type_str: str) -> str:
    """`tensor(float)` -> float32."""
    name = type_str.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(name, name)


SMALL = frozenset({"int8", "uint8", "int16", "uint16"})
LONG = frozenset({"uint32", "uint64"})
NO_KERNEL = {  # dtypes that the operator set has, but onnxruntime does not compute
    "Max": frozenset({"int16", "uint16"}),
    "Min": frozenset({"int16", "uint16"}),
    "ReduceSum": LONG | SMALL,
    "ReduceProd": LONG | SMALL,
    "ReduceMax": LONG,
    "ReduceMin": LONG,
    "ArgMax": LONG | {"int16", "uint16"},
    "ArgMin": LONG | {"int16", "uint16"},
    "CumSum": LONG,
    "Pow": LONG | SMALL,
    "Relu": frozenset({"int16", "int64"}),
    "Pad": frozenset({"int16", "uint16"}),
    "TopK": LONG | {"uint16"},
    "Einsum": SMALL | {"uint32", "uint64"},
    "Resize": LONG | {"bool", "int16", "uint16", "int64", "float64"},
    "Where": frozenset({"bool", "int16", "uint16", "uint64"}),
    "ScatterND": frozenset({"float16"}),
    "ScatterElements": frozenset({"float16"}),
} | dict.fromkeys(
    ("Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "AveragePool", "Conv", "ConvTranspose", "Cosh", "Det",
     "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish", "InstanceNormalization", "LeakyRelu", "Mish", "PRelu",
     "Selu", "Sinh", "Softplus", "Softsign", "Tan"),
    frozenset({"float64"}),
)  # fmt: skip
TAKES_BFLOAT16 = frozenset({"Cast", "Loop", "Scan"})  # all of onnxruntime's kernels for the CPU that do
# Where an operator lacks a dtype it works in the first of these, which hold the same numbers; float64 has
# nothing wider, and is computed in float32 there.
WIDER = dict.fromkeys(("bool", *SMALL), ("int32", "float32")) | {
    "int32": ("int64", "float64"),
    "uint32": ("int64", "float64"),
    "float16": ("float32",),
    "bfloat16": ("float32",),
    "float64": ("float32",),
}


def check(op: str, opset: int, attrs: dict[str, Any]) -> None:
    """Raises:  NotInOpset for an operator or attribute that the opset does not have."""
    known = schema_of(op, opset).attributes
    for name in attrs:
        if name not in known:
            raise NotInOpset(f"{op} has no attribute {name!r} in opset {opset}")


def wider(
    op: str, opset: int, types: Sequence[TensorType | None], narrows: bool = True
) -> dict[str, tuple[str, str]]:
    """Type variables for which the inputs' dtype does not do: (that dtype, a wider one that does).

    Args:    narrows: take a narrower one where nothing else does.
    Raises:  NotInOpset if there is none.
    """
    formal, found = signature(op, opset), {}
    for position, type_ in enumerate(types):
        variable = formal.variable(position)
        if type_ is None or type_.dtype in formal.allowed[variable]:
            continue
        least = 0 if narrows else dtypes.itemsize(type_.dtype)
        others = (d for d in WIDER.get(type_.dtype, ()) if dtypes.itemsize(d) >= least)
        better = [d for d in others if d in formal.allowed[variable]]
        if not better:
            raise NotInOpset(f"{op} does not take {type_.dtype} in opset {opset}")
        found[variable] = (type_.dtype, better[0])
    return found


def element_type(dtype: str) -> int:
    """ONNX's number of a dtype."""
    import onnx

    if dtype == dtypes.STRING:
        return int(onnx.TensorProto.STRING)
    return int(onnx.helper.np_dtype_to_tensor_dtype(dtypes.numpy_dtype(dtype)))


def dtype_name(element: int) -> str:
    """The dtype that ONNX's number stands for."""
    import onnx

    if element == onnx.TensorProto.STRING:
        return dtypes.STRING
    return dtypes.standardize(onnx.helper.tensor_dtype_to_np_dtype(element))


def type_proto(type_: TensorType, symbols: Any) -> Any:
    """A type as ONNX writes it."""
    import onnx

    shape = [symbols.name_of(d) if isinstance(d, Int) else d for d in type_.shape]
    return onnx.helper.make_tensor_type_proto(element_type(type_.dtype), shape)


def infer(g: Any, node: OnnxNode) -> dict[str, TensorType]:
    """Types of a node's outputs, by ONNX's own rules."""
    import onnx

    found = onnx.shape_inference.infer_node_outputs(
        schema_of(node.op, g.opset),
        node_proto(node),
        {name: type_proto(g.type(name), g.symbols) for name in node.inputs if name},
        {name: tensor_proto(name, g.constants[name]) for name in node.inputs if name in g.constants},
        opset_imports=[onnx.helper.make_opsetid(domain_of(node.op), version_of(domain_of(node.op), g.opset))],
    )
    return {name: _tensor_type(proto, g.symbols) for name, proto in found.items()}


def _tensor_type(proto: Any, symbols: Any) -> TensorType:
    tensor = proto.tensor_type
    if not tensor.HasField("shape"):
        raise NotImplementedError("the rank of a tensor is known only at run time")
    dims: list[int | Int] = []
    for dim in tensor.shape.dim:
        if dim.HasField("dim_value"):
            dims.append(int(dim.dim_value))
        else:
            dims.append(symbols.dim_of(dim.dim_param) if dim.dim_param else symbols.unknown())
    return TensorType(tuple(dims), dtype_name(tensor.elem_type))


def node_proto(node: OnnxNode) -> Any:
    """A node as ONNX stores it, with its name."""
    import onnx

    attrs = {k: graph_proto(a, k) if isinstance(a, OnnxGraph) else a for k, a in node.attrs.items()}
    domain = domain_of(node.op)
    return onnx.helper.make_node(node.op, node.inputs, node.outputs, name=node.name, domain=domain, **attrs)


def graph_proto(graph: OnnxGraph, name: str, constants: Sequence[Any] = ()) -> Any:
    """A graph as ONNX stores it."""
    import onnx

    symbols = Symbols()

    def value_infos(types: dict[str, TensorType]) -> list[Any]:
        notes, make = graph.notes, onnx.helper.make_value_info
        return [make(n, type_proto(t, symbols), notes.get(n, "")) for n, t in types.items()]

    return onnx.helper.make_graph(
        [node_proto(node) for node in graph.nodes],
        name,
        value_infos(graph.inputs),
        value_infos(graph.outputs),
        list(constants),
        doc_string=graph.notes.get("", ""),
    )


def tensor_proto(name: str, array: np.ndarray) -> Any:
    """An array as ONNX stores it."""
    import onnx

    return onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(np.shape(array)), name)
