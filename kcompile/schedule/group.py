"""A kernel in the making: the values that it computes, and their expressions."""

from __future__ import annotations

from kcompile.ir import loops
from kcompile.ir.border import Border
from kcompile.ir.graph import Node, Value
from kcompile.ir.loops import Axis, Expr, Index
from kcompile.ir.views import flat_offset
from kcompile.schedule.contraction import Contraction
from kcompile.schedule.lower import Elements, loads, reductions


class Group:
    """A kernel in the making: values over shared outer axes, perhaps the epilogue of a contraction.

    node: a node that is a kernel by itself. borders: padded values in which the contraction's box is stored.
    """

    def __init__(
        self, axes: tuple[Axis, ...], contraction: Contraction | None = None, node: Node | None = None
    ):
        self.axes = axes
        self.contraction = contraction
        self.node = node
        self.index: dict[Value, Index] = {}  # each value's own index, beginning with the shared axes
        self.exprs: dict[Value, Expr] = {}
        self.borders: dict[Value, Border] = {}
        self.reads: set[Value] = set()
        self.number = 0
        self.rank = 0  # never above that of a kernel which reads this one

    def refresh(self, named: set[Value]) -> None:
        """Expressions and reads from the present members.

        Raises: NotElementwise if one of them reads the contraction elsewhere than at its own element.
        """
        if self.node is not None:
            self.reads = set(self.node.inputs)
            return
        elements = GroupElements(named, self)
        self.exprs = {v: self._expr(v, elements) for v in self.index}
        self.reads = {load.attr[0] for e in self.exprs.values() for load in loads(e)}
        if self.contraction is not None:
            self.reads |= {self.contraction.a.base, self.contraction.b.base}

    def fits_epilogue(self) -> bool:
        """Is all that follows the contraction elementwise in its own order, without reductions of its own?"""
        assert self.contraction is not None
        value = self.contraction.value
        own = flat_offset(value, self.index[value])
        for v, index in self.index.items():
            if v in self.borders:  # at its own element, too, but for the border
                continue
            if v.type.size != value.type.size or flat_offset(v, index) != own:
                return False
        return not any(reductions(e) for e in self.exprs.values())

    def _expr(self, v: Value, elements: Elements) -> Expr:
        if v in self.borders:  # inside of the border: what is padded
            assert self.contraction is not None
            return elements.at(v.node.inputs[0], self.index[self.contraction.value])
        return elements.compute(v, self.index[v])


class GroupElements(Elements):
    """Expressions inside one group: its own values are computed, a contraction's element is `acc`."""

    def __init__(self, named: set[Value], group: Group):
        super().__init__(named - set(group.index))
        self.group = group

    def compute(self, value: Value, index: Index) -> Expr:
        contraction = self.group.contraction
        if contraction is not None and value is contraction.value:
            if index != self.group.index[value]:
                raise NotElementwise
            return loops.accumulator(value.dtype)
        return super().compute(value, index)


def is_alone(node: Node) -> bool:
    """Is it a kernel by itself, with its inputs in memory: a loop with its body, the order of rows?"""
    return node.op.has_bodies or node.op.traits.orders


class NotElementwise(Exception):
    """An epilogue reads its contraction elsewhere than at its own element."""
