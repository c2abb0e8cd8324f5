"""Moves transposes towards the outputs until pairs of them meet and vanish.

Our tensors have channels last, ONNX's convolutions and pools have them second, so each of those comes
between two transposes. Elementwise operators work in any layout: a transpose of their input is as good after
them. A reduction works in any layout over other axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kcompile.export.onnx import shapes
from kcompile.export.onnx.along import ALONG, POSITIONS, TOGETHER, derived, reduced_axes
from kcompile.export.onnx.graph import OnnxGraph, OnnxNode

# fmt: off
UNARY = frozenset([
    "Relu", "LeakyRelu", "Sigmoid", "Tanh", "Elu", "Selu", "Celu", "Softplus", "Softsign", "HardSigmoid",
    "HardSwish", "Gelu", "Mish", "Exp", "Log", "Sqrt", "Abs", "Neg", "Sign", "Floor", "Ceil", "Round",
    "Reciprocal", "Erf", "Sin", "Cos", "Tan", "Atan", "Not", "Cast", "IsNaN", "IsInf", "Clip",
])
VARIADIC = frozenset([
    "Add", "Sub", "Mul", "Div", "Mean", "Pow", "Max", "Min", "Where", "PRelu", "Equal", "Less", "Greater",
    "LessOrEqual", "GreaterOrEqual", "And", "Or", "Xor", "Mod",
])
# fmt: on
PICKY = ("MatMul", "LayerNormalization", "RMSNormalization")  # work along axes, but want them last
PLAIN, TURNED = "plain", "turned"


@dataclass(frozen=True)
class Permuted:
    """A tensor that is Transpose(source, perm)."""

    source: str
    perm: tuple[int, ...]


def sink_transposes(graph: OnnxGraph) -> None:
    """Move transposes below elementwise operators, and drop those that cancel."""
    pass_ = _Sinking(graph)
    for node in graph.nodes:
        pass_.visit(node)
    graph.nodes = pass_.nodes


def layouts(graph: OnnxGraph) -> tuple[dict[str, set[str]], dict[str, list[OnnxNode]]]:
    """In which layouts what depends on a tensor needs it in the end; the nodes that need it as it is."""
    wanted: dict[str, set[str]] = {}
    fixed: dict[str, list[OnnxNode]] = {}
    for node in reversed(graph.nodes):
        after = {layout for name in node.outputs for layout in wanted.get(name, ())}
        passes = moves(node)
        any_way = node.op in POSITIONS or node.op.startswith("Reduce") or _letters(node) is not None
        for name in node.reads:
            layouts = wanted.setdefault(name, set())
            layouts |= (
                {TURNED} if node.op == "Transpose" else after if passes else set() if any_way else {PLAIN}
            )
            if PLAIN in layouts and not passes and not any_way and node.op != "Transpose":
                fixed.setdefault(name, []).append(node)
    return wanted, fixed


def moves(node: OnnxNode) -> bool:
    """Does the node let transposes pass?"""
    return node.op in UNARY | VARIADIC | ALONG.keys() - {*PICKY}


def turns(graph: OnnxGraph) -> dict[str, tuple[int, ...]]:
    """How tensors are transposed by the first Transpose that they, or others of their rank, come to."""
    found: dict[str, tuple[int, ...]] = {}
    for node in reversed(graph.nodes):
        perm = found.get(node.outputs[0])
        if node.op == "Transpose":
            found[node.inputs[0]] = tuple(node.attrs["perm"])
        elif perm is not None and moves(node) and node.op != "Reshape":
            types = {name: graph.types.get(name) for name in node.inputs}
            found |= {name: perm for name, t in types.items() if t is not None and t.rank == len(perm)}
    return found


class _Sinking:
    """One walk over the nodes. `late` holds the transposes that were not written yet."""

    def __init__(self, graph: OnnxGraph):
        self.graph, self.users = graph, graph.users()
        self.wanted, self.fixed = layouts(graph)
        self.turns = turns(graph)
        self.nodes: list[OnnxNode] = []
        self.late: dict[str, Permuted] = {}
        self.written: dict[Permuted, str] = {}  # and under which name
        self.same: dict[str, str] = {}  # transposes that cancelled, and what they give
        self.ways = (
            self._elementwise, self._along, self._convolved, self._multiplied, self._looked_up,
            self._marked, self._reduced, self._contracted,
        )  # fmt: skip

    def visit(self, node: OnnxNode) -> None:
        node = node.renamed(self.same)
        if node.op == "Transpose":
            self._transpose(node)
        elif self._stays(node) or not any(write(node) for write in self.ways):
            for name in node.reads:
                self._write(name)
            self.nodes.append(node)

    def _transpose(self, node: OnnxNode) -> None:
        source, perm = node.inputs[0], tuple(node.attrs["perm"])
        before = self.late.get(source)
        if before is not None:  # Transpose(Transpose(x, a), b) is Transpose(x, a[b])
            source, perm = before.source, tuple(before.perm[p] for p in perm)
        type_ = self.graph.types.get(source)
        shape = tuple(range(len(perm))) if type_ is None else type_.shape
        if shapes.permuted(shape, perm) == shape and shapes.moves_ones(shape, perm):
            self.same[node.outputs[0]] = source
        else:
            self.late[node.outputs[0]] = Permuted(source, perm)

    def _write(self, name: str) -> None:
        """The transposed tensor is needed as it is."""
        found = self.late.get(name)
        if found is None or self.written.get(found) == name:
            return
        if found in self.written:
            self.nodes.append(OnnxNode("Identity", (self.written[found],), (name,)))
            self.same[name] = self.written[found]
            return
        self.written[found] = name
        self.nodes.append(self.graph.transpose(found.source, name, found.perm))

    def _late_result(self, node: OnnxNode, perm: tuple[int, ...]) -> None:
        """A node whose results are to be transposed by `perm`, later."""
        if perm == tuple(range(len(perm))):
            self.nodes.append(node)
            return
        names = {result: f"{result}:before" for result in node.outputs}
        for result, name in names.items():
            type_ = self.graph.types.get(result)
            if type_ is not None:
                shape = shapes.permuted(type_.shape, shapes.inverse(perm))
                self.graph.types[name] = replace(type_, shape=shape)
            self.late[result] = Permuted(name, perm)
        self.nodes.append(replace(node, outputs=tuple(names.values())))

    def _stays(self, node: OnnxNode) -> bool:
        """Are its operands written as they are anyway, and its results not wanted in another way?"""
        late = [name for name in node.inputs if name in self.late]
        return self._is_plain(node) and all(self._is_needed(name, node) for name in late)

    def _is_plain(self, node: OnnxNode) -> bool:
        """Are the results wanted as they are, and in no other way?"""
        return {layout for name in node.outputs for layout in self.wanted.get(name, ())} == {PLAIN}

    def _is_needed(self, name: str, node: OnnxNode | None = None) -> bool:
        """Does anything but a node need the tensor as it is?

        Behind a change of shape it does not meet again what others make of it, so one transpose does for all.
        """
        found = self.fixed.get(name, [])
        if node is not None and node.op == "Reshape":
            found = found + [other for other in self.users[name] if self._is_plain(other)]
        others = (other for other in found if other.outputs != (node and node.outputs))
        return self.late[name] in self.written or any(others)

    # --- operands -------------------------------------------------------------------------------------------

    def _layout(self, node: OnnxNode, names: Sequence[str], widens: bool) -> tuple[int, ...] | None:
        """How all of a node's operands are transposed that are, if it pays to have the others as those were.

        widens: does the operator add dimensions in front of operands that have fewer?
        """
        perms = {self.late[name].perm for name in names if name in self.late}
        if len(perms) != 1:
            return None
        (perm,) = perms
        others = {name for name in names if name not in self.late and not self._is_free(name, perm, widens)}
        return perm if not others or self._is_worth(node, others, perm) else None

    def _is_worth(self, node: OnnxNode, others: set[str], perm: tuple[int, ...]) -> bool:
        """Do transposes of the others take no more than those of the rest and of the result?"""
        types = [self.graph.types.get(name) for name in others]
        saved = {self.late[name] for name in node.inputs if name in self.late and not self._is_needed(name)}
        fit = all(type_ is not None and type_.rank == len(perm) for type_ in types)
        return fit and self.wanted.get(node.outputs[0]) == {TURNED} and len(others) <= len(saved)

    def _is_free(self, name: str, perm: tuple[int, ...], widens: bool) -> bool:
        """Does it take no transpose to have the tensor in the layout that `perm` comes from?"""
        array, type_ = self.graph.constants.get(name), self.graph.types.get(name)
        shape = array.shape if array is not None else type_.shape if type_ is not None else None
        if shape is None or len(shape) > len(perm) or (len(shape) < len(perm) and not widens):
            return False
        if array is not None or Permuted(name, shapes.inverse(perm)) in self.written:
            return True
        wide = (1,) * (len(perm) - len(shape)) + shape
        moved = shapes.permuted(wide, shapes.inverse(perm))
        return shapes.moves_ones(wide, shapes.inverse(perm)) and shapes.template(shape, moved) is not None

    def _before(self, name: str, perm: tuple[int, ...]) -> str:
        """An operand in the layout that `perm` comes from."""
        if name in self.late:
            return self.late[name].source
        order = shapes.inverse(perm)
        array = self.graph.constants.get(name)
        if array is not None:
            full = array.reshape((1,) * (len(perm) - array.ndim) + array.shape)
            if shapes.moves_ones(full.shape, order) and shapes.permuted(full.shape, order) == full.shape:
                return name
            return derived(self.graph, name, f"before{''.join(map(str, perm))}", np.transpose(full, order))
        if Permuted(name, order) not in self.written:
            self._turn(name, order)
        return self.written[Permuted(name, order)]

    def _turn(self, name: str, order: tuple[int, ...]) -> None:
        """Write the tensor, with dimensions in front if it has fewer, transposed; reshaped, if that does."""
        type_, made = self.graph.types[name], f"{name}:turned{''.join(map(str, order))}"
        wide = (1,) * (len(order) - type_.rank) + type_.shape
        moved = shapes.permuted(wide, order)
        stays = shapes.moves_ones(wide, order)  # each element
        target = shapes.template(type_.shape, moved) if stays else None
        self.written[Permuted(name, order)] = made
        if all(d == 1 for d in wide) or (stays and moved == type_.shape):
            self.written[Permuted(name, order)] = name
        elif target is not None:
            inputs = (name, derived(self.graph, made, "shape", target))
            self.nodes.append(OnnxNode("Reshape", inputs, (made,)))
            self.graph.types[made] = replace(type_, shape=moved)
        else:
            self.nodes.append(self.graph.transpose(name, made, order))

    # --- kinds of operators ---------------------------------------------------------------------------------

    def _elementwise(self, node: OnnxNode) -> bool:
        """Write an elementwise operator before the transposes of its operands, if that can be."""
        if node.op in VARIADIC:
            perm = self._layout(node, node.inputs, widens=True)
        else:
            late = self.late.get(node.inputs[0]) if node.op in UNARY else None
            perm = None if late is None else late.perm
        if perm is None:
            return False
        count = len(node.inputs) if node.op in VARIADIC else 1  # bounds of Clip are numbers
        inputs = (*(self._before(name, perm) for name in node.inputs[:count]), *node.inputs[count:])
        self._late_result(replace(node, inputs=inputs), perm)
        return True

    def _along(self, node: OnnxNode) -> bool:
        """Write an operator that works along axes before the transposes of its inputs, if that can be."""
        moving = node.inputs[: None if node.op in TOGETHER else 1]
        perm = self._layout(node, moving, widens=False) if node.op in ALONG else None
        changed = None if perm is None else ALONG[node.op](self.graph, node, perm)
        if perm is None or changed is None:
            return False
        attrs, rest, *other = changed
        inputs = (*(self._before(name, perm) for name in moving), *rest)
        made = replace(node, inputs=inputs, attrs={**node.attrs, **attrs})
        self._late_result(made, other[0] if other else perm)
        return True

    def _convolved(self, node: OnnxNode) -> bool:
        """Write a product over channels, where they are second, as the convolution of size 1 that it is."""
        late = self.late.get(node.inputs[0]) if node.op == "MatMul" else None
        matrix = self.graph.constants.get(node.inputs[1]) if late is not None else None
        if late is None or matrix is None or matrix.ndim != 2 or matrix.dtype != np.float32:
            return False
        spatial = len(late.perm) - 2
        if (
            spatial < 1
            or late.perm != (0, *range(2, spatial + 2), 1)
            or self._is_needed(node.inputs[0], node)
        ):
            return False
        kernel = matrix.T.reshape(*matrix.shape[::-1], *(1,) * spatial)
        name = derived(self.graph, node.inputs[1], f"convolution{spatial}", kernel)
        ones = [1] * spatial
        attrs = {"strides": ones, "pads": [0] * (2 * spatial), "dilations": ones, "group": 1}
        label = node.label_as("Conv")
        self._late_result(
            replace(node, op="Conv", inputs=(late.source, name), attrs=attrs, label=label), late.perm
        )
        return True

    def _multiplied(self, node: OnnxNode) -> bool:
        """A product of matrices that are turned is the turned product of the other order."""
        late = {self.late[name] for name in node.inputs if name in self.late}
        known = all(name in self.late or name in self.graph.constants for name in node.inputs)
        perm = self._layout(node, node.inputs, widens=False) if node.op == "MatMul" and known else None
        if perm is None or len(perm) == 2:  # Gemm turns matrices itself
            return False
        pays = len(late) > 1 or self.wanted.get(node.outputs[0]) == {TURNED}
        if not pays or perm != (*range(len(perm) - 2), len(perm) - 1, len(perm) - 2):
            return False
        inputs = tuple(self._before(name, perm) for name in node.inputs[::-1])
        self._late_result(replace(node, inputs=inputs), perm)
        return True

    def _looked_up(self, node: OnnxNode) -> bool:
        """Look up positions in a table before they are transposed: what it has of each are axes behind."""
        late = self.late.get(node.inputs[1]) if node.op == "Gather" else None
        table = self.graph.constants.get(node.inputs[0]) if late is not None else None
        if late is None or table is None or PLAIN in self.wanted.get(node.outputs[0], {PLAIN}):
            return False
        first, rank = node.attrs.get("axis", 0) % table.ndim, len(late.perm)
        moved = (*range(first), *(first + p for p in late.perm), *range(first + rank, rank + table.ndim - 1))
        self._late_result(replace(node, inputs=(node.inputs[0], late.source)), moved)
        return True

    def _marked(self, node: OnnxNode) -> bool:
        """OneHot has its new axis where the result will have it, as far as is known."""
        type_ = self.graph.types.get(node.inputs[0]) if node.op == "OneHot" else None
        if type_ is None or PLAIN in self.wanted.get(node.outputs[0], {PLAIN}):
            return False
        late, rank = self.late.get(node.inputs[0]), type_.rank
        source, perm = (node.inputs[0], range(rank)) if late is None else (late.source, late.perm)
        place = node.attrs.get("axis", -1) % (rank + 1)
        for axis in range(rank + 1):
            old = [p + (p >= axis) for p in perm]
            after = (*old[:place], axis, *old[place:])
            if shapes.permuted(after, self.turns.get(node.outputs[0], ())) == (*range(rank + 1),):
                break
        made = replace(node, inputs=(source, *node.inputs[1:]), attrs={**node.attrs, "axis": axis})
        self._late_result(made, after)
        return True

    def _reduced(self, node: OnnxNode) -> bool:
        """Reduce the same elements before the transpose, which becomes one of the axes that are left."""
        before, axes = self.late.get(node.inputs[0]) if node.inputs else None, reduced_axes(self.graph, node)
        if before is None or axes is None:
            return False
        perm = before.perm
        gone = [perm[a] for a in axes]  # negative ones too
        left = perm if node.attrs.get("keepdims", 1) else tuple(p for p in perm if p not in gone)
        ranks = {p: k for k, p in enumerate(sorted(left))}
        inputs, attrs = [before.source], dict(node.attrs)
        if node.op in POSITIONS:
            attrs["axis"] = gone[0]
        elif "axes" in attrs:
            attrs["axes"] = gone
        else:
            inputs.append(derived(self.graph, node.outputs[0], "axes", np.array(gone, np.int64)))
        made = replace(node, inputs=tuple(inputs), attrs=attrs)
        self._late_result(made, tuple(ranks[p] for p in left))
        return True

    def _contracted(self, node: OnnxNode) -> bool:
        """Einsum names its axes: operands are read from before their transposes, and the result is made as
        it will be wanted.
        """
        letters = _letters(node)
        if letters is None:
            return False
        *operands, result = letters
        after = tuple(range(len(result)))
        if self.wanted.get(node.outputs[0]) == {TURNED} and node.outputs[0] in self.turns:
            after = shapes.inverse(self.turns[node.outputs[0]])
        inputs, texts = [], []
        for name, text in zip(node.inputs, operands, strict=True):
            before = self.late.get(name)
            inputs.append(name if before is None else before.source)
            texts.append(text if before is None else _moved(text, before.perm))
        equation = f"{','.join(texts)}->{_moved(result, after)}"
        self._late_result(replace(node, inputs=tuple(inputs), attrs={"equation": equation}), after)
        return True


def _letters(node: OnnxNode) -> list[str] | None:
    """The axes of an Einsum's operands and of its result; None for other nodes, and with axes unnamed."""
    left, arrow, result = node.attrs.get("equation", "").replace(" ", "").partition("->")
    return [*left.split(","), result] if arrow and "." not in left else None


def _moved(text: str, perm: Sequence[int]) -> str:
    """The letters of the axes that a transpose by `perm` gives, as they stand before it."""
    return "".join(text[k] for k in shapes.inverse(perm))
