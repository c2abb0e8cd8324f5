"""``kcompile export MODEL -o model.onnx``."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from kcompile.cli.custom import import_option
from kcompile.cli.model_file import STDOUT, ModelFile, OutputFile, load, refuse_same
from kcompile.cli.reporting import (
    SAYS_NO,
    OpenSizes,
    examples,
    failed,
    json_option,
    microseconds,
    of_onnxruntime,
    one_line,
    open_size_option,
    show,
    user_errors,
    working,
)
from kcompile.cli.signature import Given, SignatureType, must_fit, specs_of

MOST = 3  # inputs and outputs that are shown


@click.command(
    epilog=examples(
        "kcompile export model.keras -o model.onnx",
        "kcompile export model.keras --opset 20 --check",
        "kcompile export model.keras --input-signature 'text=int32[batch,words]'",
        "kcompile export model.keras -o step.onnx --training",
        "kcompile export large.keras --fold-batch-norm --external-data",
        "kcompile export mine.keras --import my_layers.py",
    )
)
@click.argument("model", type=ModelFile())
@click.option(
    "-o", "--output", type=OutputFile(stdout=True), help="[default: MODEL.onnx] -: standard output."
)
@click.option(
    "--opset", type=click.IntRange(min=1), help="ONNX operator set; by default one that most runtimes know."
)
@click.option(
    "--input-signature",
    "signature",
    type=SignatureType(),
    multiple=True,
    help="Type of an input, once for each: NAME=DTYPE[DIM,...], without NAME of the next one; a DIM is a "
    "number, a name or ?. With --training the labels may follow, one for each output, and then as many "
    "weights of the samples.",
)
@click.option(
    "--fold-batch-norm", is_flag=True, help="Put batch normalizations into the weights before them."
)
@click.option(
    "--training", is_flag=True, help="Write a training step of a compiled model: loss, gradients, update."
)
@click.option(
    "--external-data",
    is_flag=True,
    help="Weights of 256 bytes or more in a second file; from 2 GB on they always are.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Run the file with onnxruntime: differences and latency at several batch sizes.",
)
@open_size_option(calls=2)
@import_option
@json_option
def command(
    model: Path,
    output: Path | None,
    opset: int | None,
    signature: tuple[Given, ...],
    fold_batch_norm: bool,
    training: bool,
    external_data: bool,
    check: bool,
    open_size: OpenSizes,
    as_json: bool,
) -> None:
    """Export MODEL, a .keras or .h5 file, to ONNX.

    A failed export leaves the old file. Layers that ONNX cannot express are listed before anything is
    written.
    """
    if check and training:
        raise click.UsageError("--check compares inference calls: use it without --training")
    if any(open_size) and not check:
        raise click.UsageError("--open-size is for --check; the file gets its sizes with --input-signature")
    if fold_batch_norm and training:
        raise click.UsageError("--fold-batch-norm is for inference: a training step computes the statistics")
    _check_opset(opset)
    options = {"fold_batch_norm": fold_batch_norm, "external_data": external_data, "training": training}
    if output == STDOUT:
        _refuse_beside_stdout({"--external-data": external_data, "--check": check, "--json": as_json})
        _to_stdout(model, opset, signature, options)
        return
    target = output or model.with_suffix(".onnx")
    refuse_same(model, target, "--output")
    network = load(model)
    specs = specs_of(network, signature, training)
    _export(network, model, target, opset, specs, options)
    result, lines = _written(target)
    if check:
        result |= _check(network, target, specs, open_size)
        lines += _check_lines(result)
    show(result, lines, as_json)
    if check and not result["agrees"]:
        raise click.exceptions.Exit(SAYS_NO)


def _export(
    network: Any, model: Path, target: Path, opset: int | None, specs: Any, options: dict[str, bool]
) -> None:
    with user_errors(), working(f"exporting {model}"), must_fit(specs):
        network.export(
            target, format="onnx", verbose=False, opset_version=opset, input_signature=specs, **options
        )


def _refuse_beside_stdout(given: dict[str, bool]) -> None:
    for option, is_given in given.items():
        if is_given:
            raise click.UsageError(f"{option} needs a file: name one with --output")
    if sys.stdout.isatty():
        raise click.UsageError("an ONNX file is not for a terminal: name one with --output, or use a pipe")


def _to_stdout(
    model: Path, opset: int | None, signature: tuple[Given, ...], options: dict[str, bool]
) -> None:
    """The bytes of the file and nothing else."""
    network = load(model)
    specs = specs_of(network, signature, options["training"])
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "model.onnx"
        _export(network, model, target, opset, specs, options)
        if target.with_name(f"{target.name}.data").exists():
            raise click.ClickException("the weights need a second file: name one with --output")
        click.echo(target.read_bytes(), nl=False)


def _check_opset(opset: int | None) -> None:
    from kcompile.export.onnx import check_opset

    try:
        check_opset(opset)
    except ValueError as error:
        raise click.BadParameter(one_line(str(error)), param_hint="--opset") from error


def _written(target: Path) -> tuple[dict[str, Any], list[str]]:
    """What the file holds, for machines and for people."""
    from kcompile.export.onnx.inspection import describe_onnx

    found = describe_onnx(target)
    opset, nodes = found.opsets["ai.onnx"], sum(found.operators.values())
    result: dict[str, Any] = {"file": str(target), "bytes": target.stat().st_size, "opset": opset}
    lines = [f"{target}: {result['bytes']:,} bytes, opset {opset}, {nodes:,} nodes"]
    data = target.with_name(f"{target.name}.data")
    if found.external:
        result |= {"data": str(data), "data_bytes": data.stat().st_size}
        lines.append(f"{data}: {result['data_bytes']:,} bytes of weights; keep both files together")
    for kind, tensors in (("inputs", found.inputs), ("outputs", found.outputs)):
        result[kind] = [asdict(one) for one in tensors]
        shown = (f"{t.name}: {t.dtype} ({', '.join(map(str, t.shape))})" for t in tensors[:MOST])
        more = f", and {len(tensors) - MOST} more" if len(tensors) > MOST else ""
        lines.append(f"{kind:<7}  {'; '.join(shown)}{more}")
    return result | {"nodes": nodes}, lines


def _check(network: Any, target: Path, specs: Any, open_size: OpenSizes) -> dict[str, Any]:
    from kcompile.export.onnx import compare

    try:
        with user_errors("--check"), of_onnxruntime(target), working("running the file with onnxruntime"):
            batches, (sizes, named) = compare.CHECKED_BATCHES, open_size
            rows = compare.rows(network, target, specs, batches, open_size=sizes, named=named)
    except click.ClickException as error:
        if isinstance(error.__cause__, ImportError):
            hint = ImportError('--check needs onnxruntime: pip install "kcompile[check]"')
            raise failed(hint) from error
        raise
    worst, limit = max(rows, key=lambda row: row.difference), compare.tolerance_of(network)
    agrees = bool(worst.difference <= limit)
    shown = worst.difference if worst.difference != float("inf") else None  # JSON has no infinity
    checked = [asdict(row) | ({} if row.difference < 1e300 else {"difference": None}) for row in rows]
    result = {"agrees": agrees, "largest_difference": shown, "limit": limit, "batches": checked}
    return result | {"largest_at": worst.place()}


def _check_lines(result: dict[str, Any]) -> Iterator[str]:
    is_open = any(row["size"] for row in result["batches"])
    head = f"{'batch':>6}" + f"  {'size':>4}" * is_open
    yield f"{head}  {'difference':>10}  {'onnxruntime':>12}  {'kcompile':>12}"
    for row in result["batches"]:
        apart = "different" if row["difference"] is None else f"{row['difference']:.1e}"
        times = (microseconds(row["onnxruntime_us"]), microseconds(row["kcompile_us"]))
        called = f"{row['batch']:>6}" + f"  {row['size']!s:>4}" * is_open
        yield f"{called}  {apart:>10}  {times[0]:>12}  {times[1]:>12}"
    worst = result["largest_difference"]
    if result["agrees"]:
        yield f"onnxruntime agrees: largest difference {worst:.1e}"
    else:
        shown = "shapes, dtypes or NaNs" if worst is None else f"{worst:.1e}, allowed {result['limit']:.0e}"
        yield f"onnxruntime computes something else: largest difference {shown} ({result['largest_at']})"
