"""The labels of a training step: their dtypes, names and shapes, given or found out by trying."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kcompile.core import tree
from kcompile.core.symbolic import Int, symbol
from kcompile.export.onnx.inputs import random_input
from kcompile.export.onnx.signature import Spec, Traced, make_spec
from kcompile.ir.graph import Value
from kcompile.ir.types import Shape
from kcompile.training.likely_labels import labels_for

CLASSES = 2  # of labels, as any loss has them
SAMPLES = 2  # of the arrays that stand for a batch while it is traced


@dataclass(frozen=True)
class Labels:
    """What may stand for `y` while a step is traced: arrays, and the shape and the name of each of them."""

    y: Any
    shapes: Sequence[Shape]
    names: list[str]


def candidates(
    model: Any, outputs: list[np.ndarray], traced: Traced, signature: Any = None
) -> Iterator[Labels]:
    """Labels in the order in which they should be tried: the first that the loss takes are the right ones.

    Args:    outputs, traced: what the model makes of a batch, as arrays and in its trace. signature: a
             structure of InputSpecs (or the like) for the labels; by default those that its losses take,
             whose open dimensions are the outputs' own.
    """
    if signature is not None:
        yield from of_signature(signature, traced)
        return
    y, values = labels_for(model, outputs), traced.graph.outputs
    yield _as_open(y, outputs, values)
    yield from _sequences(y, outputs, values)
    yield from (_as_open(tree.pack_as(y, one), outputs, values) for one in _class_numbers(outputs))


def of_signature(signature: Any, traced: Traced, what: str = "y") -> Iterator[Labels]:
    """An open dimension has a name of its own, or that of the output it belongs to, at its place."""
    rng, names = np.random.default_rng(1), _names(signature, what)
    given = zip(tree.flatten(signature), names, strict=True)
    flat = [replace(make_spec(x, 0, name), limit=CLASSES) for x, name in given]
    y = tree.pack_as(signature, [random_input(spec, SAMPLES, rng) for spec in flat])
    batch, outputs = traced.graph.outputs[0].shape[0], _outputs_of(signature, traced, len(flat))
    own = [spec.type(f"{spec.name}_").shape for spec in flat]
    shared = [_shared(spec, output.shape) for spec, output in zip(flat, outputs, strict=True)]
    for shapes in (own, shared) if any(spec.is_open for spec in flat) else (own,):
        yield Labels(y, [(batch, *shape[1:]) for shape in shapes], [spec.name for spec in flat])


def _outputs_of(signature: Any, traced: Traced, count: int) -> list[Value]:
    """The output that each of the signature's tensors belongs to: by name, by position, or the first."""
    values = list(traced.graph.outputs)
    by_name = dict(zip(traced.outputs, values, strict=True))
    keys = list(tree.keys_of(signature)) if isinstance(signature, dict) else []
    if len(keys) == count and all(key in by_name for key in keys):
        return [by_name[key] for key in keys]
    return values if len(values) == count else values[:1] * count


def _shared(spec: Spec, output: Shape) -> Shape:
    """Open dimensions as those of an output, whatever its rank; where it has none, by roles, as inputs."""
    roles = spec.type("").shape
    shape = [
        theirs if isinstance(theirs, Int) and not isinstance(given, int) else role
        for given, role, theirs in zip(spec.shape, roles, output, strict=False)
    ]
    return (*shape, *roles[len(shape) :])


def _sequences(y: Any, outputs: list[np.ndarray], values: Sequence[Value]) -> Iterator[Labels]:
    """Class numbers in rows of any length beside rows of scores: labels without their places in time."""
    if all(o.ndim == 3 for o in outputs):
        found = [np.zeros(o.shape[:-1], "int32") for o in outputs]
        names = _names(y)
        shapes = [(values[0].shape[0], symbol(f"{name}_length")) for name in names]
        yield Labels(tree.pack_as(y, found), shapes, names)


def _class_numbers(outputs: list[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """Labels of the other forms that losses take: a number for each row of scores, or for each sample."""
    for shapes in ([o.shape[:-1] for o in outputs], [o.shape[:1] for o in outputs]):
        yield [np.zeros(shape, "int32") for shape in shapes]


def _as_open(y: Any, outputs: list[np.ndarray], values: Sequence[Value]) -> Labels:
    """A dimension that is as that of an output is open where that one is."""
    labels, batch = tree.flatten(y), values[0].shape[0]
    found: list[Shape] = []
    for k, label in enumerate(labels):
        fits = len(labels) == len(outputs)
        sizes = zip(label.shape, outputs[k].shape, values[k].shape, strict=False) if fits else ()
        dims = [known if extent == size else extent for extent, size, known in sizes]
        found.append((batch, *dims[1:], *label.shape[max(1, len(dims)) :]))
    return Labels(y, found, _names(y))


def _names(structure: Any, what: str = "y") -> list[str]:
    """What the labels are, where there are several with the keys or positions that lead to each of them."""
    found = list(_paths(structure, what))
    return found if len(found) > 1 else [what]


def _paths(structure: Any, path: str) -> Iterator[str]:
    if not tree.is_nested(structure):
        yield path
        return
    for key in tree.keys_of(structure):
        yield from _paths(structure[key], f"{path}_{key}")
