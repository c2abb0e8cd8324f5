"""Kernel IR -> kernel specs for the CPU."""

from __future__ import annotations

from kcompile.codegen.chains import side_by_side
from kcompile.codegen.contract_cpu import BLOCK_K, emit_contract
from kcompile.codegen.grouped_cpu import emit_grouped
from kcompile.codegen.loop_cpu import emit_loop
from kcompile.codegen.pack_cpu import emit_pack
from kcompile.codegen.scan_cpu import emit_scan
from kcompile.codegen.scatter_cpu import emit_scatter
from kcompile.codegen.sharing import with_shared_sources
from kcompile.codegen.sliding_cpu import emit_sliding, sliding_of
from kcompile.codegen.sliding_sums_cpu import emit_sliding_sums, sliding_sums_of
from kcompile.codegen.sort_cpu import emit_sort
from kcompile.codegen.spec import KernelSpec, Listing
from kcompile.codegen.winograd_cpu import emit_winograd
from kcompile.codegen.winograd_filters_cpu import emit_filter_sum, emit_filters
from kcompile.codegen.winograd_gradient_cpu import emit_filter_gradient
from kcompile.core.lanes import share_lanes
from kcompile.ir.kernels import Contract, Finish, Kernel, Loop, Scan, Sort
from kcompile.kernels.contract import grouped, tiles
from kcompile.kernels.contract.micro import choose
from kcompile.kernels.host import host
from kcompile.schedule.order import arena_sizes
from kcompile.schedule.plan import Plan
from kcompile.schedule.rows import rows_of
from kcompile.schedule.scatter import scatter_of
from kcompile.schedule.target import Target

SET_STRIDE = 4096  # bytes after which addresses share a set of the first-level cache
FEW_ROWS, MANY_ROWS = 32, 256  # of A, from which packing B pays


def target() -> Target:
    """The CPU as the schedule sees it: tiles of vector registers, B in panels, parts for a few threads."""
    return Target(
        "cpu", _tile, packs=_packs, turns=True, winograd=True,
        long=4 * BLOCK_K, few=1 << 18, parts=8, sum_parts=16, owned=1 << 17, owners=2, sorts=True,
        pairs=_pairs(), borders=True, grouped=_grouped, prepares=True,
    )  # fmt: skip


def _packs(row_bytes: int, rows: int) -> bool:
    """Measured on an Intel Granite Rapids: of 2048 rows, 300 GFLOP/s (170 where rows of B share the sets of
    the first-level cache) become 360.
    """
    return rows >= (FEW_ROWS if row_bytes % SET_STRIDE == 0 else MANY_ROWS)


def _pairs() -> float:
    """Measured on an AMD Zen 5, and by tiles on an Intel Granite Rapids, with what is gathered for them."""
    if host().multiplies_tiles:
        return 6.0
    return 2.0 if host().multiplies_bfloat16 else 0.0


def _tile(columns: int, dtype: str) -> tuple[int, int]:
    """Of pairs (dtype "bfloat16"), tiles of matrix instructions or of vectors of their sums, float32."""
    if dtype == "bfloat16":
        if host().multiplies_tiles:
            return tiles.choose(columns)
        dtype = "float32"
    rows, vectors = choose(columns, host(), dtype)
    return rows, vectors * host().lanes(dtype)


def _grouped(dtype: str, columns: int, depth: int, sums_depth: bool) -> tuple[int, int] | None:
    lanes = host().lanes(dtype)
    if columns == lanes:
        return _tile(columns, dtype)
    if not share_lanes(columns, depth, lanes):
        return None
    return grouped.rows_of(depth, sums_depth, host().vector_registers), lanes


def listing(plan: Plan) -> Listing:
    """All of the program but its machine code; the plan's kernels get the order of its specs."""
    graph = plan.graph
    specs = with_shared_sources(emit(plan))
    first = [k for k, spec in enumerate(specs) if plan.prepared.issuperset(spec.writes)]
    rest = [k for k in range(len(specs)) if k not in first]
    sizes = arena_sizes([s.buffers for s in specs], {*graph.inputs, *graph.outputs, *plan.prepared})
    ordered, order = side_by_side([specs[k] for k in rest], sizes)
    plan.kernels = [plan.kernels[k] for k in (*first, *(rest[k] for k in order))]
    return Listing(
        tuple(graph.inputs),
        tuple(graph.outputs),
        frozenset(plan.prepared),
        bool(graph.assignments),
        (*(specs[k] for k in first), *ordered),
        None if graph.assignments else rows_of(graph),
    )


def emit(plan: Plan) -> list[KernelSpec]:
    """The specs of a plan's kernels, in order."""
    return [_emit(kernel, plan) for kernel in plan.kernels]


def _emit(kernel: Kernel, plan: Plan) -> KernelSpec:
    if isinstance(kernel, Loop):
        if len(kernel.stores) == 1 and scatter_of(kernel.stores[0].expr, True) is not None:
            return emit_scatter(kernel, plan.aliases)
        return emit_loop(kernel, plan.aliases)
    if isinstance(kernel, Scan):
        return emit_scan(kernel, plan.aliases, emit)
    if isinstance(kernel, Sort):
        return emit_sort(kernel, plan.aliases)
    if isinstance(kernel, Finish):
        return emit_filter_sum(kernel, plan.aliases)
    window = kernel.contraction.window
    if window is not None and window.is_gradient:
        assert isinstance(kernel, Contract)
        return emit_filter_gradient(kernel, plan.aliases)
    if window is not None:
        return (
            emit_winograd(kernel, plan.aliases)
            if isinstance(kernel, Contract)
            else emit_filters(kernel, plan.aliases)
        )
    if not isinstance(kernel, Contract):
        return emit_pack(kernel, plan.aliases)
    sliding = sliding_of(kernel.contraction)
    if sliding is not None:
        return emit_sliding(kernel, plan.aliases, sliding)
    sums = sliding_sums_of(kernel.contraction)
    if sums is not None:
        return emit_sliding_sums(kernel, plan.aliases, sums)
    emit_one = emit_contract if kernel.contraction.groups is None else emit_grouped
    return emit_one(kernel, plan.aliases)
