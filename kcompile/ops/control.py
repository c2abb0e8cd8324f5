"""Control flow: loops over functions of tensors.

On arrays the functions run as they are, step by step. In a trace a loop becomes one `loop` node, whose body
is traced once. Variables that a body assigns are carried along.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kcompile.core import tree
from kcompile.core.errors import message
from kcompile.core.open_extents import fit
from kcompile.core.symbolic import Int
from kcompile.ir.body import closed, new_parameters
from kcompile.ir.graph import Value
from kcompile.ir.op import constant, unwrap
from kcompile.ir.types import TensorType
from kcompile.ops import create, cutting, joining, movement, spans, state
from kcompile.ops import elementwise as ew
from kcompile.ops.arrange import moveaxis
from kcompile.ops.branches import check_callable
from kcompile.ops.loop import loop_op

Function = Callable[..., Any]


def is_traced(*structures: Any) -> bool:
    """Does a trace run, or is a tensor among these that has no numbers yet?"""
    leaves = (unwrap(x) for s in structures for x in tree.flatten(s))
    return state.is_tracing() or any(isinstance(x, Value) for x in leaves)


def scan(
    f: Function, init: Any, xs: Any = None, length: int | None = None, reverse: bool = False, unroll: Any = 1
) -> tuple[Any, Any]:
    """Carry a value through the steps of xs: (carry, y) = f(carry, x) for each x.

    Args:    init: the first carry, nested as you like; f keeps its shapes and dtypes. xs: tensors to slice
             along their first axis; None: `length` steps without a slice. reverse: begin with the last slice.
             unroll: accepted as Keras does; what is unrolled is decided by the compiler.
    Returns: the last carry, and the ys stacked along a new first axis.
    Raises:  TypeError if f is not callable or changes the type of the carry; ValueError if there is neither
             xs nor length, or if the lengths disagree.

    >>> total, sums = scan(lambda c, x: (c + x, c + x), np.float32(0), np.arange(4, dtype="float32"))
    >>> float(total), sums.tolist()
    (6.0, [0.0, 1.0, 3.0, 6.0])
    """
    check_callable("scan", f, "f")
    if not isinstance(unroll, (int, bool)) or (not isinstance(unroll, bool) and unroll < 1):
        raise ValueError(f"`unroll` must be an positive integer or boolean. Received: unroll={unroll}")
    slices = [ew.as_tensor(x) for x in tree.flatten(xs)] if xs is not None else []
    steps = _steps(slices, length)
    if not is_traced(init, slices):
        return _scan_eagerly(f, init, xs, slices, int(steps), reverse)
    return _Loop(init, slices, steps, reverse).scan(f, xs)


def _steps(slices: Sequence[Any], length: Any) -> Any:
    found = list(dict.fromkeys([x.shape[0] if x.shape else None for x in slices] or [length]))
    if found == [None]:
        raise ValueError("Got no `xs` to scan over and `length` not provided.")
    wanted, first = [*found, found[0] if length is None else length], found[0]
    if first is None or any(n is None or not fit(n, first) for n in wanted):
        raise ValueError(
            f"scan: the first axes must agree with each other and with `length`. Received: {found}, {length=}"
        )
    return first


def _scan_eagerly(
    f: Function, carry: Any, xs: Any, slices: Sequence[Any], steps: int, reverse: bool
) -> tuple[Any, Any]:
    ys: list[Any] = []
    for step in reversed(range(steps)) if reverse else range(steps):
        x = None if xs is None else tree.pack_as(xs, [a[step] for a in slices])
        carry, y = f(carry, x)
        ys.append(y)
    if not ys:
        return carry, _no_rows(f, carry, xs, slices)
    rows = [_present(y) for y in (reversed(ys) if reverse else ys)]
    return carry, _filled(ys[0], [joining.stack(list(one)) for one in zip(*rows, strict=True)])


def _no_rows(f: Function, carry: Any, xs: Any, slices: Sequence[Any]) -> Any:
    """What no steps return: f's results of a slice of zeros, none of them."""
    zeros = [np.zeros(a.shape[1:], a.dtype) for a in slices]
    y = f(carry, None if xs is None else tree.pack_as(xs, zeros))[1]
    return _filled(y, [np.zeros((0, *np.shape(x)), np.asarray(x).dtype) for x in _present(y)])


