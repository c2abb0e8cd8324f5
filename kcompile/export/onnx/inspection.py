"""What an .onnx file holds, and random inputs for it."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.export.onnx.dimension_names import replaced, sizes
from kcompile.export.onnx.inputs import EXTENT, random_input
from kcompile.export.onnx.signature import Spec
from kcompile.export.onnx.sizes import must_be_known
from kcompile.ir.positions import CAREFUL

LOOKS_UP = ("Gather", "GatherElements")
MOVES = ("Cast", "Identity", "Reshape", "Transpose", "Unsqueeze", "Squeeze", "Flatten", "Slice", "Expand")
UNNAMED = "?"
ASKS = ("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Shape")  # which any numbers may be


@dataclass(frozen=True)
class Tensor:
    """An input or output: a dimension is a number, a name, or `UNNAMED`."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Description:
    """What a file says about itself. operators: how often each occurs, subgraphs included.

    external: whether weights lie in a second file. positions: below which numbers inputs are positions in
    what is looked up at them.
    """

    name: str
    producer: str
    ir_version: int
    opsets: dict[str, int]
    inputs: list[Tensor]
    outputs: list[Tensor]
    operators: dict[str, int]
    weights: int
    numbers: int
    bytes: int
    external: bool
    positions: dict[str, int]


def describe_onnx(path: str | os.PathLike[str]) -> Description:
    """Read a file's description; weights that lie in a second file are not read.

    Raises:  ValueError for a file that is no ONNX model.
    """
    graph_model = load(path)
    graph = graph_model.graph
    weights = {t.name for t in graph.initializer}
    inputs = [t for t in graph.input if t.name not in weights]
    count = [math.prod(t.dims) for t in graph.initializer]
    sizes = [n * _item_bytes(t.data_type) for n, t in zip(count, graph.initializer, strict=True)]
    operators = Counter(node.op_type for node in _nodes(graph))
    return Description(
        name=graph.name,
        producer=f"{graph_model.producer_name} {graph_model.producer_version}".strip(),
        ir_version=graph_model.ir_version,
        opsets={one.domain or "ai.onnx": one.version for one in graph_model.opset_import},
        inputs=[_tensor(t) for t in inputs],
        outputs=[_tensor(t) for t in graph.output],
        operators=dict(sorted(operators.items(), key=lambda item: (-item[1], item[0]))),
        weights=len(weights),
        numbers=sum(count),
        bytes=sum(sizes),
        external=any(len(t.external_data) > 0 for t in graph.initializer),
        positions=_positions(graph, [t.name for t in inputs]),
    )


def _positions(graph: Any, inputs: list[str]) -> dict[str, int]:
    """Inputs whose numbers are moved, converted and looked up in weights, but not computed with."""
    moved, found = dict(zip(inputs, inputs, strict=True)), dict[str, int]()
    weights = {t.name: list(t.dims) for t in graph.initializer}
    for node in _nodes(graph):  # those of bodies too, which read names from outside
        for k, name in enumerate(node.input):
            source = moved.get(name)
            if source is None or node.op_type in ASKS:
                continue
            if node.op_type in MOVES and k == 0:
                moved[node.output[0]] = source
                continue
            most = 0
            if node.op_type in LOOKS_UP and k == 1 and node.input[0] in weights:
                most = weights[node.input[0]][next((a.i for a in node.attribute if a.name == "axis"), 0)]
            found[source] = min(found.get(source, most), most)
    return {name: most for name, most in found.items() if most}


def load(path: str | os.PathLike[str]) -> Any:
    """The model of a file, without weights that lie elsewhere."""
    import onnx

    try:
        model = onnx.load(os.fspath(path), load_external_data=False)
    except Exception as error:
        if type(error).__name__ != "DecodeError":  # of protobuf, which only onnx depends on
            raise
        raise ValueError(f"{os.fspath(path)!r} is no ONNX file: {error}") from error
    if not model.ir_version or not model.HasField("graph"):
        raise ValueError(f"{os.fspath(path)!r} is no ONNX file: it has no graph")
    return model


