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
    examples,
    json_option,
    microseconds,
    of_onnxruntime,
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
@import_option
@json_option
def command(model: Path, batches: tuple[int, ...], seconds: float, beside: bool, as_json: bool) -> None:
    """Measure MODEL's time per call: the median on random inputs, after a first call."""
    from kcompile.models.inputs import possible_batches

    network = load(model)
    batches = possible_batches(network, batches)
    with user_errors(), working(f"measuring {model}"):
        rows = [_row(network, batch, seconds) for batch in batches]
        if beside:
            for row, us in zip(rows, _onnxruntime(network, batches, seconds), strict=True):
                row["onnxruntime_us"] = us
    show({"file": str(model), "batches": rows}, _lines(rows), as_json)


def _row(network: Any, batch: int, seconds: float) -> dict[str, Any]:
    import time

    arguments = _arguments(network, batch)
    call = partial(network, *arguments, training=False)
    begin = time.perf_counter()
    call()
    first = (time.perf_counter() - begin) * 1e6
    us = _typical(call, seconds)
    return {"batch": batch, "first_us": first, "kcompile_us": us, "samples_per_second": batch / us * 1e6}


def _typical(call: Any, seconds: float) -> float:
    from kcompile.export.onnx.session import typical_us

    return typical_us(call, seconds, MOST)


def _arguments(network: Any, batch: int) -> list[Any]:
    import numpy as np

    from kcompile.export.onnx.inputs import arguments_of
    from kcompile.export.onnx.signature import trace_inference
    from kcompile.export.onnx.sizes import sizes_of

    traced = trace_inference(network)
    size, _ = sizes_of(network, traced, batch)
    return arguments_of(traced, batch, np.random.default_rng(batch), size)


def _onnxruntime(network: Any, batches: tuple[int, ...], seconds: float) -> list[float]:
    import tempfile
    from importlib.util import find_spec

    from kcompile.core import tree
    from kcompile.export.onnx import apart

    if find_spec("onnxruntime") is None:
        raise ImportError('--onnxruntime needs it: pip install "kcompile[check]"')
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        network.export(path, format="onnx", verbose=False)
        feeds = [tree.flatten(_arguments(network, batch)) for batch in batches]
        with of_onnxruntime(path), apart.session(path) as session:
            return [session.typical_us(feed, seconds, MOST) for feed in feeds]


def _lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    beside = "onnxruntime_us" in rows[0]
    yield f"{'batch':>6}  {'first call':>12}  {'kcompile':>12}  {'samples/s':>12}" + "   onnxruntime" * beside
    for row in rows:
        yield (
            f"{row['batch']:>6}  {microseconds(row['first_us']):>12}  {microseconds(row['kcompile_us']):>12}"
            f"  {row['samples_per_second']:>12,.0f}"
            + (f"  {microseconds(row['onnxruntime_us']):>12}" if beside else "")
        )
