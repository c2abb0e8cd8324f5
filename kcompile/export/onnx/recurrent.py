"""Loops that compute what ONNX's LSTM, GRU and RNN compute become these operators.

A loop is recognised by its body: the step of a built-in cell, written over the body's own parameters, must be
the very same values (equal computations are one object). Masks, dropout and other activations are other
bodies, and are written as a Scan.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcompile import activations
from kcompile.core import tree
from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Node, Value, topological
from kcompile.layers.rnn.cell import BuiltinCell
from kcompile.layers.rnn.gru import GRUCell
from kcompile.layers.rnn.lstm import LSTMCell
from kcompile.layers.rnn.simple import SimpleRNNCell

# By ONNX's names; those that it computes as Keras does.
ACTIVATIONS = {"Tanh": "tanh", "Sigmoid": "sigmoid", "Relu": "relu", "Softsign": "softsign"}


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
        self, units: int, names: Sequence[str], x: Value, states: list[Value], found: list[Value]
    ) -> Any:
        """The cell's step over these values, with activations by ONNX's names."""
        chosen = [activations.get(ACTIVATIONS[name]) for name in names]
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
    """A loop as an operator: its kind, activations, and the captured inputs as NumPy arrays."""

    kind: Kind
    names: tuple[str, ...]
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
    first, outer = body.parameters[:carries], body.parameters[carries + 1 :]
    if attrs["slices"] != 1 or carries not in (1, 2) or any(p.dtype != "float32" for p in body.parameters):
        return None
    if any(len(p.shape) != 2 for p in body.parameters[: carries + 1]) or attrs["steps"] in (None, 0):
        return None
    x, units = body.parameters[carries], first[0].shape[1]
    for kind in KINDS:
        if not isinstance(units, int) or len(outer) != 1 + len(kind.recurrent) + kind.biases:
            continue
        for found in _arranged(outer, kind.shapes(x.shape[1], units)):
            names = _activations(kind, units, x, list(first), found, body.outputs)
            arrays = None if names is None else _numbers(node, found, variables)
            if names is not None and arrays is not None:
                return Match(kind, names, *arrays)
    return None


def _arranged(captured: Sequence[Value], shapes: list[tuple[Any, ...]]) -> Iterator[list[Value]]:
    """The captured parameters in every order that fits the shapes."""
    for order in itertools.permutations(captured):
        if all(v.shape == shape for v, shape in zip(order, shapes, strict=True)):
            yield list(order)


def _activations(
    kind: Kind, units: int, x: Value, states: list[Value], found: list[Value], outputs: Sequence[Value]
) -> tuple[str, ...] | None:
    """The activations, gates' first, with which a step of this kind is the body."""
    gated = len(kind.order) > 1
    for names in itertools.product(ACTIVATIONS, repeat=2 if gated else 1):
        output, new = kind.step(units, names, x, states, found)
        wanted = [*tree.flatten(new), *[output] * (len(outputs) - len(states))]
        if len(wanted) == len(outputs) and all(a is b for a, b in zip(wanted, outputs, strict=True)):
            return names
    return None


def _numbers(
    node: Node, found: list[Value], variables: dict[int, Any]
) -> tuple[list[np.ndarray], str] | None:
    """The captured inputs as arrays, and the kernel's name; None if one depends on the model's inputs."""
    given = dict(zip(node.attrs["body"].parameters, node.inputs, strict=True))
    roots = [given[p] for p in found]
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


def _write(g: Any, node: Node, names: dict[Value, str], match: Match) -> tuple[str, ...]:
    attrs, kind = node.attrs, match.kind
    carries, units = attrs["carries"], node.inputs[0].shape[1]
    given = [names[v] for v in node.inputs]
    count = len(kind.recurrent)
    kernel, recurrent = match.arrays[0], np.concatenate(match.arrays[1 : 1 + count], axis=1)
    inputs = [
        given[carries],
        _gates(g, kind, kernel, match.weight, "W"),
        _gates(g, kind, recurrent, match.weight, "R"),
    ]
    biases = match.arrays[1 + count :]
    if biases:
        pair = [*biases, np.zeros_like(biases[0])][:2]
        both = np.concatenate([_in_order(kind, b[None]) for b in pair], axis=0).reshape(1, -1)
        inputs.append(g.constant(both, _beside(match.weight, "B")))
    if not all(_is_zero(v) for v in node.inputs[:carries]):
        inputs += [""] * (5 - len(inputs))
        inputs += [g.node("Unsqueeze", name, g.constant(np.array([0]))) for name in given[:carries]]
    y, *last = g.node(
        kind.operator, *inputs, outputs=1 + carries, hidden_size=units,
        direction="reverse" if attrs["reverse"] else "forward",
        activations=list(match.names + match.names[1:] * (kind.operator == "LSTM")), **kind.attrs,
    )  # fmt: skip
    states = [g.node("Squeeze", name, g.constant(np.array([0]))) for name in last]
    results = len(node.values) - carries
    return (*states, *[g.node("Squeeze", y, g.constant(np.array([1])))] * results)


def _gates(g: Any, kind: Kind, kernel: np.ndarray, weight: str, what: str) -> str:
    """A kernel (inputs, gates) as ONNX has it: (1, gates in its order, inputs)."""
    return g.constant(_in_order(kind, kernel).T[None], _beside(weight, what))


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
