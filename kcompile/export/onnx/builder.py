"""The `g` of the ops' `onnx` rules: adds nodes to an ONNX graph, and knows their dtypes and shapes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.symbolic import Int
from kcompile.export.onnx import schema, shapes
from kcompile.export.onnx.graph import OnnxGraph, OnnxNode, distinct
from kcompile.export.onnx.symbols import Symbols, dims_tensor
from kcompile.export.onnx.wide_bodies import widened
from kcompile.ir.types import Shape, TensorType

# From this opset on, a reduction takes its axes as an input instead of an attribute.
AXES_AS_INPUT = {"ReduceSum": 13}
AXES_AS_INPUT_ALL = 18
ALLOWS_ZERO = 14  # the opset from which on Reshape can make empty tensors of any shape
SMALL = 16  # elements of a constant that is cast at once, even where that makes it longer

OF_CONSTANTS = {"Abs": np.abs, "Neg": np.negative, "Not": np.logical_not, "Sign": np.sign}  # known at once


class Builder:
    """Nodes and constants of an ONNX graph under construction.

    opset: the operator set to write for. scope: the layer path that prefixes the names of new tensors.
    """

    def __init__(self, opset: int):
        self.opset, self.scope = opset, ""
        self.nodes: list[OnnxNode] = []
        self.constants: dict[str, np.ndarray] = {}
        self.symbols = Symbols()
        # body(parameters, captured, outputs): the graph of a loop's body; the emitter's.
        self.body: Callable[[Sequence[Any], dict[Any, str], Sequence[Any]], OnnxGraph]
        self.types: dict[str, TensorType] = {}
        self.extents: dict[str, tuple[Any, ...]] = {}  # tensors of dimensions, and what they hold
        self._counts: set[str] = set()  # int64 tensors of extents and positions: int32 holds them as well
        self._makers: dict[str, OnnxNode] = {}
        self._named: set[str] = set()
        self._constant_names: dict[Any, str] = {}
        self._once: dict[Any, str] = {}
        self._narrows = True

    # --- names and types ------------------------------------------------------------------------------------

    def name(self, wish: str) -> str:
        """A name that nothing else in the graph has."""
        wish = re.sub(r"[^\w./:-]", "_", wish)
        found = distinct(wish, self._named)
        self._named.add(found)
        return found

    def maker(self, name: str) -> OnnxNode | None:
        """The node that a tensor comes from, where one has been made for it."""
        return self._makers.get(name)

    def input(self, wish: str, type_: TensorType) -> str:
        """A new input of the graph."""
        name = self.name(wish)
        self.types[name] = type_
        self.symbols.declare(name, type_.shape)
        return name

    def type(self, name: str) -> TensorType:
        """dtype and shape of a tensor; inferred by ONNX where a rule made it on the way to its result."""
        if name not in self.types:
            found = schema.infer(self, self._makers[name])
            self.types.update(found)
            for made, type_ in found.items():
                self.symbols.measure(made, type_.shape)
        return self.types[name]

    def dtype(self, name: str) -> str:
        return self.type(name).dtype

    def shape(self, name: str) -> Shape:
        return self.type(name).shape

    # --- constants ------------------------------------------------------------------------------------------

    def constant(self, array: Any, name: str | None = None) -> str:
        """An array as a constant; equal small ones are kept once."""
        array = np.asarray(array)
        bits = repr(array.tolist()) if dtypes.is_text(array) else array.tobytes() if array.size <= 64 else b""
        key = (array.dtype.str, array.shape, bits) if array.size <= 64 and not name else None
        if key in self._constant_names:
            return self._constant_names[key]
        found = self.name(name or "constant")
        self.constants[found] = array
        dtype = dtypes.STRING if dtypes.is_text(array) else dtypes.standardize(array.dtype)
        self.types[found] = TensorType(array.shape, dtype)
        if key is not None:
            self._constant_names[key] = found
        return found

    def _folded(self, name: str, how: str, change: Callable[[np.ndarray], np.ndarray]) -> str:
        """A changed constant, under a name that tells where it comes from; made once for each change."""
        key = ("folded", name, how)
        if key not in self._once:
            self._once[key] = self.constant(change(self.constants[name]), f"{name}:{how}")
        return self._once[key]

    # --- nodes ----------------------------------------------------------------------------------------------

    def node(self, op: str, *inputs: str, outputs: int = 1, **attrs: Any) -> Any:
        """Apply an operator: the name of its output, or a tuple of names.

        Raises:  schema.NotInOpset where the operator, an attribute or a dtype is unknown to the opset.
        """
        schema.check(op, self.opset, attrs)
        if op in OF_CONSTANTS and inputs[0] in self.constants:
            return self._folded(inputs[0], op, OF_CONSTANTS[op])
        types = [self.type(name) if name else None for name in inputs]
        wide = schema.wider(op, self.opset, types, self._narrows)
        if wide and isinstance(attrs.get("body"), OnnxGraph):
            made = widened(self, op, inputs, attrs.pop("body"), attrs)
            return made[0] if outputs == 1 else tuple(made)
        if wide:
            return self._wide_node(op, inputs, wide, outputs, attrs)
        names = tuple(self.name(f"{self.scope}/{op}" if self.scope else op) for _ in range(outputs))
        node = OnnxNode(op, inputs, names, attrs)
        self.nodes.append(node)
        self._makers.update(dict.fromkeys(names, node))
        return names[0] if outputs == 1 else names

    @contextmanager
    def not_narrowed(self) -> Iterator[None]:
        """Inside, an operator that lacks a dtype is not computed in a narrower one either."""
        outer, self._narrows = self._narrows, False
        try:
            yield
        finally:
            self._narrows = outer

    def _wide_node(
        self, op: str, inputs: Any, wide: dict[str, tuple[str, str]], outputs: int, attrs: Any
    ) -> Any:
        """The operator between casts, in a dtype that it takes and that holds the same numbers."""
        formal = schema.signature(op, self.opset)
        cast = [
            self.cast(x, wide[formal.variable(k)][1]) if x and formal.variable(k) in wide else x
            for k, x in enumerate(inputs)
        ]
        made = self.node(op, *cast, outputs=outputs, **attrs)
        results = [
            self.cast(name, wide[variable][0]) if variable in wide else name
            for name, variable in zip((made,) if outputs == 1 else made, formal.outputs, strict=False)
        ]
        return results[0] if outputs == 1 else tuple(results)

    def once(self, op: str, *inputs: str, **attrs: Any) -> str:
        """As `node`, but the same application is made only once."""
        key = (op, inputs, tuple(sorted(attrs.items())))
        if key not in self._once:
            self._once[key] = self.node(op, *inputs, **attrs)
        return self._once[key]

    def reduce(self, op: str, x: str, axes: Sequence[int], keepdims: bool) -> str:
        """A reduction such as "ReduceSum" over some axes; over none it changes nothing."""
        if not axes:
            return str(self.node("Identity", x))
        attrs: dict[str, Any] = {"keepdims": int(keepdims)}
        if self.opset < AXES_AS_INPUT.get(op, AXES_AS_INPUT_ALL):
            return str(self.node(op, x, axes=[int(a) for a in axes], **attrs))
        return str(self.node(op, x, self.constant(np.array(axes, np.int64)), **attrs))

    def cast(self, x: str, dtype: str) -> str:
        """x as `dtype`. Weights of one or two bytes stay so in the file."""
        maker = self._makers.get(x)
        if maker is not None and maker.op == "Cast" and self.dtype(x) == "int32":
            x = maker.inputs[0] if maker.inputs[0] in self._counts else x
        if self.dtype(x) == dtype:
            return x
        narrow = dtypes.itemsize(self.dtype(x)) <= 2 and dtypes.is_float(dtype)
        if x in self.constants and not (narrow and self.constants[x].size > SMALL):
            return self._folded(x, dtype, lambda a: a.astype(dtypes.numpy_dtype(dtype)))
        return str(self.node("Cast", x, to=schema.element_type(dtype)))

    def counted(self, x: str, dtype: str) -> str:
        """Extents or positions (int64) as `dtype`."""
        self._counts.add(x)
        return self.cast(x, dtype)

    def bit_cast(self, x: str, dtype: str) -> str:
        """The bits of x read as `dtype`, of the same width."""
        return str(self.node("BitCast", x, to=schema.element_type(dtype)))

    def transpose(self, x: str, axes: Sequence[int]) -> str:
        """x with its axes permuted."""
        axes = [int(a) for a in axes]
        if axes == sorted(axes):
            return x
        if x in self.constants:
            return self._folded(x, f"T{''.join(map(str, axes))}", lambda a: np.transpose(a, axes))
        return str(self.node("Transpose", x, perm=axes))

    def reshape(self, x: str, shape: Shape) -> str:
        """x in another shape; symbolic dimensions are copied from x, inferred, or computed."""
        given = self.shape(x)
        if tuple(given) == tuple(shape):
            return x
        if x in self.constants and all(isinstance(d, int) for d in shape):
            return self._folded(x, "x".join(map(str, shape)) or "scalar", lambda a: np.reshape(a, shape))
        target = shapes.template(given, shape)
        if target is not None:
            return self._reshaped(x, shape, self.constant(target))
        empty = 0 in shape or (self.opset >= ALLOWS_ZERO and any(map(shapes.may_be_empty, shape)))
        return self._reshaped(x, shape, self.dims(shape), **({"allowzero": 1} if empty else {}))

    def _reshaped(self, x: str, shape: Shape, dims: str, **attrs: Any) -> str:
        """x in this shape; of its type ONNX could infer no more than that."""
        wide = schema.wider("Reshape", self.opset, [self.type(x)])
        between = next((wider for _, wider in wide.values()), self.dtype(x))
        made = self.node("Reshape", self.cast(x, between), dims, **attrs)
        self.types[made] = TensorType(tuple(shape), between)
        return self.cast(made, self.dtype(x))

    def dims(self, shape: Sequence[int | Int]) -> str:
        """Dimensions as a 1-d int64 tensor."""
        made = dims_tensor(self, tuple(shape))
        self.extents[made] = tuple(shape)
        return made

    def channels_first(self, x: str, spatial: int, make: Callable[[str], str]) -> str:
        """make(x) for an operator that wants the channels second; x and the result have them last."""
        first = make(self.transpose(x, [0, spatial + 1, *range(1, spatial + 1)]))
        return self.transpose(first, [0, *range(2, spatial + 2), 1])

    def reshape_to_scalar(self, x: str) -> str:
        """The one element of x, without dimensions."""
        return str(self.node("Reshape", x, self.constant(np.zeros(0, np.int64))))

    def loop_body(
        self, inputs: dict[str, TensorType], outputs: dict[str, TensorType], nodes: list[OnnxNode]
    ) -> OnnxGraph:
        """What a loop repeats, of nodes that were made `inside`."""
        return OnnxGraph(inputs, outputs, nodes, {})

    @contextmanager
    def inside(self) -> Iterator[list[OnnxNode]]:
        """Nodes made inside go into the list given, and nothing outside may read them."""
        outer, once, scope = self.nodes, dict(self._once), self.scope
        self.nodes = []
        try:
            yield self.nodes
        finally:
            self.nodes, self.scope = outer, scope
            self._once = once | {k: name for k, name in self._once.items() if name in self.constants}

    # --- undoing --------------------------------------------------------------------------------------------

    def mark(self) -> int:
        """A point to go back to."""
        return len(self.nodes)

    def undo(self, mark: int) -> None:
        """Forget the nodes made since `mark`."""
        gone = {name for node in self.nodes[mark:] for name in node.outputs}
        del self.nodes[mark:]
        for name in gone:
            self._makers.pop(name, None)
            self.types.pop(name, None)
        self._named -= gone
        self._counts -= gone
        self._once = {key: name for key, name in self._once.items() if name not in gone}
