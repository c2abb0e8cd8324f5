"""A program's plan and kernels, printed (KCOMPILE_DEBUG) and written (KCOMPILE_DUMP)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from kcompile.codegen.spec import KernelSpec
from kcompile.core import config
from kcompile.kernels.host import host
from kcompile.schedule.plan import Plan
from kcompile.schedule.text import plan_text

_programs = itertools.count()


def report(plan: Plan, specs: Sequence[KernelSpec]) -> None:
    """Show what the topics devices, plan, kernels and source name, and dump it."""
    texts = {
        "devices": lambda: f"cpu: {host().name}, vectors of {host().vector_bytes} bytes",
        "plan": lambda: plan_text(plan, [spec.tiles for spec in specs]),
        "kernels": lambda: kernels_text(specs),
        "source": lambda: source_text(specs),
    }
    for topic, text in texts.items():
        if config.debugs(topic):
            print(f"--- {topic}\n{text()}")
    folder = config.current().dump
    if folder:
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        number = next(_programs)
        for topic in ("plan", "kernels", "source"):
            (path / f"program{number:02d}_{plan.graph.name}_{topic}.txt").write_text(texts[topic]() + "\n")


def kernels_text(specs: Sequence[KernelSpec]) -> str:
    """One line per kernel: what it is made of and what it needs. Equal symbols are one kernel."""
    return "\n".join(
        f"{number}: {spec.name} [{' '.join(spec.fused)}] {spec.source.symbol}, tiles {spec.tiles}, "
        f"flops {spec.flops}, scratch {spec.scratch}, "
        f"buffers {len(spec.buffers)}, numbers {len(spec.numbers)}"
        for number, spec in enumerate(specs)
    )


def source_text(specs: Sequence[KernelSpec]) -> str:
    """The source of each kernel once."""
    different = {spec.source.text: spec for spec in specs}.values()
    return "\n".join(f"--- kernel {spec.name}\n{spec.source.text}" for spec in different)
