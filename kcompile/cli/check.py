"""``kcompile check MODEL [ONNX]``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from kcompile.cli.custom import import_option
from kcompile.cli.model_file import ONNX, ModelFile, load
from kcompile.cli.reporting import (
    SAYS_NO,
    examples,
    json_option,
    microseconds,
    of_onnxruntime,
    reading,
    show,
    user_errors,
    working,
)

BATCHES = (1, 3, 17)
TERMS = 4096  # products that a deep model adds up, for the tolerance of its dtype


@click.command(
    epilog=examples(
        "kcompile check model.keras",
        "kcompile check model.keras model.onnx",
        "kcompile check model.onnx --json",
    )
)
@click.argument("model", type=ModelFile(onnx=True))
@click.argument("exported", type=ModelFile(onnx=True), required=False)
@import_option
@json_option
def command(model: Path, exported: Path | None, as_json: bool) -> None:
    """Check MODEL on random inputs at several batch sizes; ends with 3 if something is wrong.

    A .keras or .h5 file: its weights are finite, and its compiled program computes what its operations do
    one by one (of a model over text: the part behind the text). With EXPORTED, an .onnx file of the same
    model: onnxruntime computes the same. An .onnx file alone: ONNX's checker accepts it, and onnxruntime,
    where it is installed, runs it.
    """
    if model.suffix == ONNX and exported is not None:
        raise click.UsageError("EXPORTED goes with a .keras or .h5 MODEL")
    if exported is not None and exported.suffix != ONNX:
        raise click.UsageError(f"EXPORTED must be an .onnx file, not {str(exported)!r}")
    with working(f"checking {model}"):
        if model.suffix == ONNX:
            result = _onnx(model)
        elif exported is not None:
            result = _pair(load(model), exported)
        else:
            result = _model(load(model))
    result["ok"] = not result["problems"]
    show({"file": str(model), **result}, _lines(model, result), as_json)
    if not result["ok"]:
        raise click.exceptions.Exit(SAYS_NO)


def _lines(path: Path, result: dict[str, Any]) -> Iterator[str]:
    for row in result["batches"]:
        apart = "" if row.get("difference") is None else f"  difference {row['difference']:.1e}"
        times = [f"{key[:-3]} {microseconds(row[key])}" for key in row if key.endswith("_us") and row[key]]
        yield "  ".join([f"batch {row['batch']:>3}{apart}", *times])
    for note in result["notes"]:
        yield f"note: {note}"
    for problem in result["problems"]:
        yield f"problem: {problem}"
    yield f"{path}: {'ok' if result['ok'] else 'not ok'}"


def _model(network: Any) -> dict[str, Any]:
    """Compiled against operation by operation."""
    import numpy as np

    from kcompile.core import dtypes
    from kcompile.export.onnx.compare import tolerance_of
    from kcompile.export.onnx.signature import trace_inference
    from kcompile.models.host_stage import compiled_part
    from kcompile.models.inputs import possible_batches

    network = compiled_part(network)
    problems = [
        f"weight {w.path} has NaN or infinite numbers"
        for w in network.weights
        if dtypes.is_float(w.dtype) and not np.isfinite(np.asarray(w.array, "float64")).all()
    ]
    with user_errors():
        traced = trace_inference(network)
        limit, rows = max(tolerance_of(network), dtypes.tolerance("float32", TERMS)), []
        for batch in possible_batches(network, BATCHES):
            apart = max(_differences(network, traced, batch), default=0.0)
            rows.append({"batch": batch, "difference": apart if apart < 1e300 else None})
            if not apart <= limit:
                problems.append(f"batch {batch}: compiled results are {apart:.1e} apart, allowed {limit:.0e}")
    return {"problems": problems, "notes": [], "batches": rows}


def _differences(network: Any, traced: Any, batch: int) -> Iterator[float]:
    """Two calls: of the outputs, and of the variables that a call changes."""
    import numpy as np

    from kcompile.core import tree
    from kcompile.export.onnx.compare import arguments_of, difference
    from kcompile.ir import evaluate
    from kcompile.ir.graph import topological

    graph, rng = traced.graph, np.random.default_rng(batch)
    roots = [*graph.outputs, *graph.assignments.values()]
    variables = [n.values[0] for n in topological(roots) if n.op.name == "variable"]
    held = {v: graph.variables[v.node.attrs["uid"]] for v in [*variables, *graph.assignments]}
    for call in (0, 1):
        arguments = arguments_of(traced.specs, batch, rng, call)
        flat = tree.flatten(arguments)
        leaves = dict(zip(graph.inputs, flat, strict=True))
        leaves |= {v: np.array(variable.array) for v, variable in held.items()}
        expected = evaluate.evaluate(roots, leaves, evaluate.bind_symbols(graph.inputs, flat))
        outputs = [x for x in tree.flatten(network(*arguments, training=False)) if x is not None]
        found = [*outputs, *(held[v].array for v in graph.assignments)]
        yield from (difference(np.asarray(a), b) for a, b in zip(found, expected, strict=True))


def _pair(network: Any, exported: Path) -> dict[str, Any]:
    from kcompile.export.onnx import compare, inspection

    with reading(exported, str(exported)):
        inspection.load(exported)
    fault = inspection.faults(exported)
    problems = [fault] if fault else []
    with user_errors(), of_onnxruntime(exported):
        rows = compare.rows(network, exported, batches=BATCHES)
    limit = compare.tolerance_of(network)
    for row in rows:
        if not row.difference <= limit:
            problems.append(f"batch {row.batch}: results are {row.difference:.1e} apart, allowed {limit:.0e}")
    shown = [asdict(r) | ({} if r.difference < 1e300 else {"difference": None}) for r in rows]
    return {"problems": problems, "notes": [], "batches": shown}


def _onnx(path: Path) -> dict[str, Any]:
    from importlib.util import find_spec

    import numpy as np

    from kcompile.export.onnx import compare, inspection
    from kcompile.export.onnx.session import Session

    with reading(path, str(path)):
        described = inspection.describe_onnx(path)
    fault, rows, notes = inspection.faults(path), [], []
    problems = [fault] if fault else []
    if find_spec("onnxruntime") is None:
        notes.append('onnxruntime is not installed, so nothing was run: pip install "kcompile[check]"')
    elif not problems:
        try:
            with of_onnxruntime(path):
                session = Session(path)
                for batch in inspection.possible_batches(described.inputs, BATCHES):
                    feed = inspection.random_feed(described, batch)
                    results = session.run(feed)
                    us = compare.typical_us(partial(session.run, feed))
                    rows.append({"batch": batch, "onnxruntime_us": us})
                    if any(x.dtype.kind == "f" and np.isnan(x).any() for x in results):
                        notes.append(f"batch {batch}: random inputs give NaN")
        except ValueError as error:
            problems.append(str(error))
    return {"problems": problems, "notes": notes, "batches": rows}