def _present(structure: Any) -> list[Any]:
    """The leaves that are not None."""
    return [x for x in tree.flatten(structure) if x is not None]


def _filled(structure: Any, leaves: Sequence[Any]) -> Any:
    """The structure with its leaves replaced where they are not None."""
    rest = iter(leaves)
    return tree.pack_as(structure, [None if x is None else next(rest) for x in tree.flatten(structure)])


class _Loop:
    """A loop in a trace: what is carried (variables that the body assigns included) and what is sliced."""

    def __init__(self, init: Any, slices: Sequence[Any], steps: Any, reverse: bool = False) -> None:
        self.init, self.steps, self.reverse = init, steps, reverse
        self.first = [_as_value(x) for x in tree.flatten(init)]
        self.slices = [_as_value(x) for x in slices]
        self.structure: Any = None

    def scan(self, f: Function, xs: Any) -> tuple[Any, Any]:
        def body(carried: Sequence[Value], sliced: Sequence[Value]) -> tuple[list[Value], list[Value]]:
            x = None if xs is None else tree.pack_as(xs, sliced)
            found = f(tree.pack_as(self.init, carried), x)
            if not isinstance(found, tuple) or len(found) != 2:
                raise TypeError(
                    f"scan: f must return a pair (carry, y). Received: {type(found).__name__} {found!r}"
                )
            carry, self.structure = found
            return self._carried(carry), [_as_value(y) for y in _present(self.structure)]

        carried, results = self.run(body)
        return tree.pack_as(self.init, carried), _filled(self.structure, results)

    def _carried(self, carry: Any) -> list[Value]:
        """The new carry; it must be of the types of the first one."""
        found = [_as_value(x) for x in tree.flatten(carry)]
        types, wanted = [v.type for v in found], [v.type for v in self.first]
        if len(types) != len(wanted) or not all(a.fits(b) for a, b in zip(types, wanted, strict=True)):
            raise TypeError(
                message(
                    "A loop's body must keep the shapes and dtypes of what it carries.",
                    expected=f"{wanted}",
                    received=f"{types}",
                    hint="cast or reshape the first value or the new one",
                )
            )
        return found

    def run(self, body: Function) -> tuple[list[Value], list[Value]]:
        """The last carries and the stacked results of body(carries, slices) -> (new carries, results)."""
        one = [TensorType(x.shape[1:], x.dtype) for x in self.slices]
        own, sliced = new_parameters([v.type for v in self.first], "carry"), new_parameters(one, "slice")
        with state.branch({}) as changes:
            made = body(own, sliced)
        variables = list(changes)
        held = [_as_value(state.read(v)) for v in variables]
        inner = new_parameters([v.type for v in held], "state")
        if variables:  # once more, now that it is known what must be carried along
            with state.branch(dict(zip(variables, inner, strict=True))) as changes:
                made = body(own, sliced)
        carried, results = made
        outputs = [*carried, *(changes.get(v, i) for v, i in zip(variables, inner, strict=True)), *results]
        made_body, captured = closed([*own, *inner, *sliced], outputs)
        values = loop_op(
            *self.first, *held, *self.slices, *captured, body=made_body, carries=len(own) + len(inner),
            slices=len(sliced), steps=self.steps, reverse=self.reverse,
        )  # fmt: skip
        for variable, value in zip(variables, values[len(own) :], strict=False):
            variable.assign(value)
        return list(values[: len(own)]), list(values[len(own) + len(inner) :])


def _as_value(x: Any) -> Value:
    x = unwrap(x)
    return x if isinstance(x, Value) else constant(ew.as_tensor(x))


