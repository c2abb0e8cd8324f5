"""The command line, ``kcompile COMMAND``: one file per command, loaded only when that command runs."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from typing import Any

import click

import kcompile
from kcompile.cli.reporting import Fault, Interrupted, failed, in_one_line, one_line, user_errors

# Command -> its line in the help, which must not cost an import.
COMMANDS = {
    "bench": "Measure a model's time per call.",
    "cache": "Show or clear the cache of compiled kernels.",
    "check": "Check a model's compiled results, or an ONNX file.",
    "completion": "Print the script that completes commands in a shell.",
    "devices": "Show the CPU kernels are compiled for, and CUDA devices.",
    "doctor": "Say what this machine offers and what is wrong.",
    "explain": "Show a model's graph and kernels.",
    "export": "Export a model to ONNX.",
    "inspect": "Show what a saved file holds, without building it.",
    "plot": "Draw a model's layers as an SVG picture.",
    "summary": "Show the layers and weights of a model or an ONNX file.",
}


class LazyGroup(click.Group):
    """A group whose commands are the modules of this package; `COMMANDS` holds their names and help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"{__name__}.{name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; whatever goes wrong in it, the user sees one line."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise in_one_line(error) from error
        except (click.exceptions.Exit, click.ClickException):
            raise
        except (KeyboardInterrupt, click.Abort) as error:
            # CPython remembers an interrupt that passed through an `exec` of text, as imports have it, and
            # ends `python -m` by the signal in spite of our exit code. One that ends well makes it forget.
            exec("")
            raise Interrupted() from error
        except BrokenPipeError:
            raise  # click ends quietly, as who reads this output has seen enough
        except (OSError, MemoryError) as error:
            raise failed(error) from error
        except Exception as error:
            raise Fault(error) from error

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Commands for a shell, without importing them."""
        from click.shell_completion import CompletionItem

        # fish's script, which is click's, reads the help up to the first comma.
        found = [
            CompletionItem(name, help=text.replace(",", ""))
            for name, text in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            raise in_one_line(error) from error

    def resolve_command(self, ctx: click.Context, args: list[str]):  # type: ignore[no-untyped-def]
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from kcompile.core.errors import unknown_name

            ctx.fail(one_line(str(unknown_name("command", args[0], list(COMMANDS)))))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(kcompile.__version__, "-V", "--version", prog_name="kcompile")
def main() -> None:
    """Keras's API with a compiler under it.

    \b
    Exit codes:
      0  done
      1  the file or the model cannot do it
      2  the command was called wrongly
      3  done, and the answer is no: results differ, or something is wrong
      4  a fault of kcompile itself
    130  interrupted (Ctrl-C)
    """
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:  # names of files and layers that the terminal has no letters for
        reconfigure(errors="backslashreplace")
    click.get_current_context().with_resource(warnings.catch_warnings())
    warnings.showwarning = _warn
    with user_errors():
        import_module("kcompile.core.config")  # reads the environment


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning of the library as one line, without the source of whoever made it."""
    click.echo(f"Warning: {message}", err=True)
