"""Unroll and jam: steps of the loop around the innermost one that load the same are taken together.

Outputs of a stencil that lie side by side share the weights of its taps and most of their pixels; one by one,
each loads all of them anew.
"""

from __future__ import annotations

from itertools import product as combinations

from kcompile.codegen.expressions import is_unrolled
from kcompile.codegen.nest import column_reductions
from kcompile.core import symbolic
from kcompile.core.dynamic import Dynamic
from kcompile.core.symbolic import Atom, FloorDiv, Int
from kcompile.ir import loops
from kcompile.ir.graph import Value
from kcompile.ir.loops import Axis, Expr, axis_of
from kcompile.ir.views import flat_offset

STEPS = 3  # with 4, LLVM gives the loop up: half the speed instead of twice
MOST_COLUMNS = 5  # steps that become sums beside each other
MOST_TAPS = 9  # of a window, whose sums are beside each other
FEWEST = 8  # loads of a step
NARROW = 4  # steps of an innermost axis that are stores beside each other
LONG = 8  # steps of the axis around it
SHARED = 0.7  # of the loads of all steps may be different ones
ROWS_AT_A_TIME = 4  # of a column sum
LONGEST = 400  # parts of expressions, written out for all steps

Place = tuple[Value, "int | Int"]
Places = dict[Atom, "int | Int"]  # a step of an axis


def steps_together(exprs: list[Expr], axis: Axis) -> int:
    """How many steps along `axis` are worth taking together: 1 where they share too little."""
    alone: set[Place] = set()
    for e in exprs:
        places = _places(e)
        if places is None:
            return 1
        alone |= places
    if len(alone) < FEWEST or STEPS * (2 * len(alone) + sum(len(loops.walk(e)) for e in exprs)) > LONGEST:
        return 1
    return STEPS if _share(alone, axis, STEPS) <= SHARED else 1


def beside_each_other(axes: list[Axis], stores: list[Expr]) -> tuple[list[Axis], list[Places]] | None:
    """A few steps of the innermost axis as stores of their own, in a vector loop over what is left: the axes
    of that loop and around it, and where each of the stores is. None where the axis is better as it is.

    Either all steps of a short axis, or, where something changes with each few steps only (a channel that
    several filters read), as many. LLVM loads and stores such groups of two to four together.
    """
    *outer, axis = axes
    extent = axis.extent
    if not isinstance(extent, int):
        return None
    steps = extent if 1 < extent <= NARROW else _repeats(axis, stores)
    if steps is None or steps * sum(len(loops.walk(e)) for e in stores) > LONGEST // ROWS_AT_A_TIME:
        return None
    if steps < extent:
        beside = Axis(extent // steps)
        return [*outer, beside], [{axis: Int.of(beside) * steps + step} for step in range(steps)]
    if not outer or (isinstance(outer[-1].extent, int) and outer[-1].extent < LONG):
        return None
    if any(len(column_reductions(e, outer[-1])) < len(loops_of(e)) for e in stores):
        return None  # a loop of its own for each step
    return outer, [{axis: step} for step in range(steps)]


def _repeats(axis: Axis, stores: list[Expr]) -> int | None:
    """The number of steps after which something changes that is the same in between."""
    parts = dict.fromkeys(p for e in stores for p in loops.walk(e))
    offsets = [flat_offset(*p.attr) if p.op == "load" else p.attr for p in parts if p.op in ("load", "index")]
    atoms = {a for o in offsets if isinstance(o, Int) for a in o.atoms()}
    found = {a.divisor for a in atoms if isinstance(a, FloorDiv) and axis_of(a.numerator) is axis}
    steps = found.pop() if len(found) == 1 else None
    if not isinstance(steps, int) or steps > NARROW or not isinstance(axis.extent, int):
        return None
    whole = axis.extent % steps == 0 and axis.extent // steps >= LONG
    return steps if whole and not any(map(loops_of, stores)) else None


def loops_of(e: Expr) -> list[Expr]:
    """The reductions that are not written out."""
    return [p for p in loops.walk(e) if p.op == "reduce" and not is_unrolled(p)]


def columns_together(reductions: list[Expr], axis: Axis) -> int:
    """The same for sums down columns, whose loops are long: each pass over memory serves all steps."""
    parts = [p for r in reductions for p in loops.walk(r.args[0])]
    if any(p.op in ("guard", "reduce") for p in parts) or not isinstance(axis.extent, int):
        return 1
    alone = {_place(p, {}) for p in parts if p.op == "load"}
    steps = axis.extent if axis.extent <= MOST_COLUMNS else STEPS
    if steps * len(parts) > LONGEST // ROWS_AT_A_TIME:
        return 1
    return steps if steps > 1 and _share(alone, axis, steps) <= SHARED else 1


def window_together(axes: list[Axis], stores: list[Expr]) -> tuple[list[Axis], list[Places]] | None:
    """All steps of two short axes as stores of their own, where their sums down columns load mostly the same:
    the taps of a window, each of which would go through both images anew. The same is returned.
    """
    *outer, axis = axes
    taps = [(a, range(a.extent)) for a in outer[-2:] if isinstance(a.extent, int)]
    if len(taps) < 2 or not all(1 < len(steps) <= MOST_COLUMNS for _, steps in taps):
        return None
    parts = [p for e in stores for r in column_reductions(e, axis) for p in loops.walk(r.args[0])]
    alone = {_place(p, {}) for p in parts if p.op == "load"}
    places: list[Places] = [
        dict(zip((a for a, _ in taps), at, strict=True)) for at in combinations(*(steps for _, steps in taps))
    ]
    if not alone or any(p.op in ("guard", "reduce") for p in parts) or len(places) > MOST_TAPS:
        return None
    if len(places) * len(parts) > LONGEST // ROWS_AT_A_TIME or _different(alone, places) > SHARED:
        return None
    return [*outer[:-2], axis], places


def _share(alone: set[Place], axis: Axis, steps: int) -> float:
    """How many of the loads of some steps are different ones."""
    return _different(alone, [{axis: Int.of(axis) + step} for step in range(steps)])


def _different(alone: set[Place], places: list[Places]) -> float:
    together = {(value, symbolic.substitute(offset, at)) for at in places for value, offset in alone}
    return len(together) / (len(places) * max(1, len(alone)))


def _places(e: Expr) -> set[Place] | None:
    """Where an expression loads from, short reductions written out; None where that is not plain."""
    found: set[Place] = set()
    inside: set[Expr] = set()
    parts = loops.walk(e)
    for r in parts:
        if r.op == "reduce":
            if not is_unrolled(r) or any(p.op == "reduce" for p in loops.walk(r.args[0])):
                return None
            inside.update(loops.walk(r.args[0]))
            axes = r.attr[1]
            for position in combinations(*(range(a.extent) for a in axes)):
                env: dict[Atom, int | Int] = dict(zip(axes, position, strict=True))
                found |= {_place(p, env) for p in loops.walk(r.args[0]) if p.op == "load"}
    if any(p.op == "guard" for p in parts):
        return None
    found |= {_place(p, {}) for p in parts if p.op == "load" and p not in inside}
    plain = all(
        not isinstance(o, Int) or not any(isinstance(a, Dynamic) for a in o.atoms()) for _, o in found
    )
    return found if plain else None


def _place(load: Expr, env: dict[Atom, int | Int]) -> Place:
    value, index = load.attr
    return value, symbolic.substitute(flat_offset(value, index), env)
