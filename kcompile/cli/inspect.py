"""``kcompile inspect FILE``."""

from __future__ import annotations

from pathlib import Path

import click

from kcompile.cli.model_file import ModelFile
from kcompile.cli.reporting import examples, json_option, reading, show


@click.command(epilog=examples("kcompile inspect model.keras", "kcompile inspect model.weights.h5 --json"))
@click.argument("file", type=ModelFile())
@json_option
def command(file: Path, as_json: bool) -> None:
    """Show what FILE, a .keras, .weights.h5 or .h5 file, holds: layers, names and shapes of weights.

    Nothing is built or run, so that a file from a stranger can be looked at.
    """
    from kcompile.saving.inspection import describe

    with reading(file, str(file)):
        lines = list(describe(file))
    show({"file": str(file), "lines": lines}, lines, as_json)
