"""The `loop` op: a body repeated over steps, with values carried from step to step.

One op serves `scan`, `fori_loop`, `map` (a known number of steps, slices read and outputs stacked) and
`while_loop` (repeated while a carried flag holds). Its gradient is another loop, which runs backwards over
what the first one kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import ShapeError, message
from kcompile.core.open_extents import fit
from kcompile.core.symbolic import Int
from kcompile.ir.body import Body, closed, new_parameters
from kcompile.ir.graph import Value, depending_on, substitute, topological
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import elementwise as ew
from kcompile.ops.movement import or_zeros

loop_op = Op("loop", outputs=None, has_bodies=True)
"""Inputs: the first carries, stacked arrays to slice (step first), captured values. The body's parameters are
the carries, a slice of each stacked array, and the captured values; its outputs the new carries and one slice
of each stacked result.

Attributes: body; carries, slices: how many; steps: how often (None: while the first carry, a bool, holds);
reverse: the last slice first. Values: the last carries, then the stacked results.
"""


@loop_op.infer
def _infer(
    *types: TensorType, body: Any, carries: int, slices: int, steps: int | Int | None, reverse: bool
) -> tuple[TensorType, ...]:
    inner = [*types[:carries], *(_slice_type(t, steps) for t in types[carries : carries + slices])]
    inner += types[carries + slices :]
    for number, (given, parameter) in enumerate(zip(inner, body.takes, strict=True)):
        if not given.fits(parameter):
            raise ShapeError(
                message(
                    f"loop: input {number} does not fit the body.",
                    expected=f"{parameter!r}",
                    received=f"{given!r}",
                )
            )
    states, results = body.gives[:carries], body.gives[carries:]
    for number, (given, kept) in enumerate(zip(types[:carries], states, strict=True)):
        if not given.fits(kept):
            raise ShapeError(
                message(
                    f"loop: the body changes the type of carry {number}.",
                    expected=f"{given!r}",
                    received=f"{kept!r}",
                )
            )
    if steps is None:
        return tuple(states)
    return (*states, *(TensorType((steps, *t.shape), t.dtype) for t in results))


def _slice_type(stacked: TensorType, steps: int | Int | None) -> TensorType:
    if not stacked.shape or steps is None or not fit(stacked.shape[0], steps):
        raise ShapeError(
            message(f"loop: {stacked!r} cannot be sliced into {steps} steps.", hint="steps come first")
        )
    return TensorType(stacked.shape[1:], stacked.dtype)


@loop_op.reference
def _reference(
    *arrays: np.ndarray, body: Any, carries: int, slices: int, steps: int | None, reverse: bool
) -> tuple[np.ndarray, ...]:
    state = list(arrays[:carries])
    stacked, captured = arrays[carries : carries + slices], arrays[carries + slices :]
    if steps is None:
        while state[0]:
            state = body(*state, *captured)
        return tuple(state)
    results: list[list[np.ndarray]] = [[] for _ in body.gives[carries:]]
    for step in range(steps)[:: -1 if reverse else 1]:
        found = body(*state, *(a[step] for a in stacked), *captured)
        state = found[:carries]
        for one, value in zip(results, found[carries:], strict=True):
            one.append(value)
    return (
        *state,
        *(
            _stacked(r[:: -1 if reverse else 1], v)
            for r, v in zip(results, body.gives[carries:], strict=True)
        ),
    )


def _stacked(found: list[np.ndarray], one: TensorType) -> np.ndarray:
    return np.stack(found) if found else np.zeros((0, *one.shape), dtypes.numpy_dtype(one.dtype))


@loop_op.vjp
def _vjp(
    dys: Sequence[Any], ys: Sequence[Value], *inputs: Any, pull_back: Any,
    body: Body, carries: int, slices: int, steps: int | Int | None, reverse: bool,
) -> tuple[Any, ...]:  # fmt: skip
    if steps is None:
        return _while_backward(dys, inputs, body, carries, pull_back)
    return _Backward(body, carries, slices, pull_back).run(dys, inputs, steps, reverse)


class _Backward:
    """The loop that runs back over another one."""

    def __init__(self, body: Body, carries: int, slices: int, pull_back: Any) -> None:
        self.body, self.pull_back, self.slices = body, pull_back, slices
        self.number = carries
        self.carries, self.results = body.outputs[:carries], body.outputs[carries:]
        self.floats = [k for k, v in enumerate(self.carries) if dtypes.is_float(v.dtype)]
        self.wanted = [k for k, p in enumerate(body.parameters) if dtypes.is_float(p.dtype)]

    def run(self, dys: Sequence[Any], inputs: Sequence[Any], steps: Any, reverse: bool) -> tuple[Any, ...]:
        body, number = self.body, self.number
        back = new_parameters([self.carries[k].type for k in self.floats], "cotangent")
        used = [k for k, d in enumerate(dys[number:]) if d is not None and dtypes.is_float(d.dtype)]
        slopes = new_parameters([self.results[k].type for k in used], "slope")
        found = self.pull_back(
            [*(self.carries[k] for k in self.floats), *(self.results[k] for k in used)],
            [*back, *slopes],
            [body.parameters[k] for k in self.wanted],
        )
        slopes_of = dict(zip(self.wanted, found, strict=True))
        outer = number + self.slices
        summed = [k for k in self.wanted if k >= outer and slopes_of[k] is not None]
        totals = new_parameters([body.parameters[k].type for k in summed], "total")
        sliced = [k for k in self.wanted if number <= k < outer and slopes_of[k] is not None]
        outputs = [
            *(or_zeros(slopes_of.get(k), self.carries[k]) for k in self.floats),
            *(t + slopes_of[k] for t, k in zip(totals, summed, strict=True)),
            *(slopes_of[k] for k in sliced),
        ]
        outputs, kept, stacked = self._with_kept(outputs, inputs, steps, reverse)
        parameters = [*back, *totals, *slopes, *kept, *body.parameters[number:outer]]
        inner, captured = self._close(parameters, outputs, inputs)
        first = [
            *(or_zeros(dys[k], self.carries[k]) for k in self.floats),
            *(or_zeros(None, body.parameters[k]) for k in summed),
        ]
        values = _apply(
            [*first, *(dys[number + k] for k in used), *stacked, *inputs[number:outer], *captured],
            inner, len(first), len(slopes) + len(kept) + self.slices, steps, not reverse,
        )  # fmt: skip
        result: list[Any] = [None] * len(inputs)
        for k, value in zip([*self.floats, *summed, *sliced], values, strict=True):
            result[k] = value
        return tuple(result)

    def _with_kept(
        self, outputs: list[Value], inputs: Sequence[Any], steps: Any, reverse: bool
    ) -> tuple[list[Value], list[Value], list[Value]]:
        """What the backward steps need of the forward ones: the carries before each step, and what is costly
        to compute again. The forward loop is extended to stack it.
        """
        body, number = self.body, self.number
        needed = topological(outputs)
        own = depending_on(body.outputs, body.parameters[: number + self.slices])
        forward = {v for n in topological(body.outputs) for v in n.values if v in own}
        kept = [p for p in body.parameters[:number] if any(n is p.node for n in needed)]
        costly = [v for n in needed for v in n.values if v in forward and n.inputs and is_costly(n)]
        kept += list(dict.fromkeys(_last_of_chain(v, body.outputs, set(needed)) for v in costly))
        inner = new_parameters([v.type for v in kept], "kept")
        outputs = substitute(outputs, dict(zip(kept, inner, strict=True)))
        left = {n.values[0] for n in topological(outputs)}
        pairs = [(v, i) for v, i in zip(kept, inner, strict=True) if i in left]
        extended = Body(body.parameters, [*body.outputs, *(v for v, _ in pairs)], extends=body)
        values = _apply(inputs, extended, number, self.slices, steps, reverse)
        return outputs, [i for _, i in pairs], list(values[len(body.outputs) :])

    def _close(
        self, parameters: list[Value], outputs: list[Value], inputs: Sequence[Any]
    ) -> tuple[Body, list[Any]]:
        """The body with what it uses of the forward body's captured values as its own."""
        outer = self.number + self.slices
        outside = dict(zip(self.body.parameters[outer:], inputs[outer:], strict=True))
        used = [p for p in outside if any(n is p.node for n in topological(outputs))]
        inner, captured = closed([*parameters, *used], outputs)
        return inner, [*(outside[p] for p in used), *captured]


