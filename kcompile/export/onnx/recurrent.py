"""Loops that compute what ONNX's LSTM, GRU and RNN compute become these operators.

A loop is recognised by its body: the step of a built-in cell, written over the body's own parameters, must be
the very same values (equal computations are one object), under a mask or without one. Dropout and other
activations are other bodies, and are written as a Scan. NaN in, and what overflows, need not come out of
onnxruntime's operators as NaN.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcompile import activations, ops
from kcompile.core import tree
from kcompile.export.onnx.masked_steps import MaskedSteps
from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Node, Value, topological
from kcompile.layers.rnn.cell import BuiltinCell
from kcompile.layers.rnn.gru import GRUCell
from kcompile.layers.rnn.lstm import LSTMCell
from kcompile.layers.rnn.simple import SimpleRNNCell

COMPUTED = ("float32", "float16", "bfloat16")  # in float32; runtimes have no other kernels


@dataclass(frozen=True)
class Activation:
    """An activation as ONNX's recurrent operators name it; those of Keras's settings that they have.

    Not softplus: onnxruntime's overflows in these operators, from 89 on.
    """

    name: str
    keras: str
    alpha: float | None = None
    beta: float | None = None


ACTIVATIONS = (
    Activation("Tanh", "tanh"),
    Activation("Sigmoid", "sigmoid"),
    Activation("Relu", "relu"),
    Activation("Softsign", "softsign"),
    Activation("HardSigmoid", "hard_sigmoid", 1 / 6, 0.5),
    Activation("Elu", "elu", 1.0),
    Activation("LeakyRelu", "leaky_relu", 0.2),
    Activation("Affine", "linear", 1.0, 0.0),
)


class _Kernels:
    """The two parts of a recurrent kernel, cut where a GRU cuts it that resets before the product."""

    def __init__(self, parts: Sequence[Value]):
        self.parts = parts

    def __getitem__(self, key: Any) -> Value:
        return self.parts[0 if key[1].start is None else 1]


@dataclass(frozen=True)
class Kind:
    """A cell and its operator. order: the cell's gates in ONNX's order. options: settings of the cell, attrs
    of the operator.
    """

    operator: str
    cell: type[BuiltinCell]
    order: tuple[int, ...]
    recurrent: tuple[int, ...]  # how many gates each captured part of the recurrent kernel has
    biases: int  # how many are captured
    options: dict[str, Any]
    attrs: dict[str, int]

    def shapes(self, features: Any, units: int) -> list[tuple[Any, ...]]:
        """Of what the body captures: the kernel, parts of the recurrent kernel, biases."""
        gates = len(self.order)
        parts = [(units, n * units) for n in self.recurrent]
        return [(features, gates * units), *parts, *[(gates * units,)] * self.biases]

    def step(
        self, units: int, names: Sequence[Activation], x: Value, states: list[Value], found: list[Value]
    ) -> Any:
        """The cell's step over these values, with these activations."""
        chosen = [activations.get(one.keras) for one in names]
        own = dict(zip(("recurrent_activation", "activation")[-len(chosen) :], chosen, strict=True))
        count = len(self.recurrent)
        recurrent, bias = found[1 : 1 + count], found[1 + count :]
        cell = self.cell.__new__(
            self.cell
        )  # not a layer that counts among others: what `call` reads, no more
        cell.__dict__.update(
            self.options, **own, output_size=units, dropout=0.0, recurrent_dropout=0.0, kernel=found[0],
            recurrent_kernel=recurrent[0] if count == 1 else _Kernels(recurrent),
            bias=None if not bias else bias[0] if len(bias) == 1 else bias,
        )  # fmt: skip
        return cell.call(x, states)


KINDS = [
    Kind(operator, cell, order, recurrent, biases, options, attrs)
    for operator, cell, order, recurrent, with_bias, options, attrs in (
        ("LSTM", LSTMCell, (0, 3, 1, 2), (4,), 1, {}, {}),
        ("GRU", GRUCell, (0, 1, 2), (3,), 2, {"reset_after": True}, {"linear_before_reset": 1}),
        ("GRU", GRUCell, (0, 1, 2), (2, 1), 1, {"reset_after": False}, {"linear_before_reset": 0}),
        ("RNN", SimpleRNNCell, (0,), (1,), 1, {}, {}),
    )
    for biases in (with_bias, 0)
]


@dataclass(frozen=True)
class Match:
    """A loop as an operator: its kind, activations, and the captured inputs as NumPy arrays.

    zeros: masked steps give zeros, not the output before them.
    """

    kind: Kind
    names: tuple[Activation, ...]
    zeros: bool
    arrays: list[np.ndarray]
    weight: str  # the name of the kernel


