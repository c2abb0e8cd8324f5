"""The measured comparison in README.md and docs/benchmarks.md, between two comments that mark its place."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.bars import judged
from benchmarks.contenders import MODELS, OURS
from benchmarks.report import heading, show
from benchmarks.results import Results, ratio
from benchmarks.workloads import WORKLOADS

BEGIN, END = "<!-- benchmark:begin -->", "<!-- benchmark:end -->"

_MEASURES = (
    ("train", "training step, ms", 1.0),
    ("predict", "`predict()` of one sample, ms", 1.0),
    ("call", "one sample, ms", 1.0),
    ("throughput", "256 samples, ms", 1.0),
    ("first_warm", "process start to first step, s", 1e-3),
    ("first_cold", "the same, empty compilation cache, s", 1e-3),
    ("memory", "peak memory of training, MB", 1.0),
    ("memory_beyond", "the same beyond the import, MB", 1.0),
)

# Rows whose networks differ in the batch alone predict alike: one of them tells it.
_ONCE = {"mlp32": ("predict", "call", "throughput"), "resnet32": ("predict", "call", "throughput")}

Row = tuple[str, str, str, float]  # words, task, measure, factor
ROWS: tuple[Row, ...] = (
    *(
        (f"{work.title}: {words}", name, measure, factor)
        for measure, words, factor in _MEASURES
        for name, work in WORKLOADS.items()
        if measure not in _ONCE.get(name, ())
    ),
    ("import, s", "cnn", "import", 1e-3),
)
# What the first page shows of them.
_SHOWN = {
    ("digits", "predict"),
    ("cnn", "call"),
    ("cnn", "first_warm"),
    ("cnn", "first_cold"),
    ("cnn", "import"),
}
FIRST_PAGE = tuple(row for row in ROWS if row[2] == "train" or row[1:3] in _SHOWN)


def comparison(results: Results, rows: tuple[Row, ...] = ROWS) -> str:
    """A Markdown table: rows are measures, columns contenders, the last one kcompile by the fastest other."""
    measured = {one.contender for one in results.series}
    names = [one.name for one in MODELS if one.name in measured]
    lines = [_line(["", *names, "kcompile by the fastest"]), _line(["---"] * (len(names) + 2))]
    for words, task, measure, factor in rows:
        if results.select(task, measure):
            lines.append(_line([words, *_figures(results, task, measure, factor, names)]))
    return "\n".join([*lines, "", _words(results)])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _figures(results: Results, task: str, measure: str, factor: float, names: list[str]) -> list[str]:
    found = {name: results.fastest(task, measure, [name]) for name in names}
    cells = [show(one.median * factor) if one else "" for one in found.values()]
    ours = found.get(OURS)
    theirs = results.fastest(task, measure, set(names) - {OURS})
    return [*cells, f"**{show(ratio(ours, theirs).median)}x**" if ours and theirs else ""]


def _words(results: Results) -> str:
    verdicts = [(bar.what, bar.show(value), verdict) for bar, value, verdict in judged(results)]
    missed = "; ".join(f"{what} {value}" for what, value, verdict in verdicts if verdict == "not reached")
    lines = [
        f"{heading(results)}.",
        "Medians of interleaved blocks, each by its fastest way; an empty cell was not measured. Repeat with "
        "`python -m benchmarks`.",
    ]
    return "\n".join(lines + ([f"Goals not reached: {missed}."] if missed else []))


def write(results: Results, readme: Path, rows: tuple[Row, ...] = ROWS) -> None:
    """Replaces what stands between the marks. Raises ValueError unless there is one such place."""
    text = readme.read_text()
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"{readme} needs {BEGIN} and {END}, once each")
    block = f"{BEGIN}\n{comparison(results, rows)}\n{END}"
    readme.write_text(pattern.sub(lambda match: block, text))
