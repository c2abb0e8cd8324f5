"""What an op declares of itself, so that passes and the schedule need not know it by its name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Leaf(Enum):
    """Where the value of an op without inputs comes from."""

    CONSTANT = "constant"  # the attribute `value`
    PARAMETER = "parameter"  # given to each run
    VARIABLE = "variable"  # state that outlives a run
    MEMORY = "memory"  # filled by kernels of the plan's own


@dataclass(frozen=True)
class Traits:
    """Properties of an op. What is not declared is not relied on.

    leaf            the value is not computed.
    contraction     y[o] = sum over r of x[X(o, r)] * w[W(o, r)]; attributes shape, over, x_map, w_map.
    linear          jointly linear in all inputs: f(a + b) = f(a) + f(b), element by element.
    monoid          the associative, commutative operation that an op of two inputs is: "sum" or "product".
    right_identity  f(x, e) has the bits of x for this number e.
    relation        the order relation that a predicate of two inputs tests: ">".
    selects         the second input where the first one holds, else the third.
    sums            the sum over the attribute axes, which have extent 1 where the attribute keepdims is true.
    moves           each element of the value is one of the only input's, or the attribute `value` (padding).
    pads            the only input inside of a border; attributes before, after (negative: cut off), inner
                    (gaps between elements), value.
    slices          a part of the only input; attributes start, size, step.
    reshapes        the same elements in row-major order; attribute shape.
    converts        each element is the same number in another dtype, as near as that dtype has it.
    orders          the positions (int32) of the last axis's elements in their stable order, ascending or
                    `descending`, NaN above all numbers, -0 equal to 0; the first `count` of them.
    transparent     the value is the first input's; only gradients tell the two apart.
    """

    leaf: Leaf | None = None
    contraction: bool = False
    linear: bool = False
    monoid: str | None = None
    right_identity: float | None = None
    relation: str | None = None
    selects: bool = False
    sums: bool = False
    moves: bool = False
    pads: bool = False
    slices: bool = False
    reshapes: bool = False
    converts: bool = False
    orders: bool = False
    transparent: bool = False


NONE = Traits()
