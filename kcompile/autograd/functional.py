"""Gradients of functions: `grad` and `value_and_grad`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kcompile.autograd.backward import pull_back_all
from kcompile.autograd.tape import apart, ones_like
from kcompile.core import dtypes, tree
from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Value
from kcompile.ir.op import constant, make_parameter, unwrap
from kcompile.ir.types import TensorType
from kcompile.ops import elementwise as ew
from kcompile.ops.movement import or_zeros
from kcompile.trace import tracer

Function = Callable[..., Any]


def value_and_grad(function: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """A function that returns function(*args) and its gradient.

    Args:    function: gives a 0-d float tensor; with has_aux a pair of it and anything else.
             argnums: the number of the argument to differentiate by, or several; nested tensors of floats.
    Returns: (value, gradient) or ((value, aux), gradient); the gradient is nested as the argument, for
             several a tuple.
    Raises:  TypeError if the value is not one float.

    Inside a traced step it becomes part of the step; outside it is computed at once.

    >>> import numpy as np
    >>> value, slope = value_and_grad(lambda x: x[0] * x[1])(np.float32([2, 3]))
    >>> float(value), slope.tolist()
    (6.0, [3.0, 2.0])
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not _is_traced(args):
            return _at_once(call, args, kwargs)
        wanted = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        own = list(args)
        sources: list[list[Value]] = []
        for number in wanted:
            leaves = [_source(x) for x in tree.flatten(args[number])]
            sources.append(leaves)
            own[number] = tree.pack_as(args[number], leaves)
        found = function(*own, **kwargs)
        loss = _loss(unwrap(found[0] if has_aux else found))
        flat = [leaf for leaves in sources for leaf in leaves]
        slopes = iter(pull_back_all([loss], [ones_like(loss)], flat))
        parts = [
            tree.pack_as(args[n], [or_zeros(next(slopes), leaf) for leaf in leaves])
            for n, leaves in zip(wanted, sources, strict=True)
        ]
        return found, parts[0] if isinstance(argnums, int) else tuple(parts)

    return call


def grad(function: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """A function that returns the gradient of `function`; with has_aux (gradient, aux).

    >>> import numpy as np
    >>> float(grad(lambda x: x * x * x)(np.float32(2)))
    12.0
    """
    both = value_and_grad(function, argnums, has_aux)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        value, slopes = both(*args, **kwargs)
        return (slopes, value[1]) if has_aux else slopes

    return call


def _is_traced(args: Any) -> bool:
    return tracer.is_tracing() or any(isinstance(unwrap(x), Value) for x in tree.flatten(list(args)))


def _at_once(function: Function, args: Any, kwargs: Any) -> Any:
    """function(*args), traced over the arrays among the arguments and computed by the references."""
    given = [unwrap(x) for x in tree.flatten([list(args), kwargs])]
    arrays = [k for k, x in enumerate(given) if isinstance(x, (np.ndarray, np.generic))]
    values = {k: ew.as_tensor(given[k]) for k in arrays}
    inputs = {k: make_parameter(f"x{k}", _type_of(a)) for k, a in values.items()}

    def run(*_: Value) -> Any:
        positional, named = tree.pack_as(
            [list(args), kwargs], [inputs.get(k, x) for k, x in enumerate(given)]
        )
        return function(*positional, **named)

    graph, result = tracer.trace(run, list(inputs.values()))
    leaves = {v: values[k] for k, v in inputs.items()}
    leaves.update({v.leaf: v.array for v in graph.variables.values()})
    found = evaluate(graph.roots(), leaves, {})
    for leaf, new in zip(graph.assignments, found[len(graph.outputs) :], strict=True):
        next(v for v in graph.variables.values() if v.leaf is leaf).assign(new)
    rest = iter(found)
    return tree.pack_as(result, [None if x is None else next(rest) for x in tree.flatten(result)])


def _type_of(array: np.ndarray) -> TensorType:
    return TensorType(array.shape, dtypes.standardize(array.dtype))


def _source(x: Any) -> Value:
    """A value of its own, unlike any other in the graph, to differentiate by."""
    x = unwrap(x)
    return apart(x if isinstance(x, Value) else constant(x))


def _loss(found: Any) -> Value:
    """What a function gave, as a value of the trace: a number that depends on nothing is one, too."""
    if not isinstance(found, Value) and np.ndim(found) == 0 and np.asarray(found).dtype.kind in "fV":
        found = constant(ew.as_tensor(found))
    if not isinstance(found, Value) or found.shape != () or not dtypes.is_float(found.dtype):
        shown = repr(found.type) if isinstance(found, Value) else type(found).__name__
        raise TypeError(f"grad: the function must give one float (0-d). Received: {shown}")
    return found


def jvp(function: Function, primals: Any, tangents: Any, has_aux: bool = False) -> Any:
    """What `ops.jvp` computes: the derivative of function(*primals) in the direction of the tangents.

    By differentiating twice: the pullback of a function is linear in the cotangent, and its own pullback is
    the Jacobian itself.
    """
    _check_pair(primals, tangents)
    if not _is_traced([primals, tangents]):
        return _at_once(lambda p, t: jvp(function, p, t, has_aux), (tuple(primals), tuple(tangents)), {})
    sources = [_source(x) for x in tree.flatten(list(primals))]
    found = function(*tree.pack_as(list(primals), sources))
    outputs = found[0] if has_aux else found
    flat = [_value(y) for y in tree.flatten(outputs)]
    cotangents = [_source(or_zeros(None, y)) for y in flat]
    pulled = pull_back_all(flat, cotangents, sources)
    directions = [_value(t) for t in tree.flatten(list(tangents))]
    pairs = [(p, t) for p, t in zip(pulled, directions, strict=True) if p is not None]
    pushed = pull_back_all([p for p, _ in pairs], [t for _, t in pairs], cotangents) if pairs else []
    slopes = [or_zeros(s, y) for s, y in zip(pushed or [None] * len(flat), flat, strict=True)]
    result = (outputs, tree.pack_as(outputs, slopes))
    return (*result, found[1]) if has_aux else result


def _value(x: Any) -> Value:
    x = unwrap(x)
    return x if isinstance(x, Value) else constant(np.asarray(x))


def _check_pair(primals: Any, tangents: Any) -> None:
    if not all(isinstance(x, (list, tuple)) for x in (primals, tangents)):
        raise TypeError(
            "jvp: `primals` and `tangents` must be tuples or lists, one entry for each argument. "
            f"Received: primals={type(primals).__name__}, tangents={type(tangents).__name__}"
        )
    shapes = [[np.shape(unwrap(x)) for x in tree.flatten(list(xs))] for xs in (primals, tangents)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            "jvp: `primals` and `tangents` must have the same structure and shapes. Received: "
            f"primals of shapes {shapes[0]}, tangents of shapes {shapes[1]}"
        )
