"""Which objects of a model hold variables, and under which path of a weights file Keras keeps them.

A path is made of attribute names; in lists and dicts, of the class's name in snake case and a number from
the second of that name on. Private attributes come last, and the layers of Sequential and functional models
first, as `layers/...`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from kcompile.layers.layer import Layer
from kcompile.layers.state import State
from kcompile.models.functional import Functional
from kcompile.models.sequential import Sequential
from kcompile.optimizers.optimizer import Optimizer
from kcompile.trace.naming import to_snake_case

HOLDERS = (State, Optimizer)
# Private mirrors of what `layers` holds.
MIRRORS = {"_functional", "_stack", "operations", "_operations"}


def holders(root: Any) -> Iterator[tuple[str, Any]]:
    """(path, object) for the root (at "") and every layer and optimizer in it, at the first path to each."""
    yield from _walk(root, "", set())


def optimizers_of(root: Any) -> Iterator[tuple[str, Optimizer]]:
    """(path, optimizer) for each of them."""
    for path, holder in holders(root):
        if isinstance(holder, Optimizer):
            yield path, holder


def _walk(holder: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if id(holder) in seen:
        return
    seen.add(id(holder))
    yield path, holder
    for name, child in _children(holder):
        below = f"{path}/{name}" if path else name
        if isinstance(child, HOLDERS):
            yield from _walk(child, below, seen)
        elif isinstance(child, (list, dict, tuple)):
            yield from _walk_container(child, below, seen, set())


def _walk_container(
    container: Any, path: str, seen: set[int], entered: set[int]
) -> Iterator[tuple[str, Any]]:
    if id(container) in entered:
        return
    entered.add(id(container))
    counts: dict[str, int] = {}
    for item in container.values() if isinstance(container, dict) else container:
        if isinstance(item, HOLDERS):
            yield from _walk(item, f"{path}/{_numbered(to_snake_case(type(item).__name__), counts)}", seen)
        elif isinstance(item, (list, dict, tuple)):
            yield from _walk_container(item, f"{path}/{_numbered('container', counts)}", seen, entered)


def _numbered(name: str, counts: dict[str, int]) -> str:
    count = counts.get(name, 0)
    counts[name] = count + 1
    return name if count == 0 else f"{name}_{count}"


def _children(holder: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(holder, (Sequential, Functional)):
        yield "layers", holder.layers
    for name in sorted(set(dir(holder)) - _names_of_base(holder), key=_private_last):
        if name.startswith("__"):
            continue
        try:
            child = getattr(holder, name)
        except Exception:  # a property that has no value yet
            continue
        yield name, child


def _private_last(name: str) -> str:
    return f"~{name}" if name.startswith("_") else name


def _names_of_base(holder: Any) -> frozenset[str]:
    return _names_of_optimizer() if isinstance(holder, Optimizer) else _names_of_layer()


@cache
def _names_of_layer() -> frozenset[str]:
    """Attributes of every layer: its own state, and views of it."""
    return frozenset(dir(Layer(name="reference"))) | MIRRORS


@cache
def _names_of_optimizer() -> frozenset[str]:
    return frozenset(dir(Optimizer(1.0, name="reference")))