FLAG, COUNT = TensorType((), "bool"), TensorType((), "int32")


def _while_backward(
    dys: Sequence[Any], inputs: Sequence[Any], body: Body, carries: int, pull_back: Any
) -> tuple[Any, ...]:
    """Back from the last step of a loop of unknown length, the carries before each step computed anew from
    the first ones: as many steps as the square of theirs, since there is no place of known size to keep them.
    """
    counter = new_parameters([COUNT], "count")
    counting = Body([*body.parameters[:carries], *counter, *body.parameters[carries:]],
                    [*body.outputs, ew.add(counter[0], 1)])  # fmt: skip
    count = _apply([*inputs[:carries], _zero(), *inputs[carries:]], counting, carries + 1, 0, None, False)[-1]
    floats = [k for k, v in enumerate(body.outputs) if dtypes.is_float(v.dtype)]
    wanted = [k for k, p in enumerate(body.parameters) if dtypes.is_float(p.dtype)]
    back = new_parameters([body.gives[k] for k in floats], "cotangent")
    found = pull_back([body.outputs[k] for k in floats], back, [body.parameters[k] for k in wanted])
    slopes = dict(zip(wanted, found, strict=True))
    summed = [k for k in wanted if k >= carries and slopes[k] is not None]
    totals = new_parameters([body.takes[k] for k in summed], "total")
    going, left = new_parameters([FLAG, COUNT], "step")
    before = ew.subtract(left, 1)
    state = _after(body, carries, inputs, before)
    outputs = substitute(
        [
            *(or_zeros(slopes.get(k), body.outputs[k]) for k in floats),
            *(t + slopes[k] for t, k in zip(totals, summed, strict=True)),
        ],
        dict(zip(body.parameters, [*state, *inputs[carries:]], strict=True)),
    )
    inner, captured = closed([going, left, *back, *totals], [ew.greater(before, 0), before, *outputs])
    first = [
        *(or_zeros(dys[k], body.outputs[k]) for k in floats),
        *(or_zeros(None, body.parameters[k]) for k in summed),
    ]
    start = [ew.greater(count, 0), count, *first]
    values = _apply([*start, *captured], inner, len(start), 0, None, False)[2:]
    result: list[Any] = [None] * len(inputs)
    for k, value in zip([*floats, *summed], values, strict=True):
        result[k] = value
    return tuple(result)


