"""Padding whose inside a contraction stores: which paddings, which contractions."""

from __future__ import annotations

from kcompile.ir.border import Border
from kcompile.ir.graph import Value
from kcompile.schedule.group import Group


def can_have_borders(producer: Group, padded: Value) -> bool:
    """Is it a contraction with an epilogue, of the shape of what is padded?"""
    c = producer.contraction
    if c is None or c.parts > 1 or (c.window is not None and c.window.is_gradient):
        return False
    return c.value.shape == padded.node.inputs[0].shape and padded not in producer.index


def with_border(producer: Group, border: Border) -> Group:
    """The contraction with the padded value as one more of its targets."""
    assert producer.contraction is not None
    group = Group(producer.axes, producer.contraction)
    own = producer.index[producer.contraction.value]
    inside = tuple(i + n for i, n in zip(own, border.before, strict=True))
    group.index = {**producer.index, border.target: inside}
    group.borders = {**producer.borders, border.target: border}
    return group
