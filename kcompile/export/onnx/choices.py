"""Choices by a condition, as inference needs them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kcompile.core import dtypes
from kcompile.export.onnx.graph import OnnxNode
from kcompile.export.onnx.layout import UNARY, VARIADIC

if TYPE_CHECKING:
    from kcompile.export.onnx.simplify import Around


def swapped_choice(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """Where of a negated condition selects the other way round, in whatever shape the condition comes."""
    condition, yes, no = node.inputs
    shaped = around.made(condition, "Reshape")
    negated = around.made(condition if shaped is None else shaped.inputs[0], "Not")
    if negated is None:
        return None
    if shaped is None:
        return [replace(node, inputs=(negated.inputs[0], no, yes))]
    before = f"{condition}:before"
    if condition in around.graph.types:
        around.graph.types[before] = around.graph.types[condition]
    shaped = replace(shaped, inputs=(negated.inputs[0], *shaped.inputs[1:]), outputs=(before,))
    return [shaped, replace(node, inputs=(before, no, yes))]


def chosen_twice(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """What is computed of a choice and then chosen by the same condition: one choice does.

    The inner one keeps gradients from what is not chosen, as in where(b == 0, 0, a / where(b == 0, 1, b)).
    """
    condition, *branches = node.inputs
    for k, name in enumerate(branches, 1):
        chain = _to_choice(around, name, condition)
        if chain is None:
            continue
        inner, *behind = chain
        now, before, made = inner.inputs[k], inner.outputs[0], list[OnnxNode]()
        types = [around.graph.types.get(given) for given in (now, before)]
        if None in types or types[0] != types[1]:
            continue
        for one in behind:
            after = f"{one.outputs[0]}:chosen"
            if one.outputs[0] in around.graph.types:
                around.graph.types[after] = around.graph.types[one.outputs[0]]
            inputs = tuple(now if given == before else given for given in one.inputs)
            made.append(replace(one, inputs=inputs, outputs=(after,), label=one.name))
            before, now = one.outputs[0], after
        inputs = tuple(now if at == k else given for at, given in enumerate(node.inputs))
        return [*made, replace(node, inputs=inputs)]
    return None


def _to_choice(around: Around, name: str, condition: str) -> list[OnnxNode] | None:
    """A choice by the condition and the elementwise operators from there to the tensor, each for the next.

    Of floats alone: ints cannot be divided by 0.
    """
    maker = around.made(name)
    if maker is None or not dtypes.is_float(around.dtype(name)):
        return None
    if maker.op == "Where" and maker.inputs[0] == condition:
        return [maker]
    if maker.op not in UNARY | VARIADIC or maker.op == "Where":
        return None
    found = filter(None, (_to_choice(around, one, condition) for one in maker.inputs))
    chain = next(found, None)
    return None if chain is None else [*chain, maker]