def _zero() -> Any:
    return ew.as_tensor(0, "int32")


def _after(body: Body, carries: int, inputs: Sequence[Any], count: Any) -> Sequence[Any]:
    """The carries of a `while` loop after so many steps."""
    going, number = new_parameters([FLAG, COUNT], "step")
    done = ew.add(number, 1)
    inner, captured = closed([going, number, *body.parameters], [ew.less(done, count), done, *body.outputs])
    start = [ew.greater(count, 0), _zero(), *inputs]
    return list(_apply([*start, *captured], inner, carries + 2, 0, None, False)[2:])


def _last_of_chain(v: Value, roots: Sequence[Value], needed: set[Any]) -> Value:
    """What elementwise ops make of v while nothing else reads it: worth as much, and nearer to its use."""
    nodes, ends = topological(roots), set(roots)
    while v not in ends:
        readers = [n for n in nodes if v in set(n.inputs)]  # of lists, a trace would compare the elements
        if len(readers) != 1 or readers[0] not in needed or readers[0].values[0].type != v.type:
            break
        if is_costly(readers[0]):
            break
        v = readers[0].values[0]
    return v


def is_costly(node: Any) -> bool:
    """Is a node made of contractions? All else is computed again rather than kept."""
    op = node.op
    if op.traits.contraction or op.has_bodies:
        return True
    if not op.has("decompose"):
        return False
    inside = new_parameters([v.type for v in node.inputs], "operand")
    made = op.rules["decompose"](*inside, **node.attrs)
    roots = made if isinstance(made, tuple) else (made,)
    return any(n.inputs and is_costly(n) for n in topological(roots))


def _apply(inputs: Sequence[Any], body: Body, carries: int, slices: int, steps: Any, reverse: bool) -> Any:
    return loop_op(*inputs, body=body, carries=carries, slices=slices, steps=steps, reverse=reverse)


