"""The error family and its one message format: what was expected, what came, where, and the way out."""

from __future__ import annotations


class KCompileError(Exception):
    """Base of all errors that are kcompile's own."""


class ShapeError(KCompileError, ValueError):
    """Shapes do not fit. A ValueError too, as Keras raises."""


class BroadcastError(ShapeError, TypeError):
    """Shapes of several operands do not fit together. A TypeError, too, as Keras has it from JAX."""


class SubscriptError(ShapeError, IndexError):
    """A subscript does not fit the tensor."""


class AxisError(ShapeError, IndexError):
    """A tensor has no such axis. An IndexError, too, as NumPy's, and as Keras has it from a shape's tuple."""


class ArgumentError(KCompileError, ValueError, TypeError, AttributeError):
    """An argument is not of a type that it may have. Keras raises a ValueError where it checks, and elsewhere
    what Python happens to fail with: a TypeError, or an AttributeError.
    """


class MisfitError(ArgumentError, IndexError, KeyError, ZeroDivisionError, OverflowError):
    """Arguments that an op or a layer has no use for, found out by what Python or NumPy failed with inside.
    Keras's users see there whatever JAX failed with.
    """

    __str__ = Exception.__str__  # a KeyError shows its message in quotes


class AccidentError(MisfitError, RuntimeError, AssertionError, FloatingPointError):
    """The same, found out by one of these, which who catches them should go on to catch."""


class NoNumbersError(ArgumentError, NotImplementedError):
    """A symbolic tensor stands where numbers are needed. Keras raises whatever the use of it ends in: a
    ValueError for an array, a NotImplementedError for a loop over it, a TypeError out of JAX.
    """


class ComplexNumbersError(ArgumentError, NotImplementedError):
    """Complex numbers stand where kernels are of real ones only. Keras on JAX has some of these kernels, and
    raises a TypeError or a ValueError where it has none.
    """


class DTypeError(KCompileError, TypeError, ValueError):
    """dtypes do not fit."""


class MissingLabelsError(KCompileError, ValueError, KeyError):
    """Outputs have no labels. Keras raises a KeyError where there are several, else a ValueError."""

    __str__ = Exception.__str__  # a KeyError shows its message in quotes


class MissingOutputError(KCompileError, ValueError, KeyError):
    """A loss is given for a place that the outputs do not have. Keras raises a KeyError."""

    __str__ = Exception.__str__


class ConfigError(KCompileError, TypeError, ValueError):
    """A class does not take what its config says. Keras raises a TypeError for whatever the class raised."""


class UnknownObjectError(ConfigError):
    """A config names a class that nobody published, registered or passed. Keras raises a TypeError."""


class CompileError(KCompileError, RuntimeError):
    """A fault of kcompile itself (a pass, a kernel, Numba): names the stage and the generated file."""


def message(summary: str, *, expected: str = "", received: str = "", at: str = "", hint: str = "") -> str:
    """One message format for all errors.

    >>> print(message("conv2d: the kernel's depth must equal the channels.", expected="3", received="4"))
    conv2d: the kernel's depth must equal the channels.
      expected  3
      received  4
    """
    rows = [("expected", expected), ("received", received), ("at", at), ("hint", hint)]
    return "\n".join([summary, *(f"  {name:<9} {text}" for name, text in rows if text)])


def add_place(error: Exception, place: str) -> None:
    """Say in an error's message where it happened; its type stays."""
    if error.args and isinstance(error.args[0], str):
        error.args = (f"{error.args[0]}\n  {'at':<9} {place}", *error.args[1:])


def unknown_name(kind: str, name: object, known: list[str]) -> ValueError:
    """The error for a name that is not in a registry: says what is near."""
    import difflib

    near = difflib.get_close_matches(str(name), known, n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(sorted(known))}"
    return ValueError(message(f"Unknown {kind}: {name!r}.", hint=hint))
