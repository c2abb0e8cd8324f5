"""A run's ratios as bars: ``python -m benchmarks.plot RESULTS.json PICTURE.svg``. Needs matplotlib."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.contenders import OURS
from benchmarks.report import TITLES, heading, title
from benchmarks.results import Ratio, Results, ratio

_COLUMNS = 3


def factors(results: Results, task: str, measure: str) -> tuple[str, dict[str, Ratio]]:
    """The base (kcompile, or the fastest if that was not run), and each contender's value by the base's."""
    base = results.fastest(task, measure, [OURS]) or results.fastest(task, measure)
    assert base is not None, f"nothing measured for {task}, {measure}"
    fastest = (results.fastest(task, measure, [name]) for name in results.names(task, measure))
    return base.contender, {one.contender: ratio(one, base) for one in fastest if one}


def draw(results: Results, path: Path) -> None:
    """One panel a measure, logarithmic: how many times longer (or larger) than the base."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pairs = list(dict.fromkeys((one.task, one.measure) for one in results.series))
    rows = -(-len(pairs) // _COLUMNS)
    figure, axes = pyplot.subplots(rows, _COLUMNS, figsize=(15, 2.8 * rows), squeeze=False)
    for axis, pair in zip(axes.flat, pairs, strict=False):
        _panel(axis, results, *pair)
    for axis in axes.flat[len(pairs) :]:
        axis.set_visible(False)
    figure.suptitle(heading(results), fontsize=10)
    figure.tight_layout(rect=(0, 0, 1, 0.98))
    figure.savefig(path)


def _panel(axis: Any, results: Results, task: str, measure: str) -> None:
    base, found = factors(results, task, measure)
    rows = sorted(found.items(), key=lambda row: -row[1].median)
    names = [name for name, _ in rows]
    medians = [value.median for _, value in rows]
    spread = [[v.median - v.low for _, v in rows], [v.high - v.median for _, v in rows]]
    colours = ["tab:green" if name == OURS else "tab:gray" for name in names]
    axis.barh(names, medians, xerr=spread, color=colours, capsize=2)
    for place, median in enumerate(medians):
        axis.text(median, place, f" {median:.2f}x", va="center", fontsize=7)
    axis.axvline(1, color="black", linewidth=0.5)
    axis.set_xscale("log")
    axis.set_xlim(min([*medians, 1]) / 1.3, max(medians) * 3)
    axis.set_title(f"{title(task)}\n{TITLES[measure].rsplit(',', 1)[0]}: multiples of {base}'s", fontsize=8)
    axis.tick_params(which="both", labelsize=7)


if __name__ == "__main__":
    draw(Results.load(Path(sys.argv[1])), Path(sys.argv[2]))
