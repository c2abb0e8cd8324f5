"""Sizes for dimensions that a model leaves open: a check finds them by trying what the model takes.

A Reshape wants a multiple of three, a convolution as much as its kernel, a table of positions no more than it
has; five poolings leave nothing of a small image. Sizes are chosen by the model alone (or by the runtime, for
a file alone) before anything is compared, so that a difference stays one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from kcompile.core import tree
from kcompile.core.errors import AccidentError, message
from kcompile.core.symbolic import Int
from kcompile.export.onnx.dimension_names import names_in, replaced
from kcompile.export.onnx.inputs import arguments_of, keeping_states
from kcompile.export.onnx.signature import Spec, Traced, trace_inference
from kcompile.export.onnx.symbols import readable
from kcompile.ir.evaluate import bind_symbols, concrete
from kcompile.ir.graph import Graph
from kcompile.ir.positions import lie_within
from kcompile.ir.shape_rules import OpenRules

SIZES = (7, 12, 16, 32, 64, 96, 48, 60, 128, 224, 9, 5, 3, 2, 1)
MOST, ELEMENTS = 512, 2**18  # of a size, and of what is open in an array, where none of these fits
FEW = 5  # of those that operations take, with which the model is called
LIKELY = (32,)  # where a call is measured, or nothing is known of a model
REFUSALS = (ValueError, TypeError, LookupError, ArithmeticError, NotImplementedError, AccidentError)


class UntakenSize(ValueError):
    """A size was asked for that the model does not take."""

    option = "open_size"


Sizes = tuple[int, int]  # of all open dimensions behind the batch, in one call and in the next


def with_sizes(traced: Traced, named: Mapping[str, int]) -> Traced:
    """The call with open dimensions behind the batch known that have these names in a file.

    Raises:  UntakenSize for a name that there is not.
    """
    shapes = [tuple(map(_dim, value.shape)) for value in traced.graph.inputs]
    must_be_known(named, shapes)
    specs = [
        replace(spec, shape=(spec.shape[0], *(d if isinstance(d, int) else None for d in known[1:])))
        for spec, known in zip(
            tree.flatten(traced.specs), (replaced(shape, named) for shape in shapes), strict=True
        )
    ]
    return replace(traced, specs=tree.pack_as(traced.specs, specs)) if named else traced


def _dim(dim: int | Int) -> int | str:
    return dim if isinstance(dim, int) else readable(dim)


def must_be_known(named: Mapping[str, int], shapes: Iterable[Sequence[int | str]]) -> None:
    """Raises:  UntakenSize for a name that no dimension behind the batch has."""
    known = names_in(d for shape in shapes for d in shape[1:])
    for name in named:
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "none is open"
            raise UntakenSize(f"no dimension behind the batch is named {name!r}; {there}")


def sizes_of(
    model: Any, traced: Traced, batch: int, open_size: Sequence[int] = (), first: Sequence[int] = ()
) -> Sizes:
    """Two sizes that the model takes, or one twice; `open_size` instead, if it is given.

    first: what is tried before all others.
    Raises:  ValueError if it takes none of those that are tried; UntakenSize for one of `open_size`.
    """
    specs = tree.flatten(traced.specs)
    if not any(spec.is_open for spec in specs):
        return SIZES[0], SIZES[0]

    rules = OpenRules(traced.graph)

    def given(extent: int, something_left: bool = True) -> list[Any]:
        arguments = arguments_of(traced, batch, np.random.default_rng(batch), extent)
        symbols = bind_symbols(traced.graph.inputs, tree.flatten(arguments))
        if something_left:
            _must_leave_something(traced.graph, symbols)
        rules.check(symbols)
        return arguments

    for extent in open_size:
        try:
            given(extent, something_left=False)
        except REFUSALS as error:
            raise UntakenSize(f"{extent} is not taken: {_first_line(error)}") from error
    if open_size:
        return open_size[0], open_size[-1]

    def is_possible(extent: int) -> bool:
        with suppress(*REFUSALS):
            return bool(given(extent))
        return False

    def says_something(extent: int) -> bool:
        arguments = given(extent)
        with keeping_states(traced.graph):
            results = tree.flatten(model(*arguments, training=False))
            telling = are_telling(np.asarray(x) for x in results if x is not None)
        return lie_within(traced.graph, tree.flatten(arguments)) and telling

    further = filter(is_possible, further_sizes(spec.shape for spec in specs))
    return first_fitting(_candidates(specs, first), says_something, REFUSALS, islice(further, FEW))


def measured_size(
    model: Any, batch: int, open_size: int | None = None, traced: Traced | None = None
) -> int | None:
    """One size for what is measured, `LIKELY` if the model takes it; None if no dimension is open."""
    traced = traced or trace_inference(model)
    given = () if open_size is None else (open_size,)
    if not any(spec.is_open for spec in tree.flatten(traced.specs)):
        return None
    return sizes_of(model, traced, batch, given, LIKELY)[0]


def first_fitting(
    tried: Sequence[int],
    says_something: Callable[[int], bool],
    refusals: tuple[type[Exception], ...],
    further: Iterable[int],
    wanted: int = 2,
) -> Sizes:
    """The first two sizes with telling results (or one twice), for want of them two that run at all.

    further: what is tried if each of the others is refused. wanted: 1 for one of them, twice.

    Raises:  ValueError, if each of them is refused with one of `refusals`.
    """
    telling: list[int] = []
    silent: list[int] = []
    refused: list[tuple[int, Exception]] = []
    for sizes in (dict.fromkeys(tried), further):
        for size in sizes:
            try:
                (telling if says_something(size) else silent).append(size)
            except refusals as error:
                refused.append((size, error))
            if len(telling) == wanted:
                break
        if telling or silent:
            break
    found = telling or silent
    if not found:
        numbers, (first, cause) = ", ".join(map(str, dict.fromkeys(tried))), refused[0]
        raise ValueError(
            message(
                "None of the sizes that were tried for the open dimensions can be computed: "
                f"{numbers}, and no other one that is small.",
                received=f"with {first}: {_first_line(cause)}",
                hint="say with `open_size` which sizes there may be",
            )
        ) from cause
    return found[0], found[min(1, len(found) - 1)]


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")


def further_sizes(shapes: Iterable[Sequence[object]]) -> Iterator[int]:
    """Sizes beside `SIZES` with which arrays of such shapes are not too large."""
    axes = max(sum(not isinstance(d, int) for d in shape[1:]) for shape in shapes)
    most = min(MOST, round(ELEMENTS ** (1 / axes)))
    return (size for size in range(1, most + 1) if size not in SIZES)


def are_telling(results: Iterable[np.ndarray]) -> bool:
    """Is there something to compare: numbers, and neither NaN nor infinite ones?"""
    return all(
        x.size and (x.dtype.kind in "OSUT" or np.isfinite(x.astype(np.float64)).all()) for x in results
    )


def _candidates(specs: Sequence[Spec], wanted: Sequence[int]) -> list[int]:
    """Multiples of what sizes must be multiples of: the wanted ones at first, or what comes next below."""
    step = max((spec.multiple for spec in specs), default=1)
    likely = [max(size // step, 1) * step for size in wanted]
    # Two and three times what they must be multiples of; 1 first where they meet known ones.
    first = (2 * step, 3 * step) if step > 1 else (1,) if any(spec.broadcasts for spec in specs) else ()
    return [*likely, *first, *(size for size in SIZES if size % step == 0)]


def _must_leave_something(graph: Graph, symbols: Mapping[str, int]) -> None:
    """Raise ValueError where nothing is left of what is computed, or a file cannot say it of so little."""
    for node in graph.nodes():
        with suppress(KeyError):  # of an extent that no input tells
            made = [d.evaluate(symbols) for v in node.values for d in v.shape if isinstance(d, Int)]
            if any(size < 1 for size in made):
                raise ValueError(f"nothing is left behind {node.op.name}")
            if node.op.has("onnx_least"):
                attrs = {name: concrete(value, symbols) for name, value in node.attrs.items()}
                shape = node.inputs[0].shape
                least = node.op.rules["onnx_least"](**attrs) or [0] * len(shape)
                extents = zip(shape, concrete(shape, symbols), least, strict=True)
                if any(size < n for d, size, n in extents if isinstance(d, Int)):
                    raise ValueError(f"{node.op.name} makes more of such a size than a file can say")
