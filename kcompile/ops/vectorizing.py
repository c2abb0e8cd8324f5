"""`vectorize`: a function of parts of tensors, applied to all parts."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable
from typing import Any

from kcompile.core.errors import ShapeError, message
from kcompile.ir.types import broadcast_shapes
from kcompile.ops import elementwise as ew
from kcompile.ops import joining, movement, subscript

_LIST = r"\((?:\w+(?:,\w+)*)?\)"
Dims = list[tuple[str, ...]]


def _parsed(signature: str) -> tuple[Dims, Dims]:
    """ "(m,n),(n)->(m)" -> the names of the parts' dimensions, of arguments and of results."""
    text = signature.replace(" ", "")
    if not re.fullmatch(rf"{_LIST}(?:,{_LIST})*->{_LIST}(?:,{_LIST})*", text):
        raise ValueError(f"not a valid gufunc signature: {signature}")
    found = [
        [tuple(filter(None, one.split(","))) for one in re.findall(r"\(([^)]*)\)", side)]
        for side in text.split("->")
    ]
    return found[0], found[1]


def vectorize(
    pyfunc: Callable[..., Any], *, excluded: Any = None, signature: str | None = None
) -> Callable[..., Any]:
    """A function that applies `pyfunc` to every element of its arguments, broadcast together.

    Args:    excluded: positions and names of arguments that are handed on whole. signature: the dimensions of
             the parts that pyfunc takes and gives, as in "(m,n),(n)->(m)"; scalars without it.
    Raises:  ValueError if pyfunc is not callable or the signature does not fit.

    >>> vectorize(lambda x, y: x * y + 1)([1.0, 2.0], 3.0).tolist()
    [4.0, 7.0]
    """
    if not callable(pyfunc):
        raise ValueError(f"Expected argument `pyfunc` to be a callable. Received: pyfunc={pyfunc}")
    left_out = set(excluded or ())
    inputs = _parsed(signature)[0] if signature is not None else None

    @functools.wraps(pyfunc)
    def call(*args: Any, **kwargs: Any) -> Any:
        at = [k for k in range(len(args)) if k not in left_out]
        names = [name for name in kwargs if name not in left_out]
        tensors = [ew.as_tensor(x) for x in (*(args[k] for k in at), *(kwargs[name] for name in names))]
        core: Dims = inputs if inputs is not None else [()] * len(tensors)
        if len(core) != len(tensors):
            raise TypeError(f"vectorize: {signature} is for {len(core)} arguments. Received: {len(tensors)}")

        def one(parts: list[Any]) -> Any:
            given = list(args)
            for k, part in zip(at, parts, strict=False):
                given[k] = part
            return pyfunc(*given, **{**kwargs, **dict(zip(names, parts[len(at) :], strict=True))})

        return _over_parts(one, tensors, core)

    return call


def _over_parts(one: Callable[[list[Any]], Any], tensors: list[Any], core: Dims) -> Any:
    """Results of one(parts) for all parts, stacked."""
    lead = broadcast_shapes(*_leading(tensors, core), op="vectorize")
    if not all(isinstance(d, int) for d in lead):
        raise ShapeError(message("vectorize: the dimensions must be known.", received=f"{lead}"))
    count = len(core)
    wide = [
        movement.broadcast_to(t, (*lead, *t.shape[len(t.shape) - len(core[k]) :]))
        for k, t in enumerate(tensors)
    ]
    places = list(itertools.product(*map(range, lead)))
    results = [
        one([subscript.getitem(wide[k], place) if place else wide[k] for k in range(count)])
        for place in places
    ]
    if not results:
        raise ShapeError(message("vectorize: there is nothing to apply the function to.", received=f"{lead}"))
    several = isinstance(results[0], tuple)
    rows = zip(*results, strict=True) if several else [results]
    stacked = tuple(_joined(list(row), lead) for row in rows)
    return stacked if several else stacked[0]


def _joined(parts: list[Any], lead: Any) -> Any:
    y = joining.stack(parts)
    return movement.reshape(y, (*lead, *y.shape[1:]))


def _leading(tensors: list[Any], core: Dims) -> list[Any]:
    """The dimensions of each argument before those of its part; equal names must have equal extents."""
    extents: dict[str, Any] = {}
    shapes = []
    for t, dims in zip(tensors, core, strict=True):
        if len(t.shape) < len(dims):
            raise ValueError(
                f"vectorize: input with shape {tuple(t.shape)} does not have enough dimensions for all core "
                f"dimensions {dims}"
            )
        split = len(t.shape) - len(dims)
        for name, extent in zip(dims, t.shape[split:], strict=True):
            if extents.setdefault(name, extent) != extent:
                raise ValueError(
                    f"vectorize: inconsistent size for core dimension '{name}': {extent} vs {extents[name]}"
                )
        shapes.append(tuple(t.shape[:split]))
    return shapes
