"""The MODEL argument: a saved model's file, and the errors that a wrong one gives; files to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kcompile.cli.custom import HINT
from kcompile.cli.reporting import reading
from kcompile.core.errors import message

SUFFIXES = (".keras", ".h5", ".hdf5")
ONNX = ".onnx"
STDOUT = Path("-")


class ModelFile(click.ParamType):
    """A path to a saved model; checked before the library is loaded. onnx: take .onnx files too."""

    name = "model"

    def __init__(self, onnx: bool = False):
        self.suffixes = (*SUFFIXES, ONNX) if onnx else SUFFIXES

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        if not path.is_file():
            name = repr(str(path))
            self.fail(f"{name} is a folder" if path.is_dir() else f"there is no file {name}", param, ctx)
        if path.suffix not in self.suffixes:
            self.fail(f"{str(path)!r} is not a {' or '.join(self.suffixes)} file", param, ctx)
        return path

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """Let the shell complete names of files."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


class OutputFile(click.Path):
    """The path of a file to write, in a folder that is there; never that of the model itself.

    stdout: take "-" for standard output.
    """

    def __init__(self, stdout: bool = False) -> None:
        super().__init__(dir_okay=False, path_type=Path)
        self.stdout = stdout

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if str(value) == "-":
            if self.stdout:
                return STDOUT
            self.fail("results go into a file, not to standard output; ./- is a file named so", param, ctx)
        path = Path(super().convert(value, param, ctx))  # type: ignore[arg-type]
        if not path.absolute().parent.is_dir():
            self.fail(f"there is no folder {str(path.parent)!r}", param, ctx)
        if path.exists() and not path.is_file():
            self.fail(f"{str(path)!r} is no regular file, so it cannot be replaced by one", param, ctx)
        return path


def refuse_same(model: Path, output: Path, option: str) -> None:
    """The result must not take the place of the model that it is made from."""
    if output.exists() and output.samefile(model):
        raise click.BadParameter(f"{str(output)!r} is the model itself", param_hint=option)


def load(path: Path) -> Any:
    """The model, or a one-line error where the file is damaged or refused."""
    from kcompile.core.serialization import UnknownObjectError
    from kcompile.saving import load_model

    with reading(path, f"{path} could not be loaded"):
        try:
            return load_model(path)
        except UnknownObjectError as error:
            raise ValueError(message(str(error).splitlines()[0], hint=HINT)) from error
