"""Cost against size: ``python -m benchmarks.scaling_plot RESULTS.json PICTURE.svg``. Needs matplotlib."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.contenders import MODELS, OURS
from benchmarks.report import TITLES, heading
from benchmarks.results import Results
from benchmarks.scaled import AXES, Axis

MEASURES = ("train", "memory", "first_cold", "first_warm")


def curves(results: Results, axis: Axis, measure: str) -> dict[str, dict[int, float]]:
    """By contender: size to the median of its fastest way, where it was measured."""
    found: dict[str, dict[int, float]] = {}
    for size, work in axis.works.items():
        for name in results.names(work.name, measure):
            series = results.fastest(work.name, measure, [name])
            assert series is not None
            found.setdefault(name, {})[size] = series.median
    order = [one.name for one in MODELS]
    return dict(sorted(found.items(), key=lambda row: order.index(row[0])))


def draw(results: Results, path: Path) -> None:
    """A row of panels for each axis, both scales logarithmic: a straight line is a power of the size."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    axes = [axis for axis in AXES.values() if any(curves(results, axis, measure) for measure in MEASURES)]
    figure, panels = pyplot.subplots(
        len(axes),
        len(MEASURES),
        figsize=(5 * len(MEASURES), 3.4 * len(axes)),
        squeeze=False,
        layout="constrained",
    )
    for row, axis in zip(panels, axes, strict=True):
        for panel, measure in zip(row, MEASURES, strict=True):
            for name, points in curves(results, axis, measure).items():
                wide = {"color": "tab:green", "linewidth": 2.5} if name == OURS else {"linewidth": 1}
                panel.plot(list(points), list(points.values()), marker="o", markersize=3, label=name, **wide)
            panel.set_xscale("log", base=2)
            panel.set_yscale("log")
            panel.set_xticks(list(axis.works), [str(size) for size in axis.works])
            panel.set_title(f"{axis.title}\n{TITLES[measure]}", fontsize=8)
            panel.tick_params(which="both", labelsize=7)
        if row[0].lines:
            row[0].legend(fontsize=6)
    figure.suptitle(heading(results), fontsize=10)
    figure.savefig(path)


if __name__ == "__main__":
    draw(Results.load(Path(sys.argv[1])), Path(sys.argv[2]))
