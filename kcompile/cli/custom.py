"""``--import FILE.py``: a user's own layers, losses and functions, for models that name them.

A model's file can name classes, and never bring their code: what runs is what the user names here.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from importlib import import_module, util
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from kcompile.cli.reporting import one_line

HINT = "--import FILE.py takes the file that defines it"


class CodeFile(click.ParamType):
    """A .py file that is there, or the name of a module that Python finds."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        is_module = all(part.isidentifier() for part in text.split(".")) and not text.endswith(".py")
        if not is_module and not Path(text).is_file():
            self.fail(f"there is no file {text!r}", param, ctx)
        if not is_module and Path(text).suffix != ".py":
            self.fail(f"{text!r} is neither a .py file nor a module's name", param, ctx)
        return text

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """Let the shell complete names of files."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


def _import_all(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> None:
    """Run the files; what they define is known by its name while the command runs."""
    if ctx.resilient_parsing:  # the shell asks what may come next: nothing is to run
        return
    from kcompile.core.registry import CustomObjectScope

    for name in names:
        ctx.with_resource(CustomObjectScope(_own(_module(name), name.endswith(".py"))))


import_option: Callable[[Any], Any] = click.option(
    "--import", "imported", type=CodeFile(), multiple=True, expose_value=False, is_eager=True,
    callback=_import_all, metavar="FILE.py",
    help="Your own code: a file (or module) that defines layers, losses or functions of the model. It is "
    "run; may be given more than once.",
)  # fmt: skip


def _module(name: str) -> ModuleType:
    try:
        return _of_file(Path(name)) if name.endswith(".py") else import_module(name)
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        place = next((f" (line {f.lineno})" for f in reversed(frames) if f.filename == _full(name)), "")
        said = one_line(f"{type(error).__name__}: {error}")
        raise click.ClickException(f"{name} could not be imported{place}: {said}") from error


def _full(name: str) -> str:
    return str(Path(name).absolute())


def _of_file(path: Path) -> ModuleType:
    """The module of a file, which finds the modules beside it, as a script does."""
    folder = str(path.absolute().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = util.spec_from_file_location(path.stem, path.absolute())
    assert spec is not None and spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def _own(module: ModuleType, beside: bool = False) -> dict[str, Any]:
    """Classes and functions that the module or another one of its package defines, by name.

    A package may gather what its modules define, and with `beside` a file what the files beside it do. What
    comes from elsewhere is no code of the user's: it would stand in for ours of the same name.
    """
    folder = _folder(module) if beside else None

    def is_own(origin: str) -> bool:
        top = origin.partition(".")[0]
        in_package = top == module.__name__.partition(".")[0]
        return in_package or (folder is not None and _folder(sys.modules.get(top)) == folder)

    return {
        name: value
        for name, value in vars(module).items()
        if callable(value) and is_own(getattr(value, "__module__", None) or "")
    }


def _folder(module: ModuleType | None) -> Path | None:
    """Where a module's file lies, or a package's folder."""
    name = getattr(module, "__file__", None)
    if name is None:
        return None
    file = Path(name).absolute()
    return file.parent.parent if file.name == "__init__.py" else file.parent
