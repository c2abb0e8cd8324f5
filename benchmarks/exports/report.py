"""The comparison as tables, worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.contenders import OURS
from benchmarks.exports.compare import CLOSE, SLOWER, Comparison, File

SHOWN = 40
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)


def print_report(comparisons: Sequence[Comparison], console: Any) -> None:
    """What we lack, then all cases, those first where ours is larger or slower than another's."""
    from rich.table import Table

    if not comparisons:
        return
    exporters = list(comparisons[0].files)
    table = Table(title="ONNX exporters: cases, worst first", title_justify="left")
    table.add_column("case", overflow="fold")
    for name in exporters:
        table.add_column(f"{name}\nnodes / kB / us", justify="right")
    table.add_column("ours by the best\nnodes, time", justify="right")
    ranked = sorted(
        comparisons, key=lambda one: (-one.lacks, -one.ratio("nodes"), -one.ratio("microseconds"))
    )
    for one in ranked[:SHOWN]:
        cells = [_cell(one.files[name]) for name in exporters]
        table.add_row(one.case, *cells, f"{one.ratio('nodes'):.2f} {one.ratio('microseconds'):.2f}")
    console.print(table)
    for line in summary(comparisons):
        console.print(line, highlight=False)


def _cell(one: File) -> str:
    if one.error:
        return "-"
    fixed = f" (batch {one.batch})" if one.batch is not None else ""
    return f"{one.nodes} / {one.bytes / 1e3:.1f} / {one.microseconds:.0f}{fixed}"


def summary(comparisons: Sequence[Comparison]) -> list[str]:
    """A line for each exporter, and one for each goal."""
    total, lines = len(comparisons), []
    for name in comparisons[0].files:
        files = [one.files[name] for one in comparisons]
        done = [one for one in files if not one.error]
        fixed = sum(one.batch is not None for one in done)
        other = sum(one.difference > CLOSE for one in done)
        more = f", {fixed} with a fixed batch" if fixed else ""
        more += f", {other} compute something else" if other else ""
        lines.append(f"{name}: {len(done)} of {total} files run{more}")
    both = [one for one in comparisons if one.others() and not one.files[OURS].error]
    lines.append(f"written by another and not by us: {_named(one.case for one in comparisons if one.lacks)}")
    lines.append(f"larger than another's: {_named(one.case for one in both if one.ratio('nodes') > 1)}")
    slower = [one.case for one in both if one.ratio("microseconds") > SLOWER]
    lines.append(f"over {SLOWER} times as slow as another's, in a second run too: {_named(slower)}")
    if both:
        shares = np.quantile([one.ratio("microseconds") for one in both], QUANTILES)
        told = ", ".join(f"{q:.0%} {share:.2f}" for q, share in zip(QUANTILES, shares, strict=True))
        lines.append(f"time by the best of the others, of the cases up to: {told}")
    asked = Counter(one.reference for one in comparisons)
    lines.append(f"what is right was told by: {', '.join(f'{n} {c}' for n, c in asked.items())}")
    return lines


def _named(cases: Any) -> str:
    found = list(cases)
    return f"{len(found)}" + (f" ({', '.join(found[:8])}{' ...' * (len(found) > 8)})" if found else "")
