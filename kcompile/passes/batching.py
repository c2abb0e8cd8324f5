"""Values of a loop's body for all steps at once: the steps become a leading axis."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from kcompile.core.symbolic import Int
from kcompile.ir.graph import Value, set_origin
from kcompile.ir.traits import Leaf
from kcompile.ops import movement, reduce
from kcompile.ops.batched import batched_op

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
        if v.op.leaf is Leaf.CONSTANT:
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
        if not v.op.has("batch") and not v.op.has("scalar"):
            return None
        return _made_of(v, found, True, lambda xs: _each(v, xs, flags, self.steps))

    def _parts(self, inputs: Sequence[Value], stored: Sequence[frozenset[Value]]) -> list[Part] | None:
        parts = [self.each(x, s) for x, s in zip(inputs, stored, strict=True)]
        found = [p for p in parts if p is not None]
        return found if len(found) == len(parts) else None

    def total(self, v: Value) -> Part | None:
        """The sum of v over all steps, or None where adding up in the loop is better."""
        inputs = v.node.inputs
        if v.op.traits.linear and (len(inputs) == 1 or all(x.type == v.type for x in inputs)):
            return self._of_totals(v, inputs)
        if v.op.has("batch_sum") and all(x.dtype == v.dtype for x in inputs):
            return self._together(v, inputs)
        return None if self.stacked is None else self._sum(v)

    def _of_totals(self, v: Value, inputs: tuple[Value, ...]) -> Part | None:
        parts = [self.total(x) for x in inputs]
        found = [p for p in parts if p is not None]
        if len(found) < len(parts):
            return None
        return _made_of(v, found, False, lambda xs: v.op(*xs, **v.node.attrs))

    def _together(self, v: Value, inputs: tuple[Value, ...]) -> Part | None:
        """The sum over all steps as one op on what is stacked."""
        changes = [x not in self.same and x.op.leaf is not Leaf.CONSTANT for x in inputs]
        alone = [self._alone(x) if c else frozenset() for x, c in zip(inputs, changes, strict=True)]
        found = self._parts(inputs, alone)
        flags = tuple(p.is_stacked for p in found or ())
        if found is None or not any(flags):
            return None
        rule = v.op.rules["batch_sum"]
        return _made_of(v, found, False, lambda xs: rule(v.type, xs, flags, self.steps, **v.node.attrs))

    def _sum(self, v: Value) -> Part | None:
        found = self._parts([v], [self._alone(v)])
        if found is None or not found[0].is_stacked:
            return None
        return _made_of(v, found, False, lambda xs: movement.reshape(reduce.sum(xs[0], axis=(0,)), v.shape))

    def _alone(self, x: Value) -> frozenset[Value]:
        """x as a value to be stacked, where any may be."""
        return frozenset([x] if self.stacked is None else [])


def _made_of(v: Value, parts: list[Part], is_stacked: bool, make: Callable[[list[Value]], Value]) -> Part:
    needs = frozenset(x for p in parts for x in p.needs)
    return Part(needs, lambda known: make([p.build(known) for p in parts]), is_stacked, v.node.origin)


def _each(v: Value, xs: list[Value], stacked: tuple[bool, ...], steps: int | Int) -> Value:
    """The op on all steps at once: by its own rule, or element by element."""
    found: Value
    if v.op.has("batch"):
        found = v.op.rules["batch"](v.type, xs, stacked, steps, **v.node.attrs)
    else:
        found = batched_op(*xs, name=v.op.name, attrs=v.node.attrs, steps=steps, stacked=stacked)
    return found
