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
    OpenSizes,
    examples,
    json_option,
    microseconds,
    of_onnxruntime,
    open_size_option,
    reading,
    show,
    user_errors,
    working,
)

BATCHES = (1, 3, 17)
PATIENCE = 10  # seconds for sizes of open dimensions, where no usual one fits a file alone
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
@open_size_option(calls=2)
@import_option
@json_option
def command(model: Path, exported: Path | None, open_size: OpenSizes, as_json: bool) -> None:
    """Check MODEL on random inputs at several batch sizes; ends with 3 if something is wrong.

    A .keras or .h5 file: its weights are finite, and its compiled program computes what its operations do
    one by one (of a model over text: the part behind the text). With EXPORTED, an .onnx file of the same
    model: onnxruntime computes the same. An .onnx file alone: ONNX's checker accepts it, and onnxruntime,
    where it is installed, runs it. Open dimensions behind the batch get sizes that the model takes.
    """
    if model.suffix == ONNX and exported is not None:
        raise click.UsageError("EXPORTED goes with a .keras or .h5 MODEL")
    if exported is not None and exported.suffix != ONNX:
        raise click.UsageError(f"EXPORTED must be an .onnx file, not {str(exported)!r}")
    with working(f"checking {model}"):
        if model.suffix == ONNX:
            result = _onnx(model, open_size)
        elif exported is not None:
            result = _pair(load(model), exported, open_size)
        else:
            result = _model(load(model), open_size)
    result["ok"] = not result["problems"]
    show({"file": str(model), **result}, _lines(model, result), as_json)
    if not result["ok"]:
        raise click.exceptions.Exit(SAYS_NO)


def _lines(path: Path, result: dict[str, Any]) -> Iterator[str]:
    for row in result["batches"]:
        apart = "" if row.get("difference") is None else f"  difference {row['difference']:.1e}"
        size = "" if row.get("size") is None else f"  size {row['size']:>3}"
        times = [f"{key[:-3]} {microseconds(row[key])}" for key in row if key.endswith("_us") and row[key]]
        yield "  ".join([f"batch {row['batch']:>3}{size}{apart}", *times])
    for note in result["notes"]:
        yield f"note: {note}"
    for problem in result["problems"]:
        yield f"problem: {problem}"
    yield f"{path}: {'ok' if result['ok'] else 'not ok'}"


def _model(network: Any, open_size: OpenSizes) -> dict[str, Any]:
    """Compiled against operation by operation."""
    import numpy as np

    from kcompile.core import dtypes
    from kcompile.export.onnx.compare import rows_one_by_one, tolerance_of
    from kcompile.models.host_stage import compiled_part

    with user_errors():
        network = compiled_part(network)
    problems = [
        f"weight {w.path} has NaN or infinite numbers"
        for w in network.weights
        if dtypes.is_float(w.dtype) and not np.isfinite(np.asarray(w.array, "float64")).all()
    ]
    limit = max(tolerance_of(network), dtypes.tolerance("float32", TERMS))
    with user_errors():
        rows = rows_one_by_one(network, BATCHES, *open_size)
    problems += _problems(rows, limit, "compiled results")
    shown = [{"batch": r.batch, "size": r.size, "difference": _number(r.difference)} for r in rows]
    return {"problems": problems, "notes": [], "batches": shown}


def _problems(rows: list[Any], limit: float, what: str) -> list[str]:
    """Where results are too far apart, in words."""
    found = []
    for row in rows:
        if not row.difference <= limit:
            apart = "" if _number(row.difference) is None else f" are {row.difference:.1e} apart"
            allowed = f"{apart}, allowed {limit:.0e}" if apart else " differ in shape, dtype or NaNs"
            found.append(f"{row.place()}: {what}{allowed}")
    return found


def _number(difference: float) -> float | None:
    """JSON has no infinity."""
    return difference if difference < 1e300 else None