@loop_op.onnx
def _onnx(
    g: Any, *names: str, body: Body, carries: int, slices: int, steps: int | Int | None, reverse: bool
) -> tuple[str, ...]:
    outer = carries + slices
    captured = dict(zip(body.parameters[outer:], names[outer:], strict=True))
    if steps is None:  # the flag is the condition, and the first of the carried values as well
        inner = g.body(body.parameters[:outer], captured, [body.outputs[0], *body.outputs])
        return _onnx_while(g, names[:carries], inner)
    if steps == 0:  # onnxruntime does not take it
        empty = [np.zeros((0, *t.shape), dtypes.numpy_dtype(t.dtype)) for t in body.gives[carries:]]
        return (*names[:carries], *(g.constant(a) for a in empty))
    inner = g.body(body.parameters[:outer], captured, body.outputs)
    stacked = list(names[carries:outer])
    if not stacked:  # Scan needs something to count its steps by
        stacked = [g.node("ConstantOfShape", g.dims((steps,)))]
        inner.inputs[g.name("step")] = TensorType((), "float32")
    ways: dict[str, list[int]] = {}
    if reverse:
        results = len(body.outputs) - carries
        ways = {"scan_input_directions": [1] * len(stacked), "scan_output_directions": [1] * results}
    made = g.node(
        "Scan", *names[:carries], *stacked, outputs=len(body.outputs), body=inner,
        num_scan_inputs=len(stacked), **{k: v for k, v in ways.items() if v},
    )  # fmt: skip
    return made if isinstance(made, tuple) else (made,)


def _onnx_while(g: Any, first: Sequence[str], inner: Any) -> tuple[str, ...]:
    counters = {g.name("iteration"): TensorType((), "int64"), g.name("going"): TensorType((), "bool")}
    inner.inputs = counters | inner.inputs
    made = g.node("Loop", "", first[0], *first, outputs=len(first), body=inner)
    return made if isinstance(made, tuple) else (made,)


@loop_op.samples
def _samples(rng: np.random.Generator) -> Iterator[Sample]:
    def sample(name: str, arrays: Sequence[Any], function: Any, carries: int, **attrs: Any) -> Sample:
        slices, differentiable = attrs.pop("slices", 0), attrs.pop("differentiable", True)
        steps = attrs.get("steps")
        sliced = range(carries, carries + slices)
        types = [TensorType(a.shape[1 if k in sliced else 0 :], a.dtype.name) for k, a in enumerate(arrays)]
        parameters = new_parameters(types, "sample")
        body, captured = closed(parameters, function(*parameters))
        assert not captured
        attrs = (
            {"body": body, "carries": carries, "slices": slices, "steps": steps} | {"reverse": False} | attrs
        )
        return Sample(tuple(arrays), attrs, name, differentiable=differentiable)

    def arrays(*shapes: tuple[int, ...], dtype: str = "float64") -> list[np.ndarray]:
        return [rng.normal(size=s).astype(dtype) for s in shapes]  # a body keeps its types: double for tests

    def recurrent(h: Any, x: Any, u: Any) -> list[Any]:
        from kcompile.ops import contract

        h = ew.tanh(contract.einsum("bi,ij->bj", h, u) + x)
        return [h, h * 2.0]

    yield sample("recurrent", arrays((3, 4), (5, 3, 4), (4, 4)), recurrent, 1, slices=1, steps=5)
    yield sample(
        "backwards", arrays((3, 4), (5, 3, 4), (4, 4)), recurrent, 1, slices=1, steps=5, reverse=True
    )
    single = arrays((3, 4), (5, 3, 4), (4, 4), dtype="float32")
    yield sample("single", single, recurrent, 1, slices=1, steps=5, differentiable=False)
    yield sample("no-steps", arrays((3, 4), (0, 3, 4), (4, 4)), recurrent, 1, slices=1, steps=0)
    yield sample("map", arrays((6, 2)), lambda x: [ew.exp(x)], 0, slices=1, steps=6)
    start = [np.array(True), np.array(0, "int32"), *arrays((3,))]
    yield sample("while", start, lambda go, n, x: [ew.less(n, 4), n + 1, ew.sin(x) * 1.5], 3)
