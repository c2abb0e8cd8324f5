"""A `contract` node as the contraction kernel sees it: which operand is A and which B, and the axes by role
with their strides.

Roles: m axes are in A and the output, n axes in B and the output, k axes in A and B, outer axes in all three
or where a stride is 0. B supplies the vector lanes, so its n axis must lie side by side in memory, or B is
packed first.
The output's innermost axis is stored in lanes too: where it is an m axis, the tile is transposed before it is
stored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from kcompile.core import config, dtypes, symbolic
from kcompile.core.symbolic import Int, product
from kcompile.ir.graph import Node, Value
from kcompile.ir.traits import Leaf
from kcompile.ir.views import View, row_major
from kcompile.kernels.winograd import POINTS, TILE
from kcompile.schedule.lanes import Groups, lane_axis_of
from kcompile.schedule.roles import BATCH_HINT, AxisRole, hint, merge
from kcompile.schedule.target import Target
from kcompile.schedule.views import view_of
from kcompile.schedule.winograd import TAPS, Window, gradient_window_of, window_of

Dim = "int | Int"

PERMUTED = (
    1.5  # times a product's cost: permutations take turns with products, on some CPUs at the same ports
)


@dataclass(frozen=True)
class Contraction:
    """How a contraction is computed."""

    value: Value
    a: View
    b: View
    m: tuple[AxisRole, ...]
    n: AxisRole
    k: tuple[AxisRole, ...]
    outer: tuple[AxisRole, ...]
    packed: bool  # B is copied to panels first
    transposed: bool  # the output's innermost axis is the m axis
    rows: int  # of a tile
    columns: int
    parts: int  # of the reduction
    window: Window | None = None  # a convolution that Winograd's algorithm computes
    pairs: bool = False  # operands are bfloat16, multiplied two steps of the reduction at a time
    groups: Groups | None = None  # the lanes belong to several groups

    @property
    def m_extent(self) -> int | Int:
        return product(x.extent for x in self.m)

    @property
    def permuted(self) -> Groups | None:
        """The groups, where the lanes of a vector belong to several of them."""
        return self.groups if self.groups is not None and self.groups.columns < self.columns else None

    @property
    def dtype(self) -> str:
        """That of the operands as they lie in memory; sums have the dtype of `value`."""
        return "bfloat16" if self.pairs else self.value.dtype

    @property
    def k_extent(self) -> int | Int:
        return product(x.extent for x in self.k)

    @property
    def flops(self) -> int | Int:
        return 2 * self.m_extent * self.n.extent * self.k_extent * product(x.extent for x in self.outer)


def contraction_of(node: Node, target: Target, stable: frozenset[Value] = frozenset()) -> Contraction | None:
    """The contraction kernel's view of a `contract` node, or None where a plain loop does it better.

    stable: values that do not change from run to run, so that packing them costs nothing.
    """
    value = node.values[0]
    if value.dtype not in ("float32", "float64") or any(v.dtype != value.dtype for v in node.inputs):
        return None
    plans = _plans(node, node.inputs, target, stable)
    costs = {p: _cost(p, target, stable) for p in plans}
    if target.pairs and all(_is_widened(v) for v in node.inputs):
        widening = sum(hint(v.type.size) for v in node.inputs)  # of the operands, where they go one by one
        costs = {p: cost + widening for p, cost in costs.items()}
        narrow = tuple(v.node.inputs[0] for v in node.inputs)
        direct = _plans(node, narrow, replace(target, winograd=False, grouped=None), stable)
        paired = [_in_pairs(p, target) for p in direct if _goes_in_pairs(p)]
        costs |= {p: _cost(p, target, stable) for p in paired}
    best = min(costs, key=lambda p: costs[p], default=None)
    return None if best is None or _is_row_by_row(best, stable) or _is_narrow(best) else best


def _is_row_by_row(c: Contraction, stable: frozenset[Value]) -> bool:
    """Would B be packed to be read once, though it lies along the reduction? A loop reads it where it is."""
    return c.packed and not c.m and c.b.base not in stable and c.k[-1].b == 1


def _is_narrow(c: Contraction) -> bool:
    """Would most lanes be empty, though along another axis many outputs lie side by side? A loop over that
    axis is a vector loop: a depthwise convolution with a few filters for each channel.
    """
    if not isinstance(c.n.extent, int) or c.n.extent * 4 > c.columns:
        return False
    return any(r.y == c.n.extent * c.n.y and hint(r.extent) >= c.columns and 1 in (r.a, r.b) for r in c.outer)


def _plans(
    node: Node, inputs: tuple[Value, ...], target: Target, stable: frozenset[Value]
) -> list[Contraction]:
    """Either operand as A, where the roles of the axes allow it."""
    value = node.values[0]
    x, w = (view_of(v) for v in inputs)
    roles = _strides(node, x, w)
    mirrored = [_swapped(r) for r in roles]
    plans = [
        plan(value, a, b, axes, target, stable)
        for plan in (_grouped_plan, _plan)  # of equal ones the first is taken
        for a, b, axes in ((x, w, roles), (w, x, mirrored))
    ]
    return [p for p in plans if p is not None]


def _is_widened(v: Value) -> bool:
    """Is it bfloat16, cast to float32?"""
    return v.op.traits.converts and v.dtype == "float32" and v.node.inputs[0].dtype == "bfloat16"


def _goes_in_pairs(c: Contraction) -> bool:
    """Do two steps of the reduction lie side by side in A, all along?"""
    inner = c.k[-1]
    return inner.a == 1 and isinstance(inner.extent, int) and inner.extent % 2 == 0


def _in_pairs(c: Contraction, target: Target) -> Contraction:
    rows, columns = target.tile(hint(c.n.extent), "bfloat16")
    return replace(c, pairs=True, packed=True, rows=rows, columns=columns)


def _strides(node: Node, x: View, w: View) -> list[AxisRole]:
    attrs = node.attrs
    extents = (*attrs["shape"], *attrs["over"])
    steps: list[list[int | Int]] = [[0] * len(extents) for _ in range(3)]
    for row, mapping, view in ((0, attrs["x_map"], x), (1, attrs["w_map"], w)):
        for terms, stride in zip(mapping, view.strides, strict=True):
            for coefficient, axis in terms:
                steps[row][axis] = steps[row][axis] + coefficient * stride
    for axis, stride in enumerate(row_major(attrs["shape"])):
        steps[2][axis] = stride
    return [
        AxisRole((k,), e, a, b, y)
        for k, (e, a, b, y) in enumerate(zip(extents, *steps, strict=True))
        if e != 1
    ]


def _swapped(r: AxisRole) -> AxisRole:
    return AxisRole(r.numbers, r.extent, r.b, r.a, r.y)


def _plan(
    value: Value, a: View, b: View, roles: list[AxisRole], target: Target, stable: frozenset[Value]
) -> Contraction | None:
    m, n, k, outer = _by_role(roles)
    if not n or not k or len(m) + len(n) + len(k) + len(outer) != len(roles):
        return None
    if hint(product(r.extent for r in k)) < 2:
        return None
    inner = min(roles, key=lambda r: (r.y == 0, hint(r.y)))  # the output's innermost axis
    if inner in outer:
        return None
    transposed = inner in m
    all_m, all_k = m, k
    n, spare_n = _innermost_run(n, need_b=True)
    # Rows may jump in A and in the output, but a transposed tile is stored along them.
    m, spare_m = _innermost_run(m, need_b=False) if transposed else (_in_output_order(m), [])
    if len(n) != 1:
        return None
    lane = n[0]
    k = merge(sorted(k, key=lambda r: -abs(hint(r.a))), ("a", "b"))
    unit = lane.b == 1
    rows, columns = target.tile(hint(lane.extent), value.dtype)
    aligned = unit and isinstance(lane.extent, int) and lane.extent % columns == 0
    direct = target.packs is None or (
        aligned
        and b.base not in stable
        and not target.packs(_row_bytes(b, k[-1]), hint(product(r.extent for r in m)))
    )
    if not (transposed or spare_m or spare_n) and _may_transform(value, outer, target):
        window = window_of(all_m, lane, all_k) or gradient_window_of(all_m, lane, all_k)
        if window is not None:
            packed = not window.is_gradient
            parts = 1 if packed else -(-target.parts // prod(hint(r.extent) for r in outer))
            return Contraction(
                value,
                a,
                b,
                tuple(m),
                lane,
                tuple(k),
                tuple(outer),
                packed,
                False,
                rows,
                columns,
                parts,
                window,
            )
    parts = target.parts if _is_long(m, lane, k, outer, target) else 1
    if direct and not (outer or spare_m or spare_n) and _is_owned(b, m, target, stable):
        parts = target.owners
    return Contraction(
        value,
        a,
        b,
        tuple(m),
        lane,
        tuple(k),
        (*outer, *spare_m, *spare_n),
        not direct,
        transposed,
        rows,
        columns,
        parts,
    )


def _by_role(roles: list[AxisRole]) -> tuple[list[AxisRole], ...]:
    """The axes m, n, k and outer."""
    return (
        [r for r in roles if r.a != 0 and r.b == 0 and r.y != 0],
        [r for r in roles if r.a == 0 and r.b != 0 and r.y != 0],
        [r for r in roles if r.a != 0 and r.b != 0 and r.y == 0],
        [r for r in roles if r.a != 0 and r.b != 0 and r.y != 0],
    )


def _grouped_plan(
    value: Value, a: View, b: View, roles: list[AxisRole], target: Target, stable: frozenset[Value]
) -> Contraction | None:
    """Several groups side by side in the lanes of a tile.

    B is packed where the kernel reads `depth` rows of it a step, or its lanes lie apart.
    """
    m, n, k, outer = _by_role(roles)
    found = lane_axis_of(m, n, k, outer, value.dtype, target.grouped)
    if found is None or len(m) + len(n) + len(k) + len(outer) != len(roles):
        return None
    lane, groups, parts_of_tile = found.lane, found.groups, (found.column, found.group, found.depth)
    m, n, k, outer = ([r for r in axes if r not in parts_of_tile] for axes in (m, n, k, outer))
    m, k = _in_output_order(m), merge(sorted(k, key=lambda r: -abs(hint(r.a))), ("a", "b"))
    (k if groups.sums_depth else m).append(found.depth)
    if hint(product(r.extent for r in k)) < 2:
        return None
    apart = lane.b != 1 or groups.step != groups.columns
    parts = target.parts if _is_long(m, lane, k, outer, target) else 1
    return Contraction(
        value, a, b, tuple(m), lane, tuple(k), (*outer, *n), groups.sums_depth or apart, False,
        found.rows, found.tile_columns, parts, groups=groups,
    )  # fmt: skip


def _row_bytes(b: View, inner: AxisRole) -> int:
    """From a row of B to the next, along the reduction."""
    return abs(hint(inner.b)) * dtypes.itemsize(b.base.dtype)


def _may_transform(value: Value, outer: list[AxisRole], target: Target) -> bool:
    """May Winograd's algorithm be used, for each of the groups by itself?"""
    wanted = target.winograd and "winograd" not in config.current().skip.split(",")
    return wanted and value.dtype == "float32" and all(isinstance(r.extent, int) for r in outer)


