"""What an ONNX operator set offers: operators, attributes, dtypes, and the types of results."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.symbolic import Int
from kcompile.export.onnx.graph import DOMAIN, OnnxNode
from kcompile.ir.types import TensorType


class NotInOpset(NotImplementedError):
    """The operator set lacks an operator, an attribute or a dtype; the op is decomposed instead, if it can be."""


@cache
def schema_of(op: str, opset: int) -> Any:
    """The operator's schema in an opset."""
    import onnx

    if not onnx.defs.has(op, opset, DOMAIN):
        since = next((s.since_version for s in _versions(op)), None)
        raise NotInOpset(f"ONNX has {op} from opset {since} on" if since else f"ONNX has no operator {op}")
    return onnx.defs.get_schema(op, opset, DOMAIN)


def _versions(op: str) -> list[Any]:
    import onnx

    found = [s for s in onnx.defs.get_all_schemas_with_history() if s.name == op and s.domain == DOMAIN]
    return sorted(found, key=lambda s: s.since_version)


@cache
def _allowed(op: str, opset: int) -> tuple[frozenset[str] | None, ...]:
    """For each formal input the dtypes it takes, as ONNX writes them; the last one repeats if it is variadic."""
    found = schema_of(op, opset)
    constraints = {c.type_param_str: frozenset(c.allowed_type_strs) for c in found.type_constraints}
    return tuple(constraints.get(i.type_str, frozenset([i.type_str])) for i in found.inputs)


def check(op: str, opset: int, attrs: dict[str, Any], types: Sequence[TensorType | None]) -> None:
    """Raises:  NotInOpset for an operator, attribute or input dtype that the opset does not have."""
    known = schema_of(op, opset).attributes
    for name in attrs:
        if name not in known:
            raise NotInOpset(f"{op} has no attribute {name!r} in opset {opset}")
    allowed = _allowed(op, opset)
    for position, type_ in enumerate(types):
        if type_ is not None and not takes(allowed[min(position, len(allowed) - 1)], type_.dtype):
            raise NotInOpset(f"{op} does not take {type_.dtype} in opset {opset}")


ONNX_NAMES = {"float32": "float", "float64": "double"}


def takes(allowed: frozenset[str] | None, dtype: str) -> bool:
    return allowed is None or f"tensor({ONNX_NAMES.get(dtype, dtype)})" in allowed


def element_type(dtype: str) -> int:
    """ONNX's number of a dtype."""
    import onnx

    return int(onnx.helper.np_dtype_to_tensor_dtype(dtypes.numpy_dtype(dtype)))


def dtype_name(element: int) -> str:
    """The dtype that ONNX's number stands for."""
    import onnx

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
        {name: tensor_proto(name, g.value(name)) for name in node.inputs if g.value(name) is not None},
        opset_imports=[onnx.helper.make_opsetid(DOMAIN, g.opset)],
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
    """A node as ONNX stores it, named after its first output."""
    import onnx

    return onnx.helper.make_node(node.op, node.inputs, node.outputs, name=node.outputs[0], **node.attrs)


def tensor_proto(name: str, array: np.ndarray | None) -> Any:
    """An array as ONNX stores it."""
    import onnx

    return onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(np.shape(array)), name)
