"""Values of a loop's body for all steps at once: the steps become a leading axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kcompile.core.symbolic import Int
from kcompile.ir.graph import Value, set_origin
from kcompile.ir.op import REGISTRY
from kcompile.ops import movement, reduce

Known = Mapping[Value, Value]


@dataclass(frozen=True)
class Part:
    """Something to compute outside the loop.

    needs: values of the body that must be known outside, those of all steps stacked. make: the result, from
    them.
    is_stacked: does the result have the steps as its first axis (or is it the same in every step)?
    """

    needs: tuple[Value, ...]
    make: Callable[[Known], Value]
    is_stacked: bool
    origin: str = ""

    def build(self, known: Known) -> Value:
        before = set_origin(self.origin)
        try:
            return self.make(known)
        finally:
            set_origin(before)


class Batching:
    """What can be computed for all steps at once.

    stacked: parameters whose values of all steps lie outside already (None: any value may be stacked).
    same: parameters that are the same in every step.
    """

    def __init__(self, steps: int | Int, stacked: set[Value] | None, same: set[Value]) -> None:
        self.steps, self.stacked, self.same = steps, stacked, same

    def each(self, v: Value, stored: frozenset[Value]) -> Part | None:
        """v in every step, or None where that cannot be done. stored: values to be stacked as they are."""
        if v in self.same:
            return Part((v,), lambda known: known[v], False, v.node.origin)
        if v.op.name == "constant":
            return Part((), lambda known: v, False)
        if v in stored or (self.stacked is not None and v in self.stacked):
            return Part((v,), lambda known: known[v], True, v.node.origin)
        if not v.node.inputs:
            return None
        parts = [self.each(x, stored) for x in v.node.inputs]
        if any(p is None for p in parts):
            return None
        found = [p for p in parts if p is not None]
        needs = tuple(x for p in found for x in p.needs)
        if not any(p.is_stacked for p in found):
            return Part(needs, lambda known: _again(v, [p.build(known) for p in found]), False, v.node.origin)
        rule = _EACH.get(v.op.name)
        if rule is None:
            return None
        flags = [p.is_stacked for p in found]
        return Part(
            needs,
            lambda known: rule(v, [p.build(known) for p in found], flags, self.steps),
            True,
            v.node.origin,
        )

    def total(self, v: Value) -> Part | None:
        """The sum of v over all steps, or None where adding up in the loop is better."""
        name, inputs = v.op.name, v.node.inputs
        if name == "add" and all(x.type == v.type for x in inputs):
            return self._of_totals(v, inputs)
        if name in ("transpose", "reshape", "negative"):
            return self._of_totals(v, inputs)
        if name == "contract":
            return self._product(v)
        if name == "sum":
            return self._sum(v)
        return None

    def _of_totals(self, v: Value, inputs: tuple[Value, ...]) -> Part | None:
        found = [self.total(x) for x in inputs]
        if any(p is None for p in found):
            return None
        parts = [p for p in found if p is not None]
        needs = tuple(x for p in parts for x in p.needs)
        return Part(needs, lambda known: _again(v, [p.build(known) for p in parts]), False, v.node.origin)

    def _product(self, v: Value) -> Part | None:
        flags = [x not in self.same and x.op.name != "constant" for x in v.node.inputs]
        parts = [
            self.each(x, frozenset() if not f else frozenset([x]))
            for x, f in zip(v.node.inputs, flags, strict=True)
        ]
        if any(p is None for p in parts):
            return None
        found = [p for p in parts if p is not None]
        needs = tuple(x for p in found for x in p.needs)

        def make(known: Known) -> Value:
            attrs = v.node.attrs
            step = len(attrs["shape"]) + len(attrs["over"])
            return _contract(
                v, [p.build(known) for p in found], flags, step, over=(*attrs["over"], self.steps)
            )

        return Part(needs, make, False, v.node.origin)

    def _sum(self, v: Value) -> Part | None:
        [x], attrs = v.node.inputs, v.node.attrs
        if x.dtype != v.dtype:
            return None

        def make(known: Known) -> Value:
            axes = (0, *(a + 1 for a in attrs["axes"]))
            y = reduce.sum(known[x], axis=axes)
            return movement.reshape(y, v.shape)

        return Part((x,), make, False, v.node.origin)


def _again(v: Value, inputs: list[Value]) -> Value:
    return v.op(*inputs, **v.node.attrs)


def _contract(v: Value, operands: list[Value], flags: list[bool], step: int, **changed: Any) -> Value:
    """The contraction with one more axis, number `step`, that leads the operands which are stacked."""
    attrs = v.node.attrs
    maps = [attrs["x_map"], attrs["w_map"]]
    if "shape" in changed:  # the new axis comes first: all others move up by one
        maps = [tuple(tuple((c, a + 1) for c, a in terms) for terms in m) for m in maps]
    maps = [(((1, step),), *m) if f else m for m, f in zip(maps, flags, strict=True)]
    return REGISTRY["contract"](*operands, **{**attrs, **changed, "x_map": maps[0], "w_map": maps[1]})


def _each_contract(v: Value, xs: list[Value], flags: list[bool], steps: Any) -> Value:
    return _contract(v, xs, flags, 0, shape=(steps, *v.node.attrs["shape"]))


def _each_reshape(v: Value, xs: list[Value], flags: list[bool], steps: Any) -> Value:
    return movement.reshape(xs[0], (steps, *v.shape))


def _each_transpose(v: Value, xs: list[Value], flags: list[bool], steps: Any) -> Value:
    return movement.transpose(xs[0], (0, *(a + 1 for a in v.node.attrs["axes"])))


_EACH: dict[str, Callable[..., Value]] = {
    "contract": _each_contract,
    "reshape": _each_reshape,
    "transpose": _each_transpose,
}
