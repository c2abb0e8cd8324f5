"""``kcompile export MODEL -o model.onnx``."""

from __future__ import annotations

from pathlib import Path

import click

from kcompile.cli.model_file import ModelFile, load


@click.command()
@click.argument("model", type=ModelFile())
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="[default: MODEL.onnx]")
@click.option(
    "--opset", type=click.IntRange(min=1), help="ONNX operator set; by default one that most runtimes know."
)
@click.option("--check", is_flag=True, help="Run the file with onnxruntime and compare with the model.")
def command(model: Path, output: Path | None, opset: int | None, check: bool) -> None:
    """Export MODEL, a .keras or .h5 file, to ONNX."""
    target = output or model.with_suffix(".onnx")
    network = load(model)
    options = {} if opset is None else {"opset_version": opset}
    try:
        network.export(target, format="onnx", verbose=False, **options)
    except (OSError, ValueError, NotImplementedError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{target}: {target.stat().st_size:,} bytes")
    if check:
        _check(network, target)


def _check(network: object, target: Path) -> None:
    from kcompile.export.onnx import check

    try:
        difference = check(network, target)
    except ImportError as error:
        raise click.ClickException('--check needs onnxruntime: pip install "kcompile[check]"') from error
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"onnxruntime agrees: largest difference {difference:.1e}")
