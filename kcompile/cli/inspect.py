"""``kcompile inspect FILE``."""

from __future__ import annotations

from pathlib import Path

import click

from kcompile.cli.model_file import ModelFile


@click.command()
@click.argument("file", type=ModelFile())
def command(file: Path) -> None:
    """Show what FILE, a .keras, .weights.h5 or .h5 file, holds: layers, names and shapes of weights.

    Nothing is built or run, so that a file from a stranger can be looked at.
    """
    from kcompile.saving.inspection import describe

    try:
        for line in describe(file):
            click.echo(line)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
