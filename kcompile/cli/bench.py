"""``kcompile bench MODEL``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from kcompile.cli.custom import import_option
from kcompile.cli.model_file import ModelFile, load
from kcompile.cli.reporting import (
    OpenSizes,
    examples,
    json_option,
    microseconds,
    of_onnxruntime,
    open_size_option,
    show,
    user_errors,
    working,
)

MOST = 10_000  # calls that are measured


@click.command(
    epilog=examples(
        "kcompile bench model.keras",
        "kcompile bench model.keras -b 1 -b 256 --seconds 2",
        "kcompile bench model.keras --onnxruntime --json",
    )
)
@click.argument("model", type=ModelFile())
@click.option(
    "-b", "--batch-size", "batches", type=click.IntRange(min=1), multiple=True,
    default=(1, 32, 128), show_default=True, help="Samples per call; may be given more than once.",
)  # fmt: skip
@click.option(
    "--seconds", type=click.FloatRange(min=0.0), default=0.5, show_default=True, help="Time per batch size."
)
@click.option("--onnxruntime", "beside", is_flag=True, help="Measure the exported model in onnxruntime too.")
@open_size_option(calls=1)
@import_option
@json_option
def command(
    model: Path,
    batches: tuple[int, ...],
    seconds: float,
    beside: bool,
    open_size: OpenSizes,
    as_json: bool,
) -> None:
    """Measure MODEL's time per call: the median on random inputs, after a first call."""
    from kcompile.export.onnx.signature import trace_inference
    from kcompile.export.onnx.sizes import LIKELY, is_open, sizes_asked
    from kcompile.models.inputs import possible_batches

    network = load(model)
    batches = possible_batches(network, batches)
    with user_errors(), working(f"measuring {model}"):
        traced, (extent, _) = sizes_asked(network, trace_inference(network), batches[0], *open_size, LIKELY)
        size = extent if is_open(traced) else None
        given = {batch: _arguments(traced, batch, extent) for batch in batches}
        rows = [_row(network, batch, arguments, seconds) for batch, arguments in given.items()]
        if beside:
            for row, us in zip(rows, _onnxruntime(network, given, seconds), strict=True):
                row["onnxruntime_us"] = us
    show({"file": str(model), "open_size": size, "batches": rows}, _lines(rows, size), as_json)


def _row(network: Any, batch: int, arguments: list[Any], seconds: float) -> dict[str, Any]:
    import time

    call = partial(network, *arguments, training=False)
    begin = time.perf_counter()
    call()
    first = (time.perf_counter() - begin) * 1e6
    us = _typical(call, seconds)
    return {"batch": batch, "first_us": first, "kcompile_us": us, "samples_per_second": batch / us * 1e6}


def _typical(call: Any, seconds: float) -> float:
    from kcompile.export.onnx.session import typical_us

    return typical_us(call, seconds, MOST)


def _arguments(traced: Any, batch: int, extent: int) -> list[Any]:
    import numpy as np

    from kcompile.export.onnx.inputs import arguments_of

    return arguments_of(traced, batch, np.random.default_rng(batch), extent)


def _onnxruntime(network: Any, given: dict[int, list[Any]], seconds: float) -> list[float]:
    import tempfile
    from importlib.util import find_spec

    from kcompile.core import tree
    from kcompile.export.onnx import apart

    if find_spec("onnxruntime") is None:
        raise ImportError('--onnxruntime needs it: pip install "kcompile[check]"')
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        network.export(path, format="onnx", verbose=False)
        feeds = map(tree.flatten, given.values())
        with of_onnxruntime(path), apart.session(path) as session:
            return [session.typical_us(feed, seconds, MOST) for feed in feeds]


def _lines(rows: list[dict[str, Any]], open_size: int | None) -> Iterator[str]:
    if open_size is not None:
        yield f"measured with open dimensions of size {open_size}"
    beside = "onnxruntime_us" in rows[0]
    yield f"{'batch':>6}  {'first call':>12}  {'kcompile':>12}  {'samples/s':>12}" + "   onnxruntime" * beside
    for row in rows:
        yield (
            f"{row['batch']:>6}  {microseconds(row['first_us']):>12}  {microseconds(row['kcompile_us']):>12}"
            f"  {row['samples_per_second']:>12,.0f}"
            + (f"  {microseconds(row['onnxruntime_us']):>12}" if beside else "")
        )