def _is_long(
    m: list[AxisRole], n: AxisRole, k: list[AxisRole], outer: list[AxisRole], target: Target
) -> bool:
    """Is the output so small against the reduction that the reduction must be shared out?"""
    size = hint(product(r.extent for r in (*m, *outer))) * hint(n.extent)
    length = hint(product(r.extent for r in k))
    return length >= target.long and size <= target.few


def _is_owned(b: View, m: list[AxisRole], target: Target, stable: frozenset[Value]) -> bool:
    """Is B a large matrix of weights that this program updates, read for few rows of A?

    The update shares out its rows, which are steps of this reduction: who reads them should have written
    them.
    """
    few_rows = hint(product(r.extent for r in m)) <= BATCH_HINT
    changes = b.base.op.leaf is Leaf.VARIABLE and b.base not in stable
    return few_rows and changes and hint(b.base.type.size) >= target.owned


def _innermost_run(axes: list[AxisRole], need_b: bool) -> tuple[list[AxisRole], list[AxisRole]]:
    """Axes joined into one where they lie side by side in operand and output; the rest become outer axes."""
    merged = merge(sorted(axes, key=lambda r: -hint(r.y)), ("b", "y") if need_b else ("a", "y"))
    return merged[-1:], merged[:-1]


def _in_output_order(axes: list[AxisRole]) -> list[AxisRole]:
    return merge(sorted(axes, key=lambda r: -hint(r.y)), ("a", "y"))


