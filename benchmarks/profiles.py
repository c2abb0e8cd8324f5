"""``python -m benchmarks profile``: what the kernels of a training step cost, summed over the threads."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from benchmarks.report import show
from benchmarks.workloads import WORKLOADS, Workload, data


def run(names: Iterable[str], console: Console) -> None:
    """A line for each workload: kcompile alone, kernel by kernel, so that no waiting is in it.

    All kernels one by one, and what is fused into them: ``kcompile explain``.
    """
    table = Table(title="one training step, summed over kernels and threads", title_justify="left")
    for heading in ("", "kernels", "ms of one core", "MFLOP", "GFLOP/s a core"):
        table.add_column(heading, justify="right" if heading else "left")
    for name in names:
        kernels, milliseconds, flops = measured(WORKLOADS[name])
        speed = flops / milliseconds / 1e6
        table.add_row(name, str(kernels), show(milliseconds), show(flops / 1e6), show(speed))
    console.print(table)


def measured(work: Workload) -> tuple[int, float, int]:
    """Number of kernels, milliseconds and operations of a step."""
    import kcompile
    from benchmarks.peers.keras_layers import build
    from kcompile.explain import measured_programs

    model, _ = build(kcompile, work)
    x, y = data(work, work.batch)
    kernels = measured_programs(model, x, y, work.batch)["train"].kernels
    return len(kernels), sum(k.nanoseconds for k in kernels) / 1e6, sum(k.flops for k in kernels)