def map(f: Function, xs: Any) -> Any:
    """f applied to every slice of xs along the first axis, the results stacked.

    >>> map(lambda x: x * 2, np.arange(3, dtype="float32")).tolist()
    [0.0, 2.0, 4.0]
    """
    check_callable("map", f, "f")
    return scan(lambda carry, x: (carry, f(x)), (), xs)[1]


def vectorized_map(function: Function, elements: Any) -> Any:
    """function applied to every slice of `elements` (a tensor, or several) along their first axis."""
    check_callable("vectorized_map", function, "function")
    return map(function, elements)


def while_loop(cond: Function, body: Function, loop_vars: Any, maximum_iterations: int | None = None) -> Any:
    """loop_vars = body(*loop_vars) while cond(*loop_vars) holds.

    Args:    loop_vars: a tensor, or a tuple or list of (nested) tensors; body keeps their shapes and dtypes.
             maximum_iterations: stop after so many at the latest.
    Returns: the last loop_vars. The gradient takes the square of the steps; that of `scan` does not.

    >>> i, x = while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (0, 1.0))
    >>> int(i), float(x)
    (3, 8.0)
    """
    check_callable("while_loop", cond, "cond")
    check_callable("while_loop", body, "body")
    several = isinstance(loop_vars, (tuple, list))
    first = tuple(loop_vars) if several else (loop_vars,)
    if is_traced(first):
        last = _while(cond, body, first, maximum_iterations)
    else:
        last, done = tree.map_structure(ew.as_tensor, first), 0
        while cond(*last) and (maximum_iterations is None or done < maximum_iterations):
            last, done = tree.map_structure(ew.as_tensor, _as_tuple(body(*last))), done + 1
    return (type(loop_vars)(last) if isinstance(loop_vars, list) else last) if several else last[0]


def _as_tuple(found: Any) -> tuple[Any, ...]:
    return tuple(found) if isinstance(found, (tuple, list)) else (found,)


def _while(cond: Function, body: Function, first: tuple[Any, ...], limit: int | None) -> tuple[Any, ...]:
    def goes_on(variables: Sequence[Any], done: Any) -> Any:
        going = ew.cast(movement.reshape(ew.as_tensor(cond(*variables)), ()), "bool")
        return going if limit is None else ew.logical_and(going, ew.less(done, limit))

    first = tree.map_structure(_as_value, first)  # as in the steps: `cond` may compare them with open extents
    start = (goes_on(first, np.int32(0)), np.int32(0), *first)
    loop = _Loop(start, [], None)

    def step(carried: Sequence[Value], _: Sequence[Value]) -> tuple[list[Value], list[Value]]:
        _, done, *variables = tree.pack_as(start, carried)
        new = _as_tuple(body(*variables))
        done = ew.add(done, np.int32(1))
        return loop._carried((goes_on(new, done), done, *new)), []

    last, _ = loop.run(step)
    return tuple(tree.pack_as(start, last)[2:])


def fori_loop(lower: Any, upper: Any, body_fun: Function, init_val: Any) -> Any:
    """val = body_fun(i, val) for i in range(lower, upper).

    Where the bounds are tensors this is a `while_loop`, whose gradient takes more steps; not where they are
    numbers or dimensions, open ones too.

    >>> int(fori_loop(0, 4, lambda i, total: total + i, 0))
    6
    """
    check_callable("fori_loop", body_fun, "body_fun")
    bounds = [unwrap(bound) for bound in (lower, upper)]
    is_open = any(isinstance(bound, Int) for bound in bounds)
    if not (is_open or is_traced(init_val, *bounds)):
        for i in range(int(lower), int(upper)):
            init_val = body_fun(i, init_val)
        return tree.map_structure(lambda v: ew.as_tensor(v) if isinstance(v, (int, float)) else v, init_val)
    if any(isinstance(bound, Value) for bound in bounds):
        return while_loop(
            lambda i, _: ew.less(i, upper),
            lambda i, value: (ew.add(i, 1), body_fun(i, value)),
            (ew.cast(ew.as_tensor(lower), "int32"), init_val),
        )[1]
    first, last = (bound if isinstance(bound, Int) else int(bound) for bound in bounds)
    steps = ew.add(create.iota(spans.count(first, last, 1)), first)
    return scan(lambda value, i: (body_fun(i, value), None), init_val, steps)[0]


