"""A run's figures as tables on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from benchmarks.bars import judged
from benchmarks.contenders import OURS
from benchmarks.kernel_cases import CASES, Case
from benchmarks.layer_cases import LAYERS, RANDOM, layer_flops
from benchmarks.results import Results, Series, ratio
from benchmarks.scaled import EVERY
from benchmarks.workloads import MEASURES, Workload, forward_flops, step_flops

TITLES = {
    "train": "one training step, ms",
    "predict": "predict() of one sample, ms",
    "call": "one sample by the fastest call, ms",
    "throughput": "many samples at once, ms",
    "kernel": "one call, ms",
    "layer": "forward and backward, ms",
    "import": "import, ms",
    "first_cold": "process start to first training step, empty cache, ms",
    "first_warm": "process start to first training step, filled cache, ms",
    "memory": "peak memory while training, MB",
    "memory_beyond": "peak memory while training, beyond what the import took, MB",
}

TITLED: dict[str, Case | Workload] = {**CASES, **LAYERS, **EVERY}

_COLOURS = {"beyond": "bold green", "reached": "green", "not reached": "red", "not measured": "dim"}


def flops(task: str, measure: str) -> int | None:
    """Work of one run of what is measured, where that is arithmetic."""
    if measure == "kernel":
        return CASES[task].flops
    if measure == "layer":
        return layer_flops(LAYERS[task])
    if measure not in MEASURES["model"]:
        return None
    work = EVERY[task]
    if measure == "train":
        return step_flops(work)
    return forward_flops(work) * (work.many if measure == "throughput" else 1)


def title(task: str) -> str:
    return TITLED[task].title


def gflops(results: Results, one: Series) -> tuple[float | None, float | None]:
    """GFLOP/s, and their percentage of the measured peak."""
    work = flops(one.task, one.measure)
    if work is None:
        return None, None
    speed = work / (one.median * 1e6)
    peak = results.peak.get("gflops")
    return speed, 100 * speed / peak if peak else None


def show(value: float | None) -> str:
    """A figure with three digits, or with those before the point.

    >>> show(0.012345), show(123.456), show(None)
    ('0.0123', '123', '-')
    """
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def measure_table(results: Results, task: str, measure: str) -> Table:
    """Contenders from the fastest to the slowest, each by its fastest variant."""
    table = Table(title=f"{title(task)}: {TITLES[measure]}", title_justify="left")
    for heading in ("", "way", "median", "least", "kcompile by it", "GFLOP/s", "of peak"):
        table.add_column(heading, justify="left" if heading in ("", "way") else "right")
    rows = [results.fastest(task, measure, [name]) for name in results.names(task, measure)]
    for one in sorted(filter(None, rows), key=lambda one: one.median):
        table.add_row(*_cells(results, one), style="bold" if one.contender == OURS else None)
    return table


def _cells(results: Results, one: Series) -> list[str]:
    ours = results.fastest(one.task, one.measure, [OURS])
    compared = "-"
    if ours and one.contender != OURS:
        found = ratio(ours, one)
        compared = f"{show(found.median)}x ({show(found.low)}-{show(found.high)})"
    speed, share = gflops(results, one)
    percent = "-" if share is None else f"{share:.1f}%"
    return [
        one.contender,
        one.variant,
        show(one.median),
        show(min(one.values)),
        compared,
        show(speed),
        percent,
    ]


def layers_table(results: Results) -> Table:
    """Each layer beside PyTorch's fastest way, those first where kcompile is the slowest against it."""
    table = Table(title="layers, forward and backward, ms", title_justify="left")
    for heading in ("", "kcompile", "PyTorch", "way", "kcompile by it", "GFLOP/s"):
        table.add_column(heading, justify="left" if heading in ("", "way") else "right")
    rows = worst_layers(results)
    for compared, ours, theirs in rows:
        cells = [
            title(ours.task),
            show(ours.median),
            show(theirs.median),
            f"{theirs.contender}, {theirs.variant}",
        ]
        colour = "red" if compared > 1 else None
        table.add_row(*cells, f"{show(compared)}x", show(gflops(results, ours)[0] or None), style=colour)
    random = [ours.task.removeprefix("layer_") for _, ours, _ in rows if ours.task in RANDOM]
    table.caption = f"outputs not compared, as they are random: {', '.join(random)}" if random else None
    return table


def worst_layers(results: Results) -> list[tuple[float, Series, Series]]:
    """kcompile's time by PyTorch's, both series, worst first; layers that only one has are left out."""
    rows = []
    for task in LAYERS:
        ours = results.fastest(task, "layer", [OURS])
        theirs = results.fastest(task, "layer", set(results.names(task, "layer")) - {OURS})
        if ours and theirs:
            rows.append((ratio(ours, theirs).median, ours, theirs))
    return sorted(rows, key=lambda row: -row[0])


def bars_table(results: Results) -> Table:
    table = Table(title="what kcompile is meant to reach", title_justify="left")
    for heading in ("", "measured", "goal", "beyond", ""):
        table.add_column(heading, justify="left" if not heading else "right")
    found = judged(results)
    for bar, value, verdict in found:
        if value is None:
            continue
        cells = [bar.what, bar.show(value), bar.show(bar.goal), bar.show(bar.beyond)]
        table.add_row(*cells, verdict, style=_COLOURS[verdict])
    left = sum(1 for _, value, _ in found if value is None)
    table.caption = f"{left} more were not measured" if left else None
    return table


def print_report(results: Results, console: Console) -> None:
    """All tables, then who was not measured and why."""
    pairs = dict.fromkeys((one.task, one.measure) for one in results.series if one.measure != "layer")
    for task, measure in pairs:
        console.print(measure_table(results, task, measure))
    if len(pairs) < len({(one.task, one.measure) for one in results.series}):
        console.print(layers_table(results))
    console.print(bars_table(results))
    console.print(heading(results))
    for name in results.missing:
        console.print(f"{name}: not installed")
    for what, why in results.failed.items():
        console.print(f"{what}: failed: {why}", style="red", markup=False)


def heading(results: Results) -> str:
    """The machine and the day, in one line."""
    peak = results.peak.get("gflops")
    measured = f", measured peak {peak:.0f} GFLOP/s" if peak else ""
    machine = results.machine
    others = f", other processes used {share:.0%} of it" if (share := results.disturbance()) >= 0.03 else ""
    return (
        f"{machine['cpu']}, {results.threads} threads{measured}, {machine['system']}, {results.date}{others}"
    )
