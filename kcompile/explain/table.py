"""Measured programs as text: graphs, and a table of kernels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcompile.explain.program import Measured
from kcompile.explain.wording import fused_text, memory_text
from kcompile.ir.text import graph_text

WIDTH = 150  # of the printed table where no terminal tells


def print_programs(programs: Mapping[str, Measured], file: Any = None) -> None:
    """Print each program's graph, rewritten graph and kernels."""
    from rich.console import Console

    console = Console(file=file)
    if not console.is_terminal:
        console = Console(file=file, width=WIDTH)
    for one in programs.values():
        name = one.traced.name
        _section(console, f"{name}: as traced", graph_text(one.traced))
        _section(console, f"{name}: after the passes", graph_text(one.optimized))
        console.print(_table(one))
        console.print(
            f"total {one.nanoseconds / 1e3:.1f} us of one core, {one.flops / 1e6:.2f} MFLOP; "
            f"measured peak: {one.core_gflops:.0f} GFLOP/s per core, {one.peak.gbytes:.0f} GB/s over "
            f"{one.threads} threads. FLOPs are those of the direct algorithm, so a Winograd convolution can "
            "exceed the peak."
        )
        console.print(f"memory {memory_text(one.footprint)}.", highlight=False)


def _table(one: Measured) -> Any:
    from rich.table import Table

    table = Table(title=f"{one.traced.name}: {len(one.kernels)} kernels", title_justify="left")
    for heading in ("#", "kernel", "what is fused into it"):
        table.add_column(heading)
    for heading in ("MFLOP", "MB", "us", "GFLOP/s", "% of peak", "GB/s"):
        table.add_column(heading, justify="right")
    for number, k in enumerate(one.kernels):
        table.add_row(
            str(number), k.name, fused_text(number, k), f"{k.flops / 1e6:.3f}", f"{k.bytes / 1e6:.3f}",
            f"{k.nanoseconds / 1e3:.1f}", f"{k.gflops:.1f}", f"{100 * k.gflops / one.core_gflops:.0f}",
            f"{k.gbytes:.1f}",
        )  # fmt: skip
    return table


def _section(console: Any, title: str, text: str) -> None:
    console.rule(title, align="left")
    console.print(text, markup=False, highlight=False, soft_wrap=True)
