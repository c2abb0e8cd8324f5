"""``kcompile plot MODEL -o model.svg``."""

from __future__ import annotations

from pathlib import Path

import click

from kcompile.cli.custom import import_option
from kcompile.cli.model_file import ModelFile, OutputFile, load, refuse_same
from kcompile.cli.reporting import examples, json_option, show, user_errors


@click.command(
    epilog=examples(
        "kcompile plot model.keras",
        "kcompile plot model.keras -o model.svg --direction LR --shapes",
        "kcompile plot model.keras -o model.dot --expand-nested",
    )
)
@click.argument("model", type=ModelFile())
@click.option("-o", "--output", type=OutputFile(), help="[default: MODEL.svg]")
@click.option(
    "--direction", type=click.Choice(["TB", "BT", "LR", "RL"]), default="TB", show_default=True,
    help="Where edges run: down, up, right, left.",
)  # fmt: skip
@click.option("--shapes/--no-shapes", default=True, show_default=True, help="Tell the shapes of tensors.")
@click.option("--dtypes", is_flag=True, help="Tell the dtypes of layers.")
@click.option("--activations", is_flag=True, help="Tell the activations of layers.")
@click.option("--trainable", is_flag=True, help="Tell which layers are trained.")
@click.option("--expand-nested", is_flag=True, help="Show the layers of nested models.")
@import_option
@json_option
def command(
    model: Path,
    output: Path | None,
    direction: str,
    shapes: bool,
    dtypes: bool,
    activations: bool,
    trainable: bool,
    expand_nested: bool,
    as_json: bool,
) -> None:
    """Draw MODEL's layers as an SVG picture; a .dot file is written alike, other formats need Graphviz."""
    target = output or model.with_suffix(".svg")
    refuse_same(model, target, "--output")
    network = load(model)
    from kcompile.utils import plot_model
    from kcompile.utils.model_plots import DPI

    with user_errors():
        plot_model(
            network, target, show_shapes=shapes, show_dtype=dtypes, show_layer_names=True, rankdir=direction,
            expand_nested=expand_nested, dpi=DPI, show_layer_activations=activations,
            show_trainable=trainable,
        )  # fmt: skip
    size = target.stat().st_size
    show({"file": str(target), "bytes": size}, [f"{target}: {size:,} bytes"], as_json)
