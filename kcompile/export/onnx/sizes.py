"""Sizes for dimensions that a model leaves open: a check finds them by trying what the model takes.

A Reshape wants a multiple of three, a convolution as much as its kernel, a table of positions no more than it
has; five poolings leave nothing of a small image. Sizes are chosen by the model alone (or by the runtime, for
a file alone) before anything is compared, so that a difference stays one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice
from types import MappingProxyType
from typing import Any

import numpy as np

from kcompile.core import tree
from kcompile.core.errors import AccidentError, message
from kcompile.core.symbolic import Int
from kcompile.export.onnx.dimension_names import names_in, replaced
from kcompile.export.onnx.inputs import arguments_of, keeping_states
from kcompile.export.onnx.signature import Spec, Traced
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


NOTHING: Mapping[str, int] = MappingProxyType({})
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


def sizes_of(model: Any, traced: Traced, batch: int, first: Sequence[int] = ()) -> Sizes:
    """Two sizes that the model takes, or one twice.

    first: what is tried before all others.
    Raises:  ValueError if it takes none of those that are tried.
    """
    specs = tree.flatten(traced.specs)
    if not is_open(traced):
        return SIZES[0], SIZES[0]
    call = _Call(model, traced, batch)

    def is_possible(extent: int) -> bool:
        with suppress(*REFUSALS):
            return bool(call.arguments(extent))
        return False

    further = filter(is_possible, further_sizes(spec.shape for spec in specs))
    return first_fitting(_candidates(specs, first), call.says_something, REFUSALS, islice(further, FEW))


def sizes_asked(
    model: Any,
    traced: Traced,
    batch: int,
    each: Sequence[int] = (),
    named: Mapping[str, int] = NOTHING,
    first: Sequence[int] = (),
) -> tuple[Traced, Sizes]:
    """The call with the dimensions known that are given by name, and sizes of the others: those that are
    given for each of them, or else what the model takes.

    Raises:  UntakenSize for sizes that the model does not take.
    """
    known = with_sizes(traced, named)
    must_be_open(is_open(known), each)

    def fitting() -> int:
        return sizes_of(model, traced, batch)[0]

    if is_open(known) and not each:
        with asking(named, fitting):
            return known, sizes_of(model, known, batch, first)
    call = _Call(model, known, batch)
    for extent in each or (SIZES[:1] if named else ()):
        with asking(named, fitting, *each and [extent]):
            call.run(call.arguments(extent, something_left=False))
    one, *others = each or SIZES[:1]
    return known, (one, (others or [one])[0])


class _Call:
    """Calls of a model with random arguments of several sizes, which leave its states as they were."""

    def __init__(self, model: Any, traced: Traced, batch: int):
        self._model, self._traced, self._batch = model, traced, batch
        self._rules = OpenRules(traced.graph)

    def arguments(self, extent: int, something_left: bool = True) -> list[Any]:
        """Raises:  one of REFUSALS where the rules of shapes do."""
        graph = self._traced.graph
        arguments = arguments_of(self._traced, self._batch, np.random.default_rng(self._batch), extent)
        symbols = bind_symbols(graph.inputs, tree.flatten(arguments))
        if something_left:
            _must_leave_something(graph, symbols)
        self._rules.check(symbols)
        return arguments

    def run(self, arguments: list[Any]) -> list[Any]:
        with keeping_states(self._traced.graph):
            results = tree.flatten(self._model(*arguments, training=False))
            return [np.asarray(x) for x in results if x is not None]

    def says_something(self, extent: int) -> bool:
        arguments = self.arguments(extent)
        telling = are_telling(self.run(arguments))
        return lie_within(self._traced.graph, tree.flatten(arguments)) and telling


def is_open(traced: Traced) -> bool:
    """Is a dimension behind the batch open?"""
    return any(spec.is_open for spec in tree.flatten(traced.specs))


def must_be_open(something: bool, each: Sequence[int]) -> None:
    """Raises:  UntakenSize for a size of all open dimensions where there are none."""
    if each and not something:
        raise UntakenSize("no dimension behind the batch is left open")


@contextmanager
def asking(named: Mapping[str, int], fitting: Callable[[], int], *each: int) -> Iterator[None]:
    """What is refused inside is so because of the sizes that were asked for, if there is one that is not."""
    try:
        yield
    except REFUSALS as error:
        other = None
        with suppress(*REFUSALS):
            other = fitting() if each or named else None
        if other is None:
            raise
        sizes = ", ".join([*(f"{name}={size}" for name, size in named.items()), *map(str, each)])
        raise UntakenSize(f"{sizes} is not taken, {other} is: {_first_line(error)}") from error


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
