"""``--input-signature NAME=DTYPE[DIM,...]``: types of inputs, and of a training step's labels and weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import click

from kcompile.cli.reporting import one_line

FORM = re.compile(r"(?:(?P<name>[\w./-]+)=)?(?P<dtype>\w+)\[(?P<dims>[^\[\]]*)\]")
OPTION = "--input-signature"


class Given(NamedTuple):
    """One use of the option. name: None where it was left out."""

    name: str | None
    dtype: str
    shape: tuple[int | str | None, ...]


class SignatureType(click.ParamType):
    """ "image=float32[batch,height,width,3]": a name if wanted, dtype, dimensions; "?" is an open one."""

    name = "signature"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = FORM.fullmatch(str(value).replace(" ", ""))
        if found is None:
            self.fail(f"{value!r} is not like float32[?,28,28,1] or image=float32[batch,rows,3]", param, ctx)
        dims = [d for d in found["dims"].split(",") if d]
        wrong = [d for d in dims if not (d == "?" or d.isdigit() or d.isidentifier())]
        if wrong or not dims or dims[0].isdigit():
            what = (
                f"{wrong[0]!r} is no dimension" if wrong else "the first dimension is the batch: ? or a name"
            )
            self.fail(f"{value!r}: {what}", param, ctx)
        from kcompile.core.dtypes import DTYPES, STRING

        if found["dtype"] not in (*DTYPES, STRING):
            known = ", ".join((*DTYPES, STRING))
            self.fail(f"{value!r}: {found['dtype']!r} is no dtype; there are {known}", param, ctx)
        shape = tuple(None if d == "?" else int(d) if d.isdigit() else d for d in dims)
        return Given(found["name"], found["dtype"], shape)


def specs_of(network: Any, given: Sequence[Given], training: bool) -> list[Any] | None:
    """The signature in the form of the model's arguments; of a training step labels follow, and weights.

    As many labels as the model has outputs; what comes after them are weights of the samples. None where
    no signature is given.
    """
    if not given:
        return None
    from kcompile.core import tree
    from kcompile.export.onnx.signature import default_signature, specs_of_arguments

    try:
        structure = specs_of_arguments(default_signature(network))
        names = [spec.name for spec in tree.flatten(structure)]
    except ValueError:  # it was never built: the signature says with what it can be
        structure = [None if len(given) == 1 else [None] * len(given)]
        names = [one.name or f"input_{k}" for k, one in enumerate(given)]
    inputs, rest = _in_order(given, names)
    if len(inputs) != len(names) or (rest and not training):
        count = f"{len(names)} input{'s' * (len(names) != 1)}"
        more = "; what comes after them are labels and weights, of --training" if rest else ""
        raise _wrong(f"the model has {count}, not {len(given)}{more}")
    found = tree.pack_as(structure, [_spec(one, name) for one, name in zip(inputs, names, strict=True)])
    each = len(getattr(network, "outputs", None) or rest)
    if len(rest) > 2 * each:
        outputs = f"{each} output{'s' * (each != 1)}"
        raise _wrong(f"{len(rest)} follow the inputs; with {outputs} {2 * each} can: labels and weights")
    following = [[_spec(one, one.name or "") for one in part] for part in (rest[:each], rest[each:])]
    return [*found, *(part[0] if len(part) == 1 else part for part in following if part)]


def _in_order(given: Sequence[Given], names: list[str]) -> tuple[list[Given], list[Given]]:
    """The inputs in the model's order, those without a name in the places that are left; and what follows."""
    by_name = {one.name: one for one in given if one.name in names}
    rest = [one for one in given if all(one is not other for other in by_name.values())]
    inputs = []
    for name in names:
        if name not in by_name and rest and rest[0].name is not None:
            if rest[0].name in names:
                raise _wrong(f"the input {rest[0].name!r} is given twice")
            known = f"the model's input{'s are' if len(names) > 1 else ' is'} {', '.join(map(repr, names))}"
            raise _wrong(f"there is no input {rest[0].name!r}; {known}")
        if name in by_name or rest:
            inputs.append(by_name[name] if name in by_name else rest.pop(0))
    return inputs, rest


def _spec(given: Given, name: str) -> Any:
    from kcompile.export.onnx.signature import Spec

    return Spec(given.shape, given.dtype, name)


def _wrong(what: str) -> click.BadParameter:
    return click.BadParameter(what, param_hint=OPTION)


@contextmanager
def must_fit(specs: list[Any] | None) -> Iterator[None]:
    """What does not fit while a model is traced with the types that the user gave is the user's mistake."""
    from kcompile.core.errors import ArgumentError, DTypeError, ShapeError

    try:
        yield
    except (ShapeError, DTypeError, ArgumentError) as error:
        if specs is None:
            raise
        raise _wrong(one_line(str(error))) from error