def _cost(c: Contraction, target: Target, stable: frozenset[Value]) -> float:
    """Elements moved besides the multiplications: packing B, transposing the output, and work wasted at the
    edges.
    """
    outer = hint(product(r.extent for r in c.outer))
    pack = hint(packed_size(c)) if c.packed and c.b.base not in stable else 0
    turn = hint(c.m_extent) * hint(c.n.extent) * outer if c.transposed and target.turns else 0
    columns = -(-hint(c.n.extent) // c.columns) * c.columns
    rows = max(hint(c.m_extent), c.rows / 3)
    products = rows * columns * hint(c.k_extent) * outer / (target.pairs if c.pairs else 1)
    if c.permuted is not None:
        products *= PERMUTED
    saved = 1 if c.window is None else POINTS / (TILE * TAPS) ** 2  # of the products
    # A matrix whose rows lie side by side is read a line at a time, far apart: the smaller one should be.
    apart = len(c.k) == 1 and c.k[0].a != 1
    strided = hint(c.m_extent) * hint(c.k_extent) * outer / 16 if apart else 0
    return pack + turn + strided + products * saved / 64


def packed_size(c: Contraction) -> int | Int:
    """Elements of B's packed copy, or of its transformed filters."""
    panels = symbolic.floordiv(c.n.extent + (c.columns - 1), c.columns)
    if c.window is not None:
        copies = product(r.extent for r in (*c.outer, *c.window.shifts))
        return POINTS * copies * panels * c.window.depth.extent * c.columns
    return product(r.extent for r in c.outer if r.b != 0) * panels * c.k_extent * c.columns
