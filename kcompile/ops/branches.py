"""Branches: `cond` and `switch`.

On arrays the taken function runs alone. In a trace all are computed and one is selected. What a branch uses
from outside enters it by a gate, through which gradients come back only if the branch was taken: what is
infinite or NaN in the others (the slope of a logarithm at the 0 that a condition keeps away) stays there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from kcompile.core import dtypes, tree
from kcompile.core.errors import ArgumentError
from kcompile.ir.graph import Node, Value, recorded, substitute, topological
from kcompile.ir.op import Op, Sample, unwrap
from kcompile.ir.traits import Leaf, Traits
from kcompile.ir.types import TensorType
from kcompile.ops import elementwise as ew
from kcompile.ops import movement, state

Function = Callable[..., Any]

gate_op = Op("gate", cheap=True, traits=Traits(transparent=True))
"""x as it is; its gradient is 0, whatever comes back, unless `taken`."""


@gate_op.infer
def _infer(x: TensorType, taken: TensorType) -> TensorType:
    return x


@gate_op.reference
def _reference(x: np.ndarray, taken: np.ndarray) -> np.ndarray:
    return x


@gate_op.vjp
def _vjp(dy: Any, y: Any, x: Any, taken: Any) -> tuple[Any, None]:
    return ew.where(taken, dy, ew.zero_like(dy)), None


@gate_op.decompose
def _decompose(x: Any, taken: Any) -> Any:
    return x


@gate_op.samples
def _samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.normal(size=(3, 2)).astype("float32")
    yield Sample((x, np.array(True)), {}, "taken")
    yield Sample((x, np.array(False)), {}, "not-taken", differentiable=False)


def _gated(results: Sequence[Any], taken: Any, own: set[Node]) -> list[Any]:
    """The results of a branch with gates around what its own nodes use from outside."""
    values = [v for v in results if isinstance(v, Value)]
    made = [n for n in topological(values) if n in own and n.inputs]
    inside = {v for n in made for v in n.values}
    used = dict.fromkeys(v for n in made for v in n.inputs if v not in inside and _has_slope(v))
    ends = substitute(values, {v: gate_op(v, taken) for v in used})
    replaced = dict(zip(values, ends, strict=True))
    return [replaced[v] if isinstance(v, Value) else v for v in results]


def _has_slope(v: Value) -> bool:
    return dtypes.is_float(v.dtype) and v.op.leaf is not Leaf.CONSTANT


def check_callable(name: str, function: Any, argument: str) -> None:
    if not callable(function):
        raise TypeError(f"`{argument}` should be a callable. Received: {argument}={function} in ops.{name}.")


def cond(pred: Any, true_fn: Function, false_fn: Function) -> Any:
    """true_fn() where pred holds, else false_fn(); in a trace both are computed and one is taken.

    Raises: TypeError if a branch is not callable; ValueError if they return different structures.

    >>> cond(np.array(True), lambda: 1, lambda: 2)
    1
    """
    check_callable("cond", true_fn, "true_fn")
    check_callable("cond", false_fn, "false_fn")
    if pred is None or isinstance(pred, (str, list, tuple, dict)) or callable(pred):
        raise TypeError(f"cond: `pred` must be a bool, a number or a tensor. Received: pred={pred!r}")
    if getattr(pred, "shape", ()) not in ((), (1,)):
        raise ArgumentError(f"cond: `pred` must be a scalar. Received: shape {tuple(pred.shape)}")
    if not isinstance(unwrap(pred), Value):
        return true_fn() if pred else false_fn()
    holds = _scalar(ew.cast(pred, "bool"))
    return _branched([ew.logical_not(holds), holds], [false_fn, true_fn])


def switch(index: Any, branches: Sequence[Function], *operands: Any) -> Any:
    """branches[index](*operands); index is clamped to the branches that there are.

    >>> float(switch(1, [lambda x: x, lambda x: -x], np.float32(2)))
    -2.0
    """
    for branch in branches:
        check_callable("switch", branch, "branches")
    if not branches:
        raise ValueError("switch: `branches` must not be empty.")
    if isinstance(index, float):
        raise TypeError(f"switch: `index` must be an int. Received: index={index}")
    if not isinstance(unwrap(index), Value):
        return branches[min(max(int(index), 0), len(branches) - 1)](*operands)
    index = _scalar(ew.minimum(ew.maximum(index, 0), len(branches) - 1))
    return _branched([ew.equal(index, number) for number in range(len(branches))], branches, *operands)


def _scalar(x: Any) -> Any:
    return movement.reshape(x, ()) if x.shape == (1,) else x


def _branched(taken: Sequence[Any], branches: Sequence[Function], *operands: Any) -> Any:
    """The results of all branches, of which those are given whose condition holds, and no other's does."""
    results, assigned = [], []
    for is_taken, branch in zip(taken, branches, strict=True):
        with state.branch({}) as changes, recorded() as own:
            found = branch(*operands)
        variables = list(changes)
        leaves = [unwrap(x) for x in (*tree.flatten(found), *changes.values())]
        leaves = _gated(leaves, is_taken, own)
        count = len(leaves) - len(variables)
        results.append(tree.pack_as(found, leaves[:count]))
        assigned.append(dict(zip(variables, leaves[count:], strict=True)))
    for variable in dict.fromkeys(v for changes in assigned for v in changes):
        variable.assign(_chosen(taken, [changes.get(variable, state.read(variable)) for changes in assigned]))
    return _chosen_structure(taken, results)


def _chosen_structure(taken: Sequence[Any], results: Sequence[Any]) -> Any:
    leaves = [tree.flatten(r) for r in results]
    if len({len(one) for one in leaves}) != 1:
        raise ValueError(f"The branches must return the same structure. Received: {results}")
    chosen = [None if one[0] is None else _chosen(taken, one) for one in zip(*leaves, strict=True)]
    return tree.pack_as(results[0], chosen)


def _chosen(taken: Sequence[Any], values: Sequence[Any]) -> Any:
    result = ew.as_tensor(values[-1])
    for is_taken, value in reversed(list(zip(taken[:-1], values[:-1], strict=True))):
        result = ew.where(is_taken, value, result)
    return result
