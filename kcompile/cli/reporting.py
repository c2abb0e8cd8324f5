"""What commands share: results as text or JSON, one-line errors, examples in the help, exit codes.

Exit codes: 0 done; 1 the file or the model cannot do it; 2 the command was called wrongly; 3 it was done, and
the answer is no (results differ, something is wrong with the machine); 4 a fault of kcompile itself; 130 it
was interrupted.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click

SAYS_NO = 3
FAULT = 4
INTERRUPTED = 130  # as a shell tells of SIGINT

# Errors that come from what the user gave: files, models, options, the machine.
USERS = (OSError, ValueError, TypeError, NotImplementedError, ImportError, MemoryError)

json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of text."
)


class OpenSize(click.ParamType):
    """ "300", or "height=300": (name or None, size)."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        name, equals, size = str(value).rpartition("=")
        if not size.isdecimal() or int(size) < 1 or (equals and not name):
            self.fail(f"{value!r} is not like 300 or height=300", param, ctx)
        return name or None, int(size)


class OpenSizes(NamedTuple):
    """Sizes of open dimensions: of all of them, in one call and the next, and of some by their names."""

    each: tuple[int, ...]
    named: dict[str, int]


def open_size_option(calls: int) -> Callable[[Any], Any]:
    """--open-size, given for all dimensions once for each call at most."""

    def split(context: click.Context, option: click.Parameter, given: Any) -> OpenSizes:
        each = tuple(n for name, n in given if name is None)
        named = {name: n for name, n in given if name}
        if len(each) > calls:
            said = f"there are {calls} calls" if calls > 1 else "there is one call"
            raise click.BadParameter(f"{said}, and {len(each)} sizes", context, option)
        if len(each) + len(named) < len(given):
            raise click.BadParameter("a name has one size, in all calls", context, option)
        return OpenSizes(each, named)

    default = "sizes that the model takes" if calls > 1 else "32, or another one that the model takes"
    twice = "; given twice, in one call and in the next" if calls > 1 else ""
    return click.option(
        "--open-size",
        type=OpenSize(),
        metavar="[NAME=]SIZE",
        multiple=True,
        callback=split,
        help=f"Size of open dimensions behind the batch{twice}. With a NAME, as in the ONNX file, of that "
        f"one alone; may be given more than once. [default: {default}]",
    )


class Interrupted(click.ClickException):
    """Ctrl-C. Files are replaced only when they are complete, so there is nothing to tell."""

    exit_code = INTERRUPTED

    def __init__(self) -> None:
        super().__init__("interrupted")

    def show(self, file: Any = None) -> None:
        click.echo("Interrupted.", file=file, err=True)


class WrongCall(click.ClickException):
    """A command that was called wrongly: what is wrong, and where it is written how to call it."""

    exit_code = 2

    def __init__(self, error: click.UsageError):
        said = one_line(error.format_message()).rstrip(".")
        remedy = f" (see {error.ctx.command_path} --help)" if error.ctx is not None else ""
        super().__init__(f"{said}{remedy}")


def in_one_line(error: click.UsageError) -> click.ClickException:
    """click shows four lines: a summary of the usage, where help is, nothing, and the mistake."""
    return error if isinstance(error, click.exceptions.NoArgsIsHelpError) else WrongCall(error)


class Fault(click.ClickException):
    """An error that the user can do nothing about: what it was, and where."""

    exit_code = FAULT

    def __init__(self, error: Exception):
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = one_line(f"{type(error).__name__}: {error}")
        super().__init__(f"a fault of kcompile, please report it: {what} ({place.filename}:{place.lineno})")


def show(result: dict[str, Any], lines: Iterable[str], as_json: bool) -> None:
    """Print the result as JSON, or the lines."""
    if as_json:
        click.echo(json.dumps(result, indent=2, default=str, allow_nan=False))
        return
    for line in lines:
        click.echo(line)


def examples(*lines: str) -> str:
    """The end of a command's help; click keeps these lines as they are."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@contextmanager
def working(on: str) -> Iterator[None]:
    """Tell on a terminal what takes long; elsewhere print nothing."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(on):
        yield


@contextmanager
def user_errors(what: str = "") -> Iterator[None]:
    """An error that the user can do something about becomes one line; `what` says during what."""
    try:
        yield
    except USERS as error:
        raise failed(error, what) from error


@contextmanager
def reading(path: Any, what: str) -> Iterator[None]:
    """While a file is read, whatever goes wrong is the file's: libraries raise errors of any type.

    what: stands before messages that do not name the file.
    """
    try:
        yield
    except USERS as error:
        raise failed(error, "" if str(path) in str(error) else what) from error
    except Exception as error:
        found = ValueError(f"{path} is damaged: {type(error).__name__}: {error}")
        raise failed(found) from error


def failed(error: Exception, what: str = "") -> click.ClickException:
    """The error that click prints; the command ends with 1, or with 2 where it is an option's value."""
    text = str(error) or type(error).__name__
    option = getattr(error, "option", None)
    if option is not None:
        context = click.get_current_context(silent=True)
        return click.BadParameter(one_line(text), context, param_hint=f"--{option.replace('_', '-')}")
    if isinstance(error, OSError) and error.strerror and error.filename:
        what, text = str(error.filename), error.strerror
    if not getattr(error, "ops", None):  # a list of layers stays a list
        text = one_line(text)
    text = _with_options(text)
    return click.ClickException(f"{what}: {text}" if what else text)


def _with_options(text: str) -> str:
    """A hint's argument of Python under the name of the running command's option for it."""
    context = click.get_current_context(silent=True)
    options = [] if context is None else [o for p in context.command.params for o in p.opts if o[:2] == "--"]
    text, begin, hint = text.partition("hint: ")
    for option in options:
        name = option[2:].replace("-", "_")
        hint = re.sub(rf"`{name}(=[^`]*)?`|\b{name}=True\b", option, hint)
    return text + begin + hint


def one_line(text: str) -> str:
    """The library's messages have a line for each of expected, received and hint.

    >>> one_line("It is wrong.\\n  received  3\\n  hint      take 4")
    'It is wrong. received: 3; hint: take 4'
    """
    first, *rest = (line.strip() for line in text.strip().splitlines() if line.strip())
    parts = []
    for line in rest:
        word, _, said = line.partition(" ")
        known = word in ("expected", "received", "at", "hint", "error")
        parts.append(f"{word}: {said.strip()}" if known else line)
    return " ".join([first, "; ".join(parts)]).strip()


def microseconds(value: float) -> str:
    """A time in a unit that fits: "12.3 us", "4.56 ms", "1.20 s".

    >>> microseconds(12.34), microseconds(4560), microseconds(1_200_000)
    ('12.3 us', '4.56 ms', '1.20 s')
    """
    if value < 1000:
        return f"{value:.1f} us"
    return f"{value / 1e3:.2f} ms" if value < 1e6 else f"{value / 1e6:.2f} s"


@contextmanager
def of_onnxruntime(path: Path) -> Iterator[None]:
    """onnxruntime's own exceptions become ValueErrors; where it died, the error says with what."""
    try:
        yield
    except Exception as error:  # they have no common base
        where = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        if isinstance(error, ChildProcessError):
            raise ChildProcessError(f"{error}{where}") from error
        if not type(error).__module__.startswith("onnxruntime"):
            raise
        raise ValueError(f"onnxruntime cannot run {path}{where}: {error}") from error
