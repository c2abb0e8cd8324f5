"""Writes docs/onnx-coverage.md: what each layer becomes in ONNX, from which opset on, and how exact it is.

Run from the root of the repository: ``python docs/make_onnx_coverage.py [LAYER ...] [--keep FILE]``; with
layers it prints their rows only. FILE holds the rows that are done, so that a run that was stopped goes on
where it was.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import kcompile  # noqa: E402
from kcompile.core import tree  # noqa: E402
from kcompile.export.onnx import OLDEST_OPSET, apart  # noqa: E402
from kcompile.export.onnx.compare import difference  # noqa: E402
from kcompile.export.onnx.emit import UnsupportedOps  # noqa: E402
from kcompile.export.onnx.inspection import describe_onnx  # noqa: E402
from tests.export.composed import COMPOSED  # noqa: E402
from tests.export.onnx_tools import (  # noqa: E402
    LATEST,
    has_steps,
    inferred,
    layer_model,
    with_rows,
    with_steps,
)
from tests.parity.layer_cases import CASES, Case  # noqa: E402

TABLE = ROOT / "docs/onnx-coverage.md"
BATCHES = (1, 3, 17)
MORE_STEPS = (0, 3)  # than a configuration has
# Layers that no ONNX file can hold, and why.
NOT_EXPORTED = {
    "MaxNumBoundingBoxes": "it works on dictionaries of a data set, not on inputs of a model",
}
# What only moves, names or types data: not what a layer is known by, unless it is all that there is.
PLUMBING = ("Cast", "Concat", "Expand", "Gather", "Identity", "Reshape", "Shape", "Slice", "Squeeze")
PLUMBING += ("Transpose", "Unsqueeze")


@dataclass(frozen=True)
class Row:
    """A layer. opset: the lowest that takes all its configurations, None if one cannot be written at all."""

    layer: str
    cases: int
    operators: tuple[str, ...]
    opset: int | None
    difference: float
    reason: str = ""


def row_of(layer: str) -> Row:
    """Export and run all configurations of a layer."""
    cases = [case for case in [*CASES, *COMPOSED] if case.layer == layer]
    operators: dict[str, None] = {}
    lowest, worst = OLDEST_OPSET, 0.0
    for case in cases:
        opset, found = lowest_of(case)
        if isinstance(found, str):
            return Row(layer, len(cases), (), None, 0.0, found)
        for done in found:
            worst = max(worst, done.difference)
            operators.update(dict.fromkeys(done.operators))
        lowest = max(lowest, opset)
    return Row(layer, len(cases), tuple(_telling(operators)), lowest, worst)


@dataclass(frozen=True)
class Done:
    """A file that was written and run."""

    operators: tuple[str, ...]
    difference: float


def lowest_of(case: Any) -> tuple[int, list[Done] | str]:
    """The first opset that takes a configuration, with what was found in it and all later ones; or, why not.

    Where a layer counts steps, the configuration is tried with an open number of them as well.
    """
    model = layer_model(case) if isinstance(case, Case) else case.model()
    trials = [(model, [with_rows(case.inputs(), rows) for rows in BATCHES])]
    if isinstance(case, Case) and has_steps(case):
        given = [with_steps(case.inputs(), more) for more in MORE_STEPS]
        trials.append((layer_model(case, open_steps=True), given))
    lowest, found = LATEST + 1, list[Done]()
    for opset in range(OLDEST_OPSET, LATEST + 1):
        for network, inputs in trials:
            made = export(network, inputs, opset)
            if isinstance(made, Done):
                lowest = min(lowest, opset)
                found.append(made)
            elif opset == LATEST or lowest <= opset:
                return lowest, made
    return lowest, found


def export(model: Any, inputs: list[list[np.ndarray]], opset: int) -> Done | str:
    """Write and run one configuration, or say why that cannot be."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.onnx"
        try:
            model.export(path, format="onnx", opset_version=opset, verbose=False)
        except UnsupportedOps as error:
            return ", ".join(dict.fromkeys(f"`{op}` ({reason})" for _, op, reason in error.ops))
        inferred(path)
        try:
            with apart.session(path) as session:
                return Done(tuple(describe_onnx(path).operators), _compared(model, inputs, session))
        except apart.Crash as error:
            return f"onnxruntime dies of it, by {error.cause}"


def _compared(model: Any, inputs: list[list[np.ndarray]], session: apart.Apart) -> float:
    worst = 0.0
    for arrays in inputs:
        found = session.run(arrays)
        expected = [np.asarray(x) for x in tree.flatten(model(arrays, training=False)) if x is not None]
        worst = max([worst, *map(difference, found, expected)])
    return worst


def _telling(operators: Iterable[str]) -> list[str]:
    named = sorted(operators)
    return [op for op in named if op not in PLUMBING] or named or ["none"]


# --- writing ------------------------------------------------------------------------------------------------

INTRODUCTION = """# Layers in ONNX

Written by `python docs/make_onnx_coverage.py` (onnx {onnx}, onnxruntime {runtime}); do not edit. Every
configuration of the cases is exported with each opset from the lowest that takes it to {latest}. Each file
passes ONNX's checker and strict shape inference, and runs in onnxruntime with batches of 1, 3 and 17; where a
layer counts steps, with two numbers of them as well. "Difference": the largest, over the largest output (or
1). "Operators": those of all configurations and opsets; what only moves data (`Reshape`, `Transpose`,
`Slice` ...) is named where nothing else is used. Numbers that onnxruntime treats otherwise: its MaxPool
leaves NaN out, its Where makes -0 to 0, and floats outside of an int's range are cast to its least number.

| layer | cases | operators | lowest opset | difference |
| --- | --- | --- | --- | --- |
"""


def render(lines: list[str]) -> str:
    """The table of these lines as Markdown."""
    import onnx
    import onnxruntime

    head = INTRODUCTION.format(onnx=onnx.__version__, runtime=onnxruntime.__version__, latest=LATEST)
    rest = sorted(set(public_layers()) - {line.split("`")[1] for line in lines})
    more = [f"| `{name}` | 0 | not exported: {NOT_EXPORTED.get(name, 'no case')} | - | - |" for name in rest]
    return head + "".join(f"{line}\n" for line in [*lines, *more])


def line_of(row: Row) -> str:
    """One line of the table."""
    if row.opset is None:
        return f"| `{row.layer}` | {row.cases} | not exported: {row.reason} | - | - |"
    operators = ", ".join(row.operators)
    shown = f"{row.difference:.0e}" if row.difference else "0"
    return f"| `{row.layer}` | {row.cases} | {operators} | {row.opset} | {shown} |"


def layer_names() -> list[str]:
    """The layers that have cases."""
    return sorted({case.layer for case in [*CASES, *COMPOSED]})


def public_layers() -> Iterator[str]:
    """All layers that users have."""
    for name in dir(kcompile.layers):
        value = getattr(kcompile.layers, name)
        if inspect.isclass(value) and issubclass(value, kcompile.layers.Layer) and value.__name__ == name:
            yield name


def main(given: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("layers", nargs="*")
    parser.add_argument("--keep", type=Path, metavar="FILE")
    options = parser.parse_args(given)
    keep = options.keep
    done = keep.read_text().splitlines() if keep is not None and keep.exists() else []
    known, lines = {line.split("`")[1]: line for line in done}, []
    for name in options.layers or layer_names():
        lines.append(known.get(name) or line_of(row_of(name)))
        print(lines[-1], flush=True)
        if keep is not None and name not in known:
            with keep.open("a") as file:
                file.write(f"{lines[-1]}\n")
    if not options.layers:
        TABLE.write_text(render(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
