"""`kcompile.jit`: any function written with ops, compiled."""

from __future__ import annotations

import functools
import inspect
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcompile.core import comparisons, config, dtypes, symbolic, tree
from kcompile.core.symbolic import Int
from kcompile.ir.graph import Value
from kcompile.ir.op import make_parameter, unwrap
from kcompile.ir.types import Shape, TensorType
from kcompile.ops import elementwise as ew
from kcompile.trace import tracer
from kcompile.trace.variable import Variable

Function = Callable[..., Any]
PROGRAMS = 64  # kept per function, the ones used last
ROUTES = 1024  # shapes remembered with the program that serves them

Shapes = tuple[Shape, ...]


def jit(
    function: Function | None = None,
    dynamic: bool | None = None,
    static_argnames: str | Sequence[str] = (),
    static_argnums: int | Sequence[int] = (),
    **_: Any,
) -> Any:
    """The function as a compiled program.

    Args:    function: written with `kcompile.ops`, layers and models; Python `if` and `for` see only what is
             known while tracing. Arrays and numbers among its arguments, nested as they like, become inputs;
             everything else is part of the program. Variables are read when the program runs, and written if
             assigned.
             dynamic: None: the first call is compiled for its shapes. Dimensions in which a later one differs
             are left open, so that one program serves all their extents from 2 on; those that have been equal
             so far are taken to be equal. Where the function needs to know them (`range(x.shape[0])`,
             `x.shape[0] == 3`, keys of dicts, texts, `isinstance`) each shape is compiled by itself, as with
             False. static_argnames, static_argnums: names or positions of arguments that are part of the
             program, numbers too (an axis, a shape); each of their values has a program of its own.
    Returns: what the function returns, tensors and numbers as NumPy arrays.
    Raises:  TypeError if `function` cannot be called, or a static argument cannot be hashed.

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
        how: dict[str, Any] = {"static_argnames": static_argnames, "static_argnums": static_argnums}
        return functools.partial(jit, dynamic=dynamic, **how, **_)
    if not callable(function):
        raise TypeError(f"jit: a function is needed. Received: {function!r}")
    programs = _Programs(_with_statics(function), dynamic is not False)
    fixed = _fixed_arguments(function, static_argnames, static_argnums)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if tracer.is_tracing():
            return function(*args, **kwargs)
        return programs(*fixed(args, kwargs)) if fixed is not None else programs(args, kwargs)

    return call


@dataclass(frozen=True)
class _Static:
    """A value that is part of the program, in the place of an argument."""

    value: Any


def _with_statics(function: Function) -> Function:
    """The function, given static arguments as what they hold."""

    def plain(x: Any) -> Any:
        return x.value if isinstance(x, _Static) else x

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*map(plain, args), **{name: plain(x) for name, x in kwargs.items()})

    return call


def _fixed_arguments(function: Function, names: Any, positions: Any) -> Callable[[Any, Any], Any] | None:
    """Puts static arguments among (args, kwargs) into `_Static`; None if there are none."""
    names = {names} if isinstance(names, str) else set(names)
    positions = {positions} if isinstance(positions, int) else set(positions)
    if not names and not positions:
        return None
    parameters = list(inspect.signature(function).parameters)
    positions = {k % len(parameters) for k in positions} | {
        parameters.index(n) for n in names & {*parameters}
    }
    names |= {parameters[k] for k in positions}

    def static(name: str, x: Any) -> _Static:
        try:
            hash(x)
        except TypeError:
            raise TypeError(
                f"jit: the static argument {name!r} of {function.__name__}() must be hashable: give a tuple "
                f"for a list. Received: {x!r} (of type {type(x).__name__})"
            ) from None
        return _Static(x)

    def fixed(args: Any, kwargs: Any) -> Any:
        args = [static(parameters[k], x) if k in positions else x for k, x in enumerate(args)]
        return args, {name: static(name, x) if name in names else x for name, x in kwargs.items()}

    return fixed


class _Programs:
    """The programs of one function, by the form of its arguments and the shapes of their arrays."""

    def __init__(self, function: Function, opens: bool):
        self.function, self.opens = function, opens
        self._programs: OrderedDict[Any, tuple[Any, Any, tuple[Any, ...]]] = OrderedDict()
        self._routes: dict[Any, Shapes] = {}  # (form, shapes) -> shapes of the program for them
        self._refused: set[Any] = set()  # open shapes that the function cannot be traced for

    def __call__(self, args: Any, kwargs: Any) -> Any:
        given = tree.flatten([list(args), kwargs])
        arrays = {k: np.asarray(ew.as_tensor(x), order="C") for k, x in enumerate(given) if _is_array(x)}
        rest = tuple(None if k in arrays else _identity(x) for k, x in enumerate(given))
        dtypes_of = tuple((k, a.dtype.str, a.ndim) for k, a in arrays.items())
        form = (dtypes_of, rest, _form([list(args), kwargs]), config.defaults())
        shapes = tuple(a.shape for a in arrays.values())
        route = self._routes.get((form, shapes))
        if route is None or (form, route) not in self._programs:
            held = tuple(x for k, x in enumerate(given) if k not in arrays)  # the form has their addresses
            route = self._made(
                form,
                shapes,
                lambda wanted: (*_compiled(self.function, args, kwargs, given, arrays, wanted), held),
            )
        self._programs.move_to_end((form, route))
        executable, result, _ = self._programs[form, route]
        outputs = iter(executable(*arrays.values()))
        leaves = tree.flatten(result)
        return tree.pack_as(result, [next(outputs) if isinstance(x, Value) else x for x in leaves])

    def _made(self, form: Any, shapes: Shapes, compiled: Callable[[Shapes], Any]) -> Shapes:
        """The shapes that the program for these ones has been traced with; it is there afterwards."""
        known = [wanted for other, wanted in self._programs if other == form]
        route = next((wanted for wanted in known if _serves(wanted, shapes)), None)
        if route is None:
            opened = _opened(known[-1], shapes) if self.opens and known else shapes
            if opened == shapes or not self._keeps(form, opened, compiled):
                self._keeps(form, shapes, compiled)
                opened = shapes
            route = opened
        if len(self._routes) >= ROUTES:
            self._routes.clear()
        self._routes[form, shapes] = route
        return route

    def _keeps(self, form: Any, wanted: Shapes, compiled: Callable[[Shapes], Any]) -> bool:
        """Compile a program for these shapes. False where open ones fail, or might change the meaning."""
        is_open = any(isinstance(d, Int) for shape in wanted for d in shape)
        if (form, wanted) in self._refused:
            return False
        with comparisons.watched() as asking:
            try:
                made = compiled(wanted)
            except Exception:  # if it is the user's mistake, it comes again, with numbers
                if not is_open:
                    raise
                made = None
        if made is None or (is_open and asking - {"kcompile"}):
            self._refused.add((form, wanted))
            return False
        self._programs[form, wanted] = made
        if len(self._programs) > PROGRAMS:
            self._programs.popitem(last=False)
        return True


def _serves(wanted: Shapes, shapes: Shapes) -> bool:
    """Is a program for such shapes one for these? Extents of 0 and 1 broadcast; they are never open ones."""
    extents: dict[Int, Any] = {}

    def fits(d: int | Int, extent: Any) -> bool:
        if isinstance(d, int):
            return bool(d == extent)
        return bool(extent > 1 and extents.setdefault(d, extent) == extent)

    return all(
        fits(d, extent)
        for shape, own in zip(wanted, shapes, strict=True)
        for d, extent in zip(shape, own, strict=True)
    )


def _opened(before: Shapes, shapes: Shapes) -> Shapes:
    """Shapes with symbols where these differ from those before, the same one for what was equal twice."""
    names: dict[Any, Int] = {}

    def dimension(old: int | Int, new: int | Int) -> int | Int:
        if not isinstance(new, int) or new < 2 or (isinstance(old, int) and (old == new or old < 2)):
            return new
        return names.setdefault((old, new), symbolic.symbol(f"dim{len(names)}", low=2))

    return tuple(tuple(map(dimension, old, new)) for old, new in zip(before, shapes, strict=True))


def _is_array(x: Any) -> bool:
    return isinstance(x, (np.ndarray, np.generic, float, int)) and not isinstance(x, bool)


def _identity(x: Any) -> Any:
    """What tells arguments apart that are no arrays: plain values by themselves, all else by its address."""
    if isinstance(x, _Static):  # 1, 1.0 and True are equal
        return type(x.value), x
    return (type(x), x) if isinstance(x, (str, bool, type(None))) else (type(x), id(x))


def _form(structure: Any) -> str:
    return repr(tree.map_structure(lambda _: 0, structure))


def _compiled(
    function: Function, args: Any, kwargs: Any, given: list[Any], arrays: dict[int, Any], shapes: Shapes
) -> Any:
    from kcompile.runtime.kernels import start_ahead

    start_ahead()  # before the compiler is loaded
    from kcompile.compiler import compile_graph

    inputs = {
        k: make_parameter(f"x{k}", TensorType(shape, dtypes.standardize(a.dtype)))
        for (k, a), shape in zip(arrays.items(), shapes, strict=True)
    }
    positional, named = tree.pack_as([list(args), kwargs], [inputs.get(k, x) for k, x in enumerate(given)])
    name = getattr(function, "__name__", "function")
    told: list[Any] = []  # leaves of the result that are no tensors: None, texts, objects

    def run(*_: Value) -> Any:
        result = _plain(function(*positional, **named))
        told.extend(None if _is_tensor(x) else x for x in tree.flatten(result))
        return tree.map_structure(lambda x: x if _is_tensor(x) else None, result)

    graph, result = tracer.trace(run, list(inputs.values()), name)
    made = [x if x is not None else y for x, y in zip(tree.flatten(result), told, strict=True)]
    with tracer.suspended():  # a tape around it would record what the compiler compares
        return compile_graph(graph), tree.pack_as(result, made)


def _plain(result: Any) -> Any:
    return tree.map_structure(lambda x: unwrap(x) if isinstance(x, Variable) else x, result)


def _is_tensor(x: Any) -> bool:
    """Is it a tensor, or what becomes one: numbers, and arrays of them?"""
    if isinstance(x, (np.ndarray, np.generic)):
        return x.dtype.kind in "biufV"  # V: bfloat16
    return isinstance(x, (Value, bool, int, float)) or hasattr(x, "__array__")
