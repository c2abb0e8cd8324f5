"""`kcompile.jit`: any function written with ops, compiled."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from kcompile.core import config, dtypes, tree
from kcompile.ir.op import make_parameter, unwrap
from kcompile.ir.types import TensorType
from kcompile.ops import elementwise as ew
from kcompile.trace import tracer
from kcompile.trace.variable import Variable

Function = Callable[..., Any]
PROGRAMS = 64  # kept per function, the ones used last


def jit(function: Function | None = None, **_: Any) -> Any:
    """The function as a compiled program: traced once for each combination of shapes and dtypes.

    Args:    function: written with `kcompile.ops`, layers and models; Python `if` and `for` see only what is
             known while tracing. Arrays among its arguments, nested as they like, become inputs; everything
             else is part of the program. Variables are read when the program runs, and written if assigned.
    Returns: what the function returns, tensors as NumPy arrays.

    Inside another trace the function is part of that trace.

    >>> import numpy as np
    >>> from kcompile import ops
    >>> @jit
    ... def norm(x):
    ...     return ops.sqrt(ops.sum(x * x))
    >>> float(norm(np.float32([3, 4])))
    5.0
    """
    if function is None:
        return functools.partial(jit, **_)
    if not callable(function):
        raise TypeError(f"jit: a function is needed. Received: {function!r}")
    programs: OrderedDict[Any, tuple[Any, Any, tuple[Any, ...]]] = OrderedDict()

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if tracer.is_tracing():
            return function(*args, **kwargs)
        given = tree.flatten([list(args), kwargs])
        arrays = {k: np.asarray(ew.as_tensor(x), order="C") for k, x in enumerate(given) if _is_array(x)}
        rest = tuple(None if k in arrays else _identity(x) for k, x in enumerate(given))
        types = tuple((k, a.shape, a.dtype.str) for k, a in arrays.items())
        key = (types, rest, _form([list(args), kwargs]), config.floatx())
        if key not in programs:
            held = tuple(x for k, x in enumerate(given) if k not in arrays)  # the key has their addresses
            programs[key] = (*_compiled(function, args, kwargs, given, arrays), held)
            if len(programs) > PROGRAMS:
                programs.popitem(last=False)
        programs.move_to_end(key)
        executable, result, _ = programs[key]
        outputs = iter(executable(*arrays.values()))
        return tree.pack_as(result, [None if x is None else next(outputs) for x in tree.flatten(result)])

    return call


def _is_array(x: Any) -> bool:
    return isinstance(x, (np.ndarray, np.generic, float, int)) and not isinstance(x, bool)


def _identity(x: Any) -> Any:
    """What tells arguments apart that are no arrays: plain values by themselves, all else by its address."""
    return (type(x), x) if isinstance(x, (str, bool, type(None))) else (type(x), id(x))


def _form(structure: Any) -> str:
    return repr(tree.map_structure(lambda _: 0, structure))


def _compiled(function: Function, args: Any, kwargs: Any, given: list[Any], arrays: dict[int, Any]) -> Any:
    from kcompile.compiler import compile_graph

    inputs = {
        k: make_parameter(f"x{k}", TensorType(a.shape, dtypes.standardize(a.dtype)))
        for k, a in arrays.items()
    }
    positional, named = tree.pack_as([list(args), kwargs], [inputs.get(k, x) for k, x in enumerate(given)])
    name = getattr(function, "__name__", "function")
    graph, result = tracer.trace(
        lambda *_: _plain(function(*positional, **named)), list(inputs.values()), name
    )
    return compile_graph(graph), result


def _plain(result: Any) -> Any:
    return tree.map_structure(lambda x: unwrap(x) if isinstance(x, Variable) else x, result)
