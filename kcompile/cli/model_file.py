"""The MODEL argument: a saved model's file, and the errors that a wrong one gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

SUFFIXES = (".keras", ".h5", ".hdf5")


class ModelFile(click.ParamType):
    """A path to a saved model; checked before the library is loaded."""

    name = "model"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        if not path.is_file():
            self.fail(f"there is no file {str(path)!r}", param, ctx)
        if path.suffix not in SUFFIXES:
            self.fail(f"{str(path)!r} is not a {' or '.join(SUFFIXES)} file", param, ctx)
        return path


def load(path: Path) -> Any:
    """The model, or a one-line error where the file is damaged or refused."""
    from kcompile.saving import load_model

    try:
        return load_model(path)
    except (OSError, ValueError, TypeError, NotImplementedError) as error:
        raise click.ClickException(f"{path} could not be loaded: {error}") from error
