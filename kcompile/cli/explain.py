"""``kcompile explain MODEL``."""

from __future__ import annotations

from pathlib import Path

import click

from kcompile.cli.model_file import ModelFile, load


@click.command()
@click.argument("model", type=ModelFile())
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True)
def command(model: Path, batch_size: int) -> None:
    """Show MODEL's graph before and after the passes, and its kernels.

    Of each kernel: what was fused into it, operations, bytes, measured time and share of the machine's peak.
    """
    load(model).explain(batch_size=batch_size)