def written(g: Any, node: Node, names: dict[Value, str], variables: dict[int, Any]) -> tuple[str, ...] | None:
    """The node's values as the operator that it is; None if it is none.

    names: of the node's inputs. variables: those whose arrays are constants of the file, by number.
    """
    match = _matched(node, variables)
    return None if match is None else _write(g, node, names, match)


def _matched(node: Node, variables: dict[int, Any]) -> Match | None:
    attrs = node.attrs
    body, carries = attrs["body"], attrs["carries"]
    slices = attrs["slices"]
    first, outer = body.parameters[:carries], list(body.parameters[carries + slices :])
    masks = body.parameters[carries + 1 : carries + slices]
    if (
        carries not in (1, 2)
        or attrs["steps"] in (None, 0)
        or not _fit(masks, body.parameters[: carries + 1])
    ):
        return None
    if len({p.dtype for p in (*outer, first[0])}) > 1:
        return None
    x, units = body.parameters[carries], first[0].shape[1]
    blank = next((p for p in outer if p.type == first[0].type and _is_zero(_given(node)[p])), None)
    if blank is not None:  # what masked steps give
        outer.remove(blank)
    for kind in KINDS:
        if not isinstance(units, int) or len(outer) != 1 + len(kind.recurrent) + kind.biases:
            continue
        for found in _arranged(outer, kind.shapes(x.shape[1], units)):
            how = _activations(kind, units, x, list(first), found, masks, blank, body.outputs)
            arrays = None if how is None else _numbers(node, found, variables)
            if how is not None and arrays is not None:
                return Match(kind, *how, *arrays)
    return None


def _fit(masks: Sequence[Value], others: Sequence[Value]) -> bool:
    """Are there one input and states (n, features), and at most one mask (n,)?"""
    return (
        len(masks) <= 1
        and all(m.dtype == "bool" and len(m.shape) == 1 for m in masks)
        and all(p.dtype in COMPUTED and p.dtype == others[0].dtype and len(p.shape) == 2 for p in others)
    )


def _arranged(captured: Sequence[Value], shapes: list[tuple[Any, ...]]) -> Iterator[list[Value]]:
    """The captured parameters in every order that fits the shapes."""
    for order in itertools.permutations(captured):
        if all(v.shape == shape for v, shape in zip(order, shapes, strict=True)):
            yield list(order)


def _activations(
    kind: Kind, units: int, x: Value, states: list[Value], found: list[Value], masks: Sequence[Value],
    blank: Value | None, outputs: Sequence[Value],
) -> tuple[tuple[Activation, ...], bool] | None:  # fmt: skip
    """The activations, gates' first, with which a step of this kind is the body, and whether masked steps
    give zeros.
    """
    gated, computed = len(kind.order) > 1, _operators(outputs)
    possible = [one for one in ACTIVATIONS if _operators([activations.get(one.keras)(x)]) <= computed]
    for names in itertools.product(possible, repeat=2 if gated else 1):
        output, new = kind.step(units, names, x, states, found)
        if len(tree.flatten(new)) != len(states):  # the loop carries more than the states, or less
            return None
        for before in [states[0]] if blank is None else [states[0], blank]:
            leaves, result = _under(masks, output, tree.flatten(new), states, before)
            wanted = [*leaves, *[result] * (len(outputs) - len(states))]
            if len(wanted) == len(outputs) and all(a is b for a, b in zip(wanted, outputs, strict=True)):
                return names, before is blank
    return None


def _operators(values: Sequence[Value]) -> set[str]:
    return {node.op.name for node in topological(values)}


def _under(
    masks: Sequence[Value], output: Value, new: list[Value], states: list[Value], before: Value
) -> tuple[list[Value], Value]:
    """New states and output as a mask leaves them (`layers.rnn.steps`); without a mask, as they are.

    before: what a masked step gives.
    """
    if not masks:
        return new, output
    seen = ops.reshape(masks[0], (-1, 1))
    kept = [ops.where(seen, now, old) for now, old in zip(new, states, strict=True)]
    return kept, ops.where(seen, output, before)


