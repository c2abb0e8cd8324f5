"""Values of a loop's body for all steps at once: the steps become a leading axis."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from kcompile.core.symbolic import Int
from kcompile.ir.graph import Value, set_origin
from kcompile.ir.op import REGISTRY
from kcompile.ops import movement, reduce

Known = MutableMapping[Any, Value]


@dataclass(frozen=True, eq=False)
class Part:
    """Something to compute outside the loop.

    needs: values of the body that must be known outside, those of all steps stacked. make: the result, from
    them.
    is_stacked: does the result have the steps as its first axis (or is it the same in every step)?
    """

    needs: frozenset[Value]
    make: Callable[[Known], Value]
    is_stacked: bool
    origin: str = ""

    def build(self, known: Known) -> Value:
        """The result; what is made once is remembered in `known`."""
        if self not in known:
            before = set_origin(self.origin)
            try:
                known[self] = self.make(known)
            finally:
                set_origin(before)
        return known[self]


class Batching:
    """What can be computed for all steps at once.

    stacked: parameters whose values of all steps lie outside already (None: any value may be stacked).
    same: parameters that are the same in every step.
    """

    def __init__(self, steps: int | Int, stacked: set[Value] | None, same: set[Value]) -> None:
        self.steps, self.stacked, self.same = steps, stacked, same
        self._found: dict[tuple[Value, frozenset[Value]], Part | None] = {}

    def each(self, v: Value, stored: frozenset[Value]) -> Part | None:
        """v in every step, or None where that cannot be done. stored: values to be stacked as they are."""
        key = (v, stored)
        if key not in self._found:
            self._found[key] = self._each(v, stored)
        return self._found[key]

    def _each(self, v: Value, stored: frozenset[Value]) -> Part | None:
        if v in self.same:
            return Part(frozenset([v]), lambda known: known[v], False, v.node.origin)
        if v.op.name == "constant":
            return Part(frozenset(), lambda known: v, False)
        if v in stored or (self.stacked is not None and v in self.stacked):
            return Part(frozenset([v]), lambda known: known[v], True, v.node.origin)
        if not v.node.inputs or len(v.node.values) > 1:
            return None
        found = self._parts(v.node.inputs, [stored] * len(v.node.inputs))
        if found is None:
            return None
        flags = tuple(p.is_stacked for p in found)
        if not any(flags):
            return _made_of(v, found, False, lambda xs: v.op(*xs, **v.node.attrs))
        rule = _EACH.get(v.op.name) or (_each_scalar if v.op.has("scalar") else None)
        if rule is None:
            return None
        return _made_of(v, found, True, lambda xs: rule(v, xs, flags, self.steps))

    def _parts(self, inputs: Sequence[Value], stored: Sequence[frozenset[Value]]) -> list[Part] | None:
        parts = [self.each(x, s) for x, s in zip(inputs, stored, strict=True)]
        found = [p for p in parts if p is not None]
        return found if len(found) == len(parts) else None

    def total(self, v: Value) -> Part | None:
        """The sum of v over all steps, or None where adding up in the loop is better."""
        name, inputs = v.op.name, v.node.inputs
        if name == "add" and all(x.type == v.type for x in inputs):
            return self._of_totals(v, inputs)
        if name in ("transpose", "reshape", "negative"):
            return self._of_totals(v, inputs)
        if name == "contract":
            return self._product(v)
        if name == "sum" and inputs[0].dtype == v.dtype:
            return self._sum(v, inputs[0], (0, *(a + 1 for a in v.node.attrs["axes"])))
        return None if self.stacked is None else self._sum(v, v, (0,))

    def _of_totals(self, v: Value, inputs: tuple[Value, ...]) -> Part | None:
        parts = [self.total(x) for x in inputs]
        found = [p for p in parts if p is not None]
        if len(found) < len(parts):
            return None
        return _made_of(v, found, False, lambda xs: v.op(*xs, **v.node.attrs))

    def _product(self, v: Value) -> Part | None:
        inputs, attrs = v.node.inputs, v.node.attrs
        flags = tuple(x not in self.same and x.op.name != "constant" for x in inputs)
        found = self._parts(
            inputs, [self._alone(x) if f else frozenset() for x, f in zip(inputs, flags, strict=True)]
        )
        if found is None:
            return None
        flags = tuple(p.is_stacked for p in found)
        step, over = len(attrs["shape"]) + len(attrs["over"]), (*attrs["over"], self.steps)
        return _made_of(v, found, False, lambda xs: _contract(v, xs, flags, step, over=over))

    def _sum(self, v: Value, x: Value, axes: tuple[int, ...]) -> Part | None:
        found = self._parts([x], [self._alone(x)])
        if found is None or not found[0].is_stacked:
            return None
        return _made_of(v, found, False, lambda xs: movement.reshape(reduce.sum(xs[0], axis=axes), v.shape))

    def _alone(self, x: Value) -> frozenset[Value]:
        """x as a value to be stacked, where any may be."""
        return frozenset([x] if self.stacked is None else [])


def _made_of(v: Value, parts: list[Part], is_stacked: bool, make: Callable[[list[Value]], Value]) -> Part:
    needs = frozenset(x for p in parts for x in p.needs)
    return Part(needs, lambda known: make([p.build(known) for p in parts]), is_stacked, v.node.origin)


def _contract(v: Value, operands: list[Value], flags: Sequence[bool], step: int, **changed: Any) -> Value:
    """The contraction with one more axis, number `step`, that leads the operands which are stacked."""
    attrs = v.node.attrs
    maps = [attrs["x_map"], attrs["w_map"]]
    if "shape" in changed:  # the new axis comes first: all others move up by one
        maps = [tuple(tuple((c, a + 1) for c, a in terms) for terms in m) for m in maps]
    maps = [(((1, step),), *m) if f else m for m, f in zip(maps, flags, strict=True)]
    return REGISTRY["contract"](*operands, **{**attrs, **changed, "x_map": maps[0], "w_map": maps[1]})


def _each_contract(v: Value, xs: list[Value], flags: Sequence[bool], steps: Any) -> Value:
    return _contract(v, xs, flags, 0, shape=(steps, *v.node.attrs["shape"]))


def _each_reshape(v: Value, xs: list[Value], flags: Sequence[bool], steps: Any) -> Value:
    return movement.reshape(xs[0], (steps, *v.shape))


def _each_transpose(v: Value, xs: list[Value], flags: Sequence[bool], steps: Any) -> Value:
    return movement.transpose(xs[0], (0, *(a + 1 for a in v.node.attrs["axes"])))


def _each_scalar(v: Value, xs: list[Value], flags: Sequence[bool], steps: Any) -> Value:
    """Any op that says what one of its elements is."""
    return REGISTRY["batched"](*xs, name=v.op.name, attrs=v.node.attrs, steps=steps, stacked=tuple(flags))


_EACH: dict[str, Callable[..., Value]] = {
    "contract": _each_contract,
    "reshape": _each_reshape,
    "transpose": _each_transpose,
}