def _pair(network: Any, exported: Path, open_size: OpenSizes) -> dict[str, Any]:
    from kcompile.export.onnx import compare, inspection

    with reading(exported, str(exported)):
        inspection.load(exported)
    fault = inspection.faults(exported)
    problems = [fault] if fault else []
    with user_errors(), of_onnxruntime(exported):
        rows = compare.rows(
            network, exported, batches=BATCHES, open_size=open_size.each, named=open_size.named
        )
    problems += _problems(rows, compare.tolerance_of(network), "results")
    shown = [asdict(row) | {"difference": _number(row.difference)} for row in rows]
    return {"problems": problems, "notes": [], "batches": shown}


def _onnx(path: Path, open_size: OpenSizes) -> dict[str, Any]:
    from importlib.util import find_spec

    from kcompile.export.onnx import apart, inspection
    from kcompile.export.onnx.sizes import UntakenSize, must_be_open

    with reading(path, str(path)):
        described = inspection.describe_onnx(path)
    with user_errors():
        known = inspection.with_sizes(described, open_size.named)
        must_be_open(inspection.is_open(known), open_size.each)
    fault, rows, notes = inspection.faults(path), list[Any](), list[str]()
    problems = [fault] if fault else []
    if find_spec("onnxruntime") is None:
        notes.append('onnxruntime is not installed, so nothing was run: pip install "kcompile[check]"')
    elif not problems:
        with user_errors():  # others than the file's
            try:
                with of_onnxruntime(path), apart.session(path) as session:
                    _run(session, described, known, open_size, rows, notes)
            except UntakenSize:
                raise
            except (ValueError, ChildProcessError) as error:
                problems.append(str(error))
    return {"problems": problems, "notes": notes, "batches": rows}


def _run(
    session: Any, described: Any, known: Any, asked: OpenSizes, rows: list[Any], notes: list[str]
) -> None:
    """Rows and notes of a file that is run at several batch sizes. known: what it is with sizes by name."""
    from itertools import product

    import numpy as np

    from kcompile.export.onnx import compare, inspection, sizes

    batches = inspection.possible_batches(described.inputs, BATCHES)
    is_open = inspection.is_open(known)
    fitting = partial(_fitting, session, described, batches[0])
    if is_open and not asked.each:
        with user_errors(), sizes.asking(asked.named, fitting):
            extents: tuple[int, ...] = (_fitting(session, known, batches[0]),)
    else:
        extents = asked.each
    for extent in extents or (sizes.SIZES[:1] if asked.named else ()):
        with sizes.asking(asked.named, fitting, *asked.each and [extent]):
            _runs(session, known, batches[0], extent)
    for batch, row in product(batches, [{"size": size} for size in extents] if is_open else [{}]):
        feed = inspection.random_feed(known, batch, *row.values())
        with compare.telling(batch, *row.values()):
            results, us = session.run(feed), session.typical_us(feed)
        rows.append({"batch": batch, **row, "onnxruntime_us": us})
        if any(x.dtype.kind == "f" and np.isnan(x).any() for x in results):
            notes.append(f"{compare.place(batch, *row.values())}: random inputs give NaN")


def _runs(session: Any, described: Any, batch: int, extent: int) -> bool:
    """Does what the file computes of this size say something? Raises ValueError if it does not run."""
    from kcompile.export.onnx import inspection, sizes

    with of_onnxruntime(session.path):
        return sizes.are_telling(session.run(inspection.random_feed(described, batch, extent)))


def _fitting(session: Any, described: Any, batch: int) -> int:
    """A size of all open dimensions that the file takes."""
    import time
    from itertools import takewhile

    from kcompile.export.onnx import sizes

    further = sizes.further_sizes(one.shape for one in described.inputs)
    end = time.monotonic() + PATIENCE
    further = takewhile(lambda _: time.monotonic() < end, further)
    runs = partial(_runs, session, described, batch)
    return sizes.first_fitting((*sizes.LIKELY, *sizes.SIZES), runs, (ValueError,), further, wanted=1)[0]