def _numbers(
    node: Node, found: list[Value], variables: dict[int, Any]
) -> tuple[list[np.ndarray], str] | None:
    """The captured inputs as arrays, and the kernel's name; None if one depends on the model's inputs."""
    roots = [_given(node)[p] for p in found]
    leaves = [n for n in topological(roots) if not n.inputs]
    if any(n.op.name not in ("variable", "constant") for n in leaves):
        return None
    read = [n for n in leaves if n.op.name == "variable"]
    if any(n.attrs["uid"] not in variables for n in read):
        return None
    held = {n.values[0]: variables[n.attrs["uid"]] for n in read}
    arrays = evaluate(roots, {v: variable.array for v, variable in held.items()}, {})
    kernels = [held[n.values[0]].path for n in topological(roots[:1]) if n.values[0] in held]
    return arrays, kernels[0] if kernels else "kernel"


def _given(node: Node) -> dict[Value, Value]:
    """What each parameter of the body stands for."""
    return dict(zip(node.attrs["body"].parameters, node.inputs, strict=True))


def _write(g: Any, node: Node, names: dict[Value, str], match: Match) -> tuple[str, ...]:
    attrs, kind = node.attrs, match.kind
    carries, units = attrs["carries"], node.inputs[0].shape[1]
    given, dtype = [names[v] for v in node.inputs], node.inputs[0].dtype
    given[: carries + 1] = [g.cast(name, "float32") for name in given[: carries + 1]]
    count = len(kind.recurrent)
    kernel, recurrent = match.arrays[0], np.concatenate(match.arrays[1 : 1 + count], axis=1)
    zero = [_is_zero(v) for v in node.inputs[:carries]]
    masked = MaskedSteps(g, given[carries + 1]) if attrs["slices"] > 1 else None
    inputs = [
        given[carries] if masked is None else masked.front(given[carries]),
        _gates(g, kind, kernel, match.weight, "W"),
        _gates(g, kind, recurrent, match.weight, "R"),
    ]
    biases = match.arrays[1 + count :]
    if biases:
        pair = [*biases, np.zeros_like(biases[0])][:2]
        both = np.concatenate([_in_order(kind, b[None]) for b in pair], axis=0).reshape(1, -1)
        inputs.append(_stored(g, both, _beside(match.weight, "B")))
    if masked is not None:
        inputs += [""] * (4 - len(inputs)) + [masked.lengths()]
    if not all(zero):
        inputs += [""] * (5 - len(inputs))
        inputs += [g.node("Unsqueeze", name, g.constant(np.array([0]))) for name in given[:carries]]
    y, *last = g.node(
        kind.operator, *inputs, outputs=1 + carries, hidden_size=units,
        direction="reverse" if attrs["reverse"] else "forward",
        **_named(match.names + match.names[1:] * (kind.operator == "LSTM")), **kind.attrs,
    )  # fmt: skip
    states = [g.node("Squeeze", name, g.constant(np.array([0]))) for name in last]
    results = len(node.values) - carries
    outputs = [g.node("Squeeze", y, g.constant(np.array([1])))] * results
    if masked is not None:
        states = [masked.states(*one) for one in zip(states, given[:carries], zero, strict=True)]
        how = {"is_zero": zero[0], "zeros": match.zeros, "reverse": attrs["reverse"]}
        outputs = [masked.spread(one, given[0], units, **how) for one in outputs]
    return tuple(g.cast(name, dtype) for name in (*states, *outputs))


def _named(chosen: Sequence[Activation]) -> dict[str, list[Any]]:
    """The attributes that name activations; numbers are listed of those that take them."""
    found: dict[str, list[Any]] = {
        "activations": [one.name for one in chosen],
        "activation_alpha": [one.alpha for one in chosen if one.alpha is not None],
        "activation_beta": [one.beta for one in chosen if one.beta is not None],
    }
    return {name: listed for name, listed in found.items() if listed}


def _gates(g: Any, kind: Kind, kernel: np.ndarray, weight: str, what: str) -> str:
    """A kernel (inputs, gates) as ONNX has it: (1, gates in its order, inputs)."""
    return _stored(g, _in_order(kind, kernel).T[None], _beside(weight, what))


def _stored(g: Any, array: np.ndarray, name: str) -> str:
    """A constant, for computing in float32; one of halves stays so in the file."""
    return str(g.cast(g.constant(array, name), "float32"))


def _in_order(kind: Kind, array: np.ndarray) -> np.ndarray:
    parts = np.split(array, len(kind.order), axis=1)
    return np.concatenate([parts[k] for k in kind.order], axis=1)


def _beside(weight: str, what: str) -> str:
    return f"{weight.rpartition('/')[0]}/{what}".lstrip("/")


def _is_zero(v: Value) -> bool:
    """Is it made of zeros, whatever its shape?"""
    while v.op.name == "broadcast_to":
        v = v.node.inputs[0]
    return v.op.name == "constant" and not v.node.attrs["value"].array.any()
