"""``kcompile explain MODEL``."""

from __future__ import annotations

from dataclasses import asdict
from io import StringIO
from pathlib import Path

import click

from kcompile.cli.custom import import_option
from kcompile.cli.model_file import ModelFile, OutputFile, load, refuse_same
from kcompile.cli.reporting import (
    OpenSizes,
    examples,
    json_option,
    open_size_option,
    show,
    user_errors,
    working,
)


@click.command(
    epilog=examples(
        "kcompile explain model.keras",
        "kcompile explain model.keras --html report.html",
        "kcompile explain model.keras -b 1 --json",
    )
)
@click.argument("model", type=ModelFile())
@click.option(
    "-b",
    "--batch-size",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Samples in a measured call.",
)
@click.option(
    "--html",
    type=OutputFile(),
    help="Write a page instead: graphs, roofline, memory over time, kernels; one file that loads nothing.",
)
@open_size_option(calls=1)
@import_option
@json_option
def command(model: Path, batch_size: int, html: Path | None, open_size: OpenSizes, as_json: bool) -> None:
    """Show MODEL's graph before and after the passes, and its kernels.

    Of each kernel: what was fused into it, operations, bytes, measured time and share of the machine's peak.
    A compiled model shows its training step too. Of a model over text: the part behind the text.
    """
    from kcompile.explain import zeros_for
    from kcompile.models.host_stage import compiled_part
    from kcompile.models.inputs import possible_batches

    if html is not None:
        refuse_same(model, html, "--html")
    with user_errors(str(model)):
        network = compiled_part(load(model))
    (batch_size,) = possible_batches(network, (batch_size,))
    with user_errors(str(model)), working(f"measuring the kernels of {model}"):
        x, size = zeros_for(network, batch_size, *open_size)
        programs = network.explain(x=x, file=StringIO() if as_json else None, html=html)
    shown = {name: [asdict(kernel) for kernel in kernels] for name, kernels in programs.items()}
    result = {"file": str(model), "batch_size": batch_size, "open_size": size, "programs": shown}
    if html is not None:
        result["html"] = str(html)
    lines = [] if size is None else [f"measured with open dimensions of size {size}"]
    lines += [] if html is None else [f"{html}: {html.stat().st_size:,} bytes; open it in a browser"]
    show(result, lines, as_json)
