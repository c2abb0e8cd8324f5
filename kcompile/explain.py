"""What the compiler made of a model: the graph before and after the passes, and every kernel with its
measured speed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kcompile.ir.graph import Graph
from kcompile.ir.text import graph_text
from kcompile.passes import pipeline
from kcompile.runtime.executable import Executable
from kcompile.runtime.profile import KernelProfile, profile, threads


def explain(
    graph: Graph,
    executable: Executable,
    arrays: Sequence[np.ndarray],
    symbols: Mapping[str, int] | None = None,
    file: Any = None,
) -> list[KernelProfile]:
    """Print graph, rewritten graph and kernel table for one program run on `arrays`; returns the figures.

    graph: as it was traced. executable: its compiled form. file: where to print, standard output by default.
    """
    from rich.console import Console
    from rich.table import Table

    from kcompile.kernels.peak import measure_peak

    console = Console(file=file, width=None if file is None else 140)
    count = threads()
    peak = measure_peak(count)
    kernels = profile(executable, arrays, symbols)
    _section(console, f"{graph.name}: as traced", graph_text(graph))
    _section(console, f"{graph.name}: after the passes", graph_text(pipeline.run(graph)))
    table = Table(title=f"{graph.name}: {len(kernels)} kernels", title_justify="left")
    for heading in ("#", "kernel", "what is fused into it"):
        table.add_column(heading)
    for heading in ("MFLOP", "MB", "us", "GFLOP/s", "% of peak", "GB/s"):
        table.add_column(heading, justify="right")
    core_peak = peak.gflops / count
    for number, k in enumerate(kernels):
        table.add_row(
            str(number), k.name, " ".join(k.fused), f"{k.flops / 1e6:.3f}", f"{k.bytes / 1e6:.3f}",
            f"{k.nanoseconds / 1e3:.1f}", f"{k.gflops:.1f}", f"{100 * k.gflops / core_peak:.0f}",
            f"{k.gbytes:.1f}",
        )  # fmt: skip
    console.print(table)
    total, work = sum(k.nanoseconds for k in kernels), sum(k.flops for k in kernels)
    console.print(
        f"total {total / 1e3:.1f} us of one core, {work / 1e6:.2f} MFLOP; "
        f"measured peak: {core_peak:.0f} GFLOP/s per core, {peak.gbytes:.0f} GB/s over {count} threads. "
        "FLOPs are those of the direct algorithm, so a Winograd convolution can exceed the peak."
    )
    return kernels


def _section(console: Any, title: str, text: str) -> None:
    console.rule(title, align="left")
    console.print(text, markup=False, highlight=False, soft_wrap=True)