def associative_scan(f: Function, elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """All prefixes of elems along an axis, combined by an associative f(a, b).

    The number of calls grows with the logarithm of the length; where that is known at run time only, one step
    follows the other. f takes and gives tensors nested as elems.
    Source: Blelloch, Prefix sums and their applications (1990).

    >>> associative_scan(lambda a, b: a + b, np.arange(5)).tolist()
    [0, 1, 3, 6, 10]
    """
    check_callable("associative_scan", f, "f")
    leaves = [ew.as_tensor(x) for x in tree.flatten(elems)]
    axis = movement.check_axis("associative_scan", axis, len(leaves[0].shape))
    lengths = {x.shape[axis] for x in leaves}
    if len(lengths) != 1:
        raise ValueError(
            f"Array inputs to associative_scan must have the same first dimension. Saw: {lengths}"
        )

    def combined(a: list[Any], b: list[Any]) -> list[Any]:
        return tree.flatten(f(tree.pack_as(elems, a), tree.pack_as(elems, b)))

    flipped = [cutting.flip(x, axis) for x in leaves] if reverse else leaves
    find = _prefixes if isinstance(flipped[0].shape[axis], int) else _step_by_step
    found = find(combined, flipped, axis)
    return tree.pack_as(elems, [cutting.flip(x, axis) for x in found] if reverse else found)


def _part(x: Any, axis: int, start: int, stop: int, step: int = 1) -> Any:
    return x[(*[slice(None)] * axis, slice(start, stop, step))]


def _prefixes(combine: Function, xs: list[Any], axis: int) -> list[Any]:
    count = xs[0].shape[axis]
    if count < 2:
        return xs
    pairs = combine([_part(x, axis, 0, count - 1, 2) for x in xs], [_part(x, axis, 1, count, 2) for x in xs])
    odd = _prefixes(combine, pairs, axis)
    short = [_part(x, axis, 0, x.shape[axis] - (count % 2 == 0)) for x in odd]
    even = [_part(x, axis, 0, 1) for x in xs]
    if short[0].shape[axis]:
        rest = combine(short, [_part(x, axis, 2, count, 2) for x in xs])
        even = [joining.concatenate([a, b], axis) for a, b in zip(even, rest, strict=True)]
    return [_interleaved(a, b, axis) for a, b in zip(even, odd, strict=True)]


def _step_by_step(combine: Function, xs: list[Any], axis: int) -> list[Any]:
    """As `_prefixes`, along an axis whose extent is known at run time only.

    The first step combines nothing, but is one: runtimes of ONNX files refuse loops without any.
    """
    steps = [moveaxis(x, axis, 0) for x in xs]

    def step(before: list[Any], now: list[Any]) -> tuple[list[Any], list[Any]]:
        number, now = now[0], [movement.expand_dims(x, axis) for x in now[1:]]
        found = [ew.where(ew.equal(number, 0), x, y) for x, y in zip(now, combine(before, now), strict=True)]
        return found, [movement.squeeze(x, [axis]) for x in found]

    first = [_part(x, axis, 0, 1) for x in xs]
    _, found = scan(step, first, [create.iota(steps[0].shape[0]), *steps])
    return [moveaxis(x, 0, axis) for x in found]


def _interleaved(even: Any, odd: Any, axis: int) -> Any:
    """even[0], odd[0], even[1], ... along an axis; even may be longer by one."""
    n = odd.shape[axis]
    pairs = joining.stack([_part(even, axis, 0, n), odd], axis + 1)
    shape = tuple(2 * n if k == axis else d for k, d in enumerate(odd.shape))
    joined = movement.reshape(pairs, shape)
    return (
        joined if even.shape[axis] == n else joining.concatenate([joined, _part(even, axis, n, n + 1)], axis)
    )
