"""Kernel IR -> CUDA kernels as text, and what the schedule must know of a CUDA device. Needs no driver."""

from __future__ import annotations

from kcompile.codegen import scalar
from kcompile.codegen.cuda_contract import emit_contract
from kcompile.codegen.cuda_loop import emit_loop
from kcompile.codegen.cuda_scatter import emit_scatter
from kcompile.codegen.cuda_source import CudaKernel
from kcompile.core import config
from kcompile.core.errors import CompileError, message
from kcompile.ir.kernels import Contract, Kernel, Loop
from kcompile.kernels.contract.cuda import SIDE, panel_columns
from kcompile.schedule.plan import Plan
from kcompile.schedule.scatter import scatter_of
from kcompile.schedule.target import Target


def target() -> Target:
    """A CUDA device as the schedule sees it: any layout is read as it lies, and work is cut for some hundred
    blocks.
    """
    return Target(
        "cuda", _tile, packs=None, turns=False, winograd=False,
        long=2048, few=1 << 16, parts=32, sum_parts=64, owned=1 << 62, owners=1,
    )  # fmt: skip


def _tile(columns: int, dtype: str) -> tuple[int, int]:
    return SIDE, panel_columns(columns)


def emit(plan: Plan) -> list[CudaKernel]:
    """The kernels of a plan, in order."""
    kernels = [_emit(kernel, plan) for kernel in plan.kernels]
    if config.debugs("source"):
        for one in {k.source.key: k for k in kernels}.values():
            print(f"--- kernel {one.name}\n{one.source.text}")
    return kernels


def _emit(kernel: Kernel, plan: Plan) -> CudaKernel:
    if isinstance(kernel, Contract):
        return emit_contract(kernel, plan.aliases)
    if not isinstance(kernel, Loop):
        raise CompileError(
            message(
                f"kernel {kernel.name}: a CUDA plan holds no {type(kernel).__name__}.",
                hint="the schedule's target",
            )
        )
    return emit_scatter(kernel, plan.aliases) if _is_scatter(kernel) else emit_loop(kernel, plan.aliases)


def _is_scatter(kernel: Loop) -> bool:
    """Is the only store a scatter, into memory as wide as registers, where the sums may grow?"""
    store, *others = kernel.stores
    wide = scalar.register(store.target.dtype) == scalar.SHORT[store.target.dtype]
    return not others and wide and scatter_of(store.expr) is not None
