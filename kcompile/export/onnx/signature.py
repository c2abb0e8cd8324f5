"""From a model to a traced graph of its inference call, and the names of its inputs and outputs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from kcompile.core import dtypes, open_extents, tree
from kcompile.core.errors import message
from kcompile.core.symbolic import FloorDiv, Int, symbol
from kcompile.export.onnx.text import TextCalls, call_of, takes_or_makes_text
from kcompile.ir.graph import Graph
from kcompile.ir.op import make_parameter
from kcompile.ir.positions import limits
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace

# What the dimensions after the batch most likely are, by how many there are.
ROLES = {1: ("length",), 2: ("sequence", "width"), 3: ("height", "width", "channels")}
ROLES |= {4: ("depth", "height", "width", "channels")}
# What open dimensions may have to be multiples of: networks that halve an image and double it again.
MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
TRIES = 16  # of what else, and of pairs of inputs: each traces the model once or twice

# For each input a prefix, and the dimensions whose roles its own have: see `Spec.type`.
Way = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Spec:
    """One input: its shape (None where it varies, or the name of such a dimension), dtype and name.

    multiple: of what the open dimensions behind the batch must be multiples. broadcasts: do they meet known
    ones, so that they may be 1 or these? rows: how many samples it was given with; the batch is open anyway,
    unless the model takes these only. limit: numbers below it are positions in what is looked up at them.
    """

    shape: tuple[int | str | None, ...]
    dtype: str
    name: str
    multiple: int = 1
    broadcasts: bool = False
    rows: int | None = None
    limit: int | None = None

    def fixed(self) -> Spec:
        """With the batch that it was given with."""
        return self if self.rows is None else replace(self, shape=(self.rows, *self.shape[1:]))

    @property
    def is_open(self) -> bool:
        """Does more than the batch vary?"""
        return not all(isinstance(d, int) for d in self.shape[1:])

    def type(self, prefix: str, most: int = 0) -> TensorType:
        """The first dimension is the batch; open ones have names of their role, with a prefix.

        most: the roles are those of an input of so many dimensions behind the batch, if it has more.
        """
        rest = len(self.shape) - 1
        most = max(rest, most)
        roles = ROLES.get(most, tuple(f"dim{k + 1}" for k in range(most)))
        wanted = ["batch", *(f"{prefix}{role}" for role in roles[:rest])]
        shape: list[int | Int] = []
        for axis, (name, dim) in enumerate(zip(wanted, self.shape, strict=True)):
            step = self.multiple if axis else 1
            shape.append(dim if isinstance(dim, int) else symbol(name if dim is None else dim) * step)
        return TensorType(tuple(shape), self.dtype)


@dataclass(frozen=True)
class Traced:
    """The graph of a model's inference call. `specs` has the structure of the call's arguments.

    text: calls that the trace went around. broadcasts: do open dimensions meet known ones in it?
    """

    graph: Graph
    specs: list[Any]
    inputs: list[str]
    outputs: list[str]
    text: TextCalls
    broadcasts: bool = False

    def to_be_written(self) -> AbstractContextManager[None]:
        """The graph is to be decomposed and written inside of it: as ONNX broadcasts, at run time."""
        return open_extents.of_placeholders() if self.broadcasts else nullcontext()


def trace_inference(model: Any, input_signature: Any = None) -> Traced:
    """Trace model(*inputs, training=False).

    Args:    input_signature: a list with one structure of InputSpecs, placeholders or arrays per positional
             argument; by default what the model was built with. The first dimension is always the batch; it
             stays open, unless the model takes the one that it was made with only, as stateful layers do.
    Raises:  ValueError if the model was never built and no signature is given.
    """
    given = default_signature(model) if input_signature is None else list(input_signature)
    specs = specs_of_arguments(given)
    flat = tree.flatten(specs)
    if not takes_or_makes_text(model):
        refuse_text(model, flat)
    try:
        return _with_open_sizes(model, specs)
    except (ValueError, TypeError):  # Python's own where a number is asked for
        fixed = tree.map_structure(Spec.fixed, specs)
        if fixed == specs:
            raise
        return _with_open_sizes(model, fixed)


def specs_of_arguments(signature: Sequence[Any]) -> list[Any]:
    """Named specs in the place of what a signature has, which may be all that `make_spec` takes."""
    count = itertools.count()
    return [_specs(argument, count) for argument in signature]


def _specs(structure: Any, count: Iterator[int], path: tuple[str, ...] = ()) -> Any:
    """Specs in the place of what they are made of; what stands in a dict is named by its keys."""
    if not tree.is_nested(structure):
        number = next(count)
        return make_spec(structure, number, "_".join(path))
    in_dict, found = isinstance(structure, dict), []
    for key in tree.keys_of(structure):
        item = structure[key]
        found.append(_specs(item, count, (*path, str(key)) if in_dict or path else ()))
    return tree.rebuild(structure, found)


def _with_open_sizes(model: Any, specs: list[Any]) -> Traced:
    """The trace in which as little as possible is asked of open sizes."""
    flat = tree.flatten(specs)
    (ways, few), wrong = _ways({s.name: len(s.shape) - 1 if s.is_open else 0 for s in flat}), None

    def trials(multiples: Iterable[int]) -> Iterator[tuple[int, Callable[[], Traced]]]:
        for multiple in multiples:
            of_these = tree.map_structure(partial(replace, multiple=multiple), specs)
            for way in ways if multiple == 1 else few:
                yield multiple, partial(_traced, model, of_these, tree.flatten(of_these), way)

    for multiple, trial in trials(MULTIPLES if any(s.is_open for s in flat) else (1,)):
        try:
            return trial()
        except ValueError as error:  # of a layer's own check, too, not only of shapes
            # Inputs must agree in a dimension that the signature leaves open, or it must be even enough.
            wrong = error if multiple == 1 else wrong
    assert wrong is not None
    try:
        loose = tree.map_structure(partial(replace, broadcasts=True), specs)
        with open_extents.of_placeholders():
            found = replace(_traced(model, loose, tree.flatten(loose), ways[0]), broadcasts=True)
    except ValueError:
        raise wrong from None
    for _, trial in trials(_steps(found.graph)):
        with suppress(ValueError):
            return trial()
    return found


def _steps(graph: Graph, most: int = 4096) -> list[int]:
    """Of what else extents may have to be multiples, so that what divides them anywhere does it evenly."""
    shapes = (value.shape for node in graph.nodes() for value in node.values)
    atoms = {atom for shape in shapes for d in shape if isinstance(d, Int) for atom in d.atoms()}
    divided = [(a.numerator, a.divisor) for a in atoms if isinstance(a, FloorDiv)]
    whole = [(x, d) for x, d in divided if isinstance(d, int)]
    all_of_them = math.lcm(*(d // math.gcd(d, *(times for _, times in x.terms)) for x, d in whole))
    steps = range(2, min(all_of_them, most) + 1)
    found = [step for step in steps if all_of_them % step == 0 and step not in MULTIPLES]
    return [*found[: TRIES - 1], *found[TRIES - 1 :][-1:]]  # the last is a multiple of most others


def _ways(ranks: Mapping[str, int]) -> tuple[list[Way], list[Way]]:
    """Ways to name the inputs' open dimensions, and those of them that are not for two inputs alone.

    Equal names are equal extents. At first each input has its own, then two of them share theirs, then all
    do; at last those of different ranks, too, as a sequence and its mask.

    ranks: how many dimensions an input has behind the batch, 0 if none of them is open.

    >>> _ways({"a": 1, "b": 1})[0]
    [(('a_', 0), ('b_', 0)), (('', 0), ('', 0))]
    """
    own = tuple((f"{name}_", 0) for name in ranks)
    are_open = [k for k, rank in enumerate(ranks.values()) if rank]
    pairs = itertools.combinations(are_open, 2) if len(are_open) > 2 else ()
    joined = []
    for pair in itertools.islice(pairs, TRIES):
        names = (own[pair[0]][0], max(rank for k, rank in enumerate(ranks.values()) if k in pair))
        joined.append(tuple(names if k in pair else way for k, way in enumerate(own)))
    different = len(set(ranks.values()) - {0}) > 1
    shared = [(("", most),) * len(ranks) for most in ((0, max(ranks.values())) if different else (0,))]
    apart = [own] if len(ranks) > 1 else []
    return [*apart, *joined, *shared], [*apart, *shared]


BEHIND = "export the part behind the layers for text: Model(layer.output, model.output)"


def refuse_text(model: Any, specs: list[Spec], hint: str = BEHIND) -> None:
    """Raise NotImplementedError for inputs that are text."""
    text = [spec.name for spec in specs if spec.dtype == dtypes.STRING]
    if text:
        raise NotImplementedError(
            message(
                f"Model {model.name!r} takes text, which cannot be written to ONNX here.",
                received=f"text inputs {', '.join(text)}",
                hint=hint,
            )
        )


def _traced(model: Any, specs: list[Any], flat: list[Spec], way: Way) -> Traced:
    text = TextCalls()
    inputs = [make_parameter(s.name, s.type(*names)) for s, names in zip(flat, way, strict=True)]
    run = call_of(model, text) if takes_or_makes_text(model) else partial(model, training=False)

    def call(*values: Any) -> Any:
        return run(*tree.pack_as(specs, list(values)))

    graph, result = trace(call, inputs, getattr(model, "name", "model"))
    limited = [replace(s, limit=limit) for s, limit in zip(flat, limits(graph), strict=True)]
    specs = list(tree.pack_as(specs, limited))
    return Traced(graph, specs, [s.name for s in flat], output_names(model, result), text)


def default_signature(model: Any) -> list[Any]:
    """The inputs that the model was made or built with, one structure per positional argument."""
    functional = getattr(model, "_functional", None) or model
    structure = getattr(functional, "_inputs_struct", None)
    if structure is not None:
        return [structure]
    shapes = getattr(model, "_build_shapes", None)
    if not shapes:
        raise ValueError(
            message(
                f"Model {getattr(model, 'name', model)!r} has no known input shape.",
                hint="call it on data once, or give `input_signature=[InputSpec(shape=..., dtype=...)]`",
            )
        )
    called = getattr(model, "_called_with", None) or {}
    if called and list(shapes) == ["input_shape"]:  # by the call: all its arguments, in their order
        return [
            tree.map_structure(partial(_of_call, "" if len(called) == 1 else name), x)
            for name, x in called.items()
        ]
    inputs = getattr(model, "inputs", None) or []
    dtype = inputs[0].dtype if len(inputs) == 1 else model.input_dtype
    return [_of_shapes(shape, dtype) for shape in shapes.values()]


def _of_shapes(shapes: Any, dtype: str) -> Any:
    if isinstance(shapes, (list, tuple)) and all(d is None or isinstance(d, int) for d in shapes):
        return Spec((None, *shapes[1:]), dtype, "", rows=shapes[0])
    if isinstance(shapes, dict):
        return {name: _of_shapes(shape, dtype) for name, shape in shapes.items()}
    return [_of_shapes(shape, dtype) for shape in shapes]


def _of_call(name: str, x: Any) -> Spec:
    return Spec((None, *x.shape[1:]), x.dtype, name, rows=x.shape[0])


def make_spec(x: Any, position: int, name: str = "") -> Spec:
    """A spec from an InputSpec, a placeholder, an array or a spec. name: for want of its own."""
    if getattr(x, "shape", None) is None or getattr(x, "dtype", None) is None:
        raise ValueError(f"`input_signature` needs shape and dtype of every input. Received: {x}")
    name = getattr(x, "name", None) or name or f"input_{position}"
    first = x.shape[0] if len(x.shape) else None
    rows = first if isinstance(first, int) else getattr(x, "rows", None)
    shape = (first if isinstance(first, str) else None, *tuple(x.shape)[1:])
    return Spec(shape, dtypes.standardize(x.dtype), name, rows=rows)


def output_names(model: Any, result: Any) -> list[str]:
    """A functional model's own output names, the keys of a dict, or output_0, output_1, ..."""
    count = len([x for x in tree.flatten(result) if x is not None])
    if isinstance(result, dict) and len(result) == count:
        return [str(key) for key in sorted(result)]
    names = list(getattr(model, "output_names", None) or [])
    return names if len(names) == count else [f"output_{k}" for k in range(count)]