def faults(path: str | os.PathLike[str]) -> str:
    """What ONNX's checker, with full shape inference, finds wrong with a file; "" if nothing."""
    import onnx

    try:
        onnx.checker.check_model(os.fspath(path), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        return str(error).strip()
    except UnicodeDecodeError:  # the checker's own message, which quotes a name of the file
        return "a name in the file is not UTF-8"
    return ""


def possible_batches(inputs: list[Tensor], batches: tuple[int, ...]) -> tuple[int, ...]:
    """Those that the inputs take: where all begin with a number, the largest of these alone."""
    first = [tensor.shape[0] for tensor in inputs if tensor.shape]
    fixed = [d for d in first if isinstance(d, int)]
    return batches if len(fixed) < len(first) else (max(fixed, default=1),)


def is_open(described: Description) -> bool:
    """Has any input an open dimension behind the first?"""
    return not all(isinstance(d, int) for tensor in described.inputs for d in tensor.shape[1:])


def with_sizes(described: Description, named: Mapping[str, int]) -> Description:
    """With dimensions of inputs behind the batch known that have these names.

    Raises:  UntakenSize for a name that there is not.
    """
    must_be_known(named, [tensor.shape for tensor in described.inputs])
    inputs = [
        replace(tensor, shape=(*tensor.shape[:1], *replaced(tensor.shape[1:], named)))
        for tensor in described.inputs
    ]
    return replace(described, inputs=inputs) if named else described


def random_feed(described: Description, batch: int, extent: int = EXTENT) -> dict[str, np.ndarray]:
    """Random arrays for the inputs: what is named as a first dimension is the batch, what else is open has
    `extent`, or the size that its name says. Whole numbers of which the file does not say that they are
    positions may be some nevertheless.

    Raises:  ValueError for an extent that names do not allow, and dtypes without random numbers.
    """
    rng, feed = np.random.default_rng(batch), {}
    shapes = [tensor.shape for tensor in described.inputs]
    rows = {shape[0]: batch for shape in shapes if shape and shape[0] != UNNAMED}
    named = {d for shape in shapes for d in shape if isinstance(d, str) and d != UNNAMED}
    known = sizes(sorted(named), {d: n for d, n in rows.items() if isinstance(d, str)}, extent)
    for tensor in described.inputs:
        if tensor.dtype not in (*dtypes.DTYPES, dtypes.STRING):
            raise ValueError(f"There are no random numbers for input {tensor.name!r}: {tensor.dtype}")
        shape = tuple(d if isinstance(d, int) else known.get(d) for d in tensor.shape)
        most = described.positions.get(tensor.name, CAREFUL if dtypes.is_int(tensor.dtype) else None)
        spec = Spec(shape, tensor.dtype, tensor.name, limit=most)
        feed[tensor.name] = random_input(spec, batch, rng, extent)
    return feed


def _nodes(graph: Any) -> list[Any]:
    found = list(graph.node)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                found += _nodes(attribute.g)
    return found


def _tensor(info: Any) -> Tensor:
    found = info.type.tensor_type
    dims = [d.dim_param or (d.dim_value if d.HasField("dim_value") else UNNAMED) for d in found.shape.dim]
    form = info.type.WhichOneof("value") or "tensor_type"
    dtype = _dtype_name(found.elem_type) if form == "tensor_type" else form.removesuffix("_type")
    return Tensor(info.name, dtype, tuple(dims))


def _dtype_name(element: int) -> str:
    """Our name of a dtype, or ONNX's where we have none."""
    import onnx

    from kcompile.export.onnx.schema import dtype_name

    known = _known(element)
    try:
        return dtype_name(known)
    except (KeyError, TypeError, ValueError):  # of ONNX alone, such as float8e5m2
        return str(onnx.TensorProto.DataType.Name(element)).lower()


def _item_bytes(element: int) -> int:
    import onnx

    return int(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(_known(element))).itemsize)


def _known(element: int) -> int:
    """The number of a dtype. Raises ValueError for another one, which a damaged file may hold."""
    import onnx

    if element == onnx.TensorProto.UNDEFINED or element not in onnx.TensorProto.DataType.values():
        raise ValueError(f"the ONNX file is damaged: {element} stands for no dtype")
    return element
