"""Kernels that differ in whole numbers only become one kernel, with the numbers that differ as arguments.

The layers of a network repeat each other at other sizes, and a kernel takes some 60 ms to compile: more than
constants in the place of arguments ever save it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from kcompile.codegen.spec import KernelSpec
from kcompile.core.symbolic import Int
from kcompile.schedule.roles import hint

# Constant strides become part of an instruction; in the place of a number each needs a register. Loops over
# many places at a time (the taps of a window, some rows together) lost a fifth of their speed.
MOST_PLACES = 26
SMALL_WORK = 1 << 16  # elements: what takes so little may be slower
DIGITS = 18  # of a number that surely fits into an argument
_PLACE = re.compile(r"\w+\[[^\[\]]+\]")
_HEAD = "def kernel(args, begin, end, scratch):\n"
_NUMBER = re.compile(r"    (\w+) = args\[(\d+)\]\n")
# `range(8)` is one piece: short loops keep their length, which LLVM writes out or makes vectors of.
_TOKEN = re.compile(r'range\(\d+\)|"[^"]*"|[A-Za-z_]\w*|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|[^\w"]+')


@dataclass(frozen=True)
class _Form:
    """A kernel's text in pieces, without the lines that read its numbers.

    pieces: tokens, whole numbers as int, other numbers of the run as `open0` and so on. arguments: where the
    pieces are ints that were arguments already. outline: all that kernels must have in common to be one.
    """

    pieces: tuple[str | int, ...]
    arguments: frozenset[int]
    outline: tuple[object, ...]


def with_shared_sources(specs: Sequence[KernelSpec]) -> list[KernelSpec]:
    """The specs, in order, with as few sources as possible."""
    known: dict[tuple[object, ...], _Form | None] = {}
    alike: dict[tuple[object, ...], dict[_Form, str]] = {}
    forms: list[_Form | None] = []
    for spec in specs:
        key = spec.source, spec.numbers, len(spec.buffers), spec.work
        if key not in known:
            known[key] = _form(spec) if _can_share(spec) else None
        form = known[key]
        forms.append(form)
        if form is not None:
            alike.setdefault(form.outline, {})[form] = spec.source.text
    result = []
    for spec, form in zip(specs, forms, strict=True):
        group = alike[form.outline] if form else {}
        result.append(_joined(spec, form, group) if form and len(set(group.values())) > 1 else spec)
    return result


def _can_share(spec: KernelSpec) -> bool:
    if spec.source.language != "python" or spec.nested is not None:
        return False
    return hint(spec.work) <= SMALL_WORK or len(set(_PLACE.findall(spec.source.text))) <= MOST_PLACES


def _form(spec: KernelSpec) -> _Form:
    source, first = spec.source, len(spec.buffers)
    values: dict[str, str | int] = {}  # of the names of numbers
    for name, slot in _NUMBER.findall(source.text):
        if int(slot) >= first:
            number = spec.numbers[int(slot) - first]
            values[name] = number if isinstance(number, int) else f"open{_open(spec).index(number)}"
    text = _NUMBER.sub(lambda line: "" if line[1] in values else line[0], source.text)
    tokens = _TOKEN.findall(text)
    pieces = tuple(values.get(t, int(t) if t.isdigit() and len(t) <= DIGITS else t) for t in tokens)
    arguments = frozenset(k for k, t in enumerate(tokens) if isinstance(values.get(t), int))
    outline = tuple(0 if isinstance(p, int) else p for p in pieces)
    kind = source.externals, source.modules, source.is_brief, first, len(_open(spec))
    return _Form(pieces, arguments, (outline, *kind))


def _open(spec: KernelSpec) -> list[Int]:
    """Numbers that depend on the run's extents."""
    return list(dict.fromkeys(n for n in spec.numbers if isinstance(n, Int)))


def _joined(spec: KernelSpec, form: _Form, alike: Collection[_Form]) -> KernelSpec:
    """The spec with the source of all kernels that are alike."""
    arguments = frozenset[int]().union(*(f.arguments for f in alike))
    names: dict[tuple[object, ...], str] = {}  # of the arguments, by their values in all of the kernels
    sizes: list[int] = []
    text: list[str] = []
    for k, column in enumerate(zip(*(f.pieces for f in alike), strict=True)):
        piece = form.pieces[k]
        if isinstance(piece, int) and (k in arguments or len(set(column)) > 1):
            if column not in names:
                names[column] = f"size{len(names)}"
                sizes.append(piece)
            piece = names[column]
        text.append(str(piece))
    opened = [f"open{k}" for k in range(len(_open(spec)))]
    first = len(spec.buffers)
    lines = (f"    {name} = args[{first + k}]\n" for k, name in enumerate([*opened, *names.values()]))
    whole = "".join(text).replace(_HEAD, _HEAD + "".join(lines), 1)
    return replace(spec, source=replace(spec.source, text=whole), numbers=(*_open(spec), *sizes))
