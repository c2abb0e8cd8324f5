"""Padding before a convolution or a pool is an attribute of it, where that says the same.

Whether it does is found by the arithmetic of the numbers alone: those of two paddings add up; padding that
depends on the size of the image is what "same" computes, or it stays a node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kcompile.export.onnx.graph import OnnxGraph, OnnxNode
from kcompile.ops.convolution import onnx_padding
from kcompile.ops.windows import identity

WINDOWS = ("Conv", "MaxPool", "AveragePool")
NOT_NEGATIVE = ("Relu", "Sigmoid", "HardSigmoid", "Softmax", "Softplus", "Abs", "Exp", "Sqrt")
KEEPS_SIGNS = ("Transpose", "MaxPool", "AveragePool", "Identity", "Reshape", "Slice")


def fold(graph: OnnxGraph) -> None:
    """Let convolutions and pools pad for themselves."""
    folding = _Folding(graph)
    graph.rewrite(lambda node: folding.folded(node) if node.op in WINDOWS else [node])


class _Folding:
    def __init__(self, graph: OnnxGraph):
        self.graph, self.makers = graph, graph.makers()
        self.moved: dict[tuple[str, tuple[int, ...]], str] = {}  # transposes of what was not padded yet

    def folded(self, node: OnnxNode) -> list[OnnxNode]:
        """The node without the padding before it; itself, if its attributes cannot say that."""
        turned = self.makers.get(node.inputs[0])
        pad = turned
        if turned is not None and turned.op == "Transpose":
            pad = self.makers.get(turned.inputs[0])
        if turned is None or pad is None or pad.op != "Pad" or pad.attrs:
            return [node]
        perm = tuple(turned.attrs["perm"]) if turned is not pad else None
        attrs = self._attrs(node, pad, perm)
        if attrs is None:
            return [node]
        if perm is None:
            return [replace(node, inputs=(pad.inputs[0], *node.inputs[1:]), attrs=attrs)]
        before, source = self._turned(pad.inputs[0], perm)
        return [*before, replace(node, inputs=(source, *node.inputs[1:]), attrs=attrs)]

    def _turned(self, x: str, perm: tuple[int, ...]) -> tuple[list[OnnxNode], str]:
        """x transposed, and the node for it where there was none."""
        if (x, perm) in self.moved:
            return [], self.moved[x, perm]
        name = self.moved[x, perm] = f"{x}:turned{''.join(map(str, perm))}"
        return [self.graph.transpose(x, name, perm)], name

    def _attrs(self, node: OnnxNode, pad: OnnxNode, perm: tuple[int, ...] | None) -> dict[str, Any] | None:
        """The node's attributes with the padding among them; None where they cannot say it."""
        type_, kernel = self.graph.types.get(pad.inputs[0]), self._kernel(node)
        around = self._numbers(pad.inputs[1])
        if type_ is None or kernel is None or around is None or "pads" not in node.attrs:
            return None
        order = perm or range(type_.rank)
        before, after = ([side[k] for k in order] for side in (around[: type_.rank], around[type_.rank :]))
        own, spatial = node.attrs["pads"], type_.rank - 2
        if [*before[:2], *after[:2]] != [0] * 4:
            return None
        sums = [(a + own[k], b + own[spatial + k]) for k, (a, b) in enumerate(_pairs(before, after))]
        fitting = self._fits(node, pad, sums, kernel)
        if fitting is None:
            return None
        extents = tuple(type_.shape[k] for k in order)[2:]
        dilations = tuple(node.attrs.get("dilations", (1,) * spatial))
        gap = 1 if node.op == "Conv" else 0
        try:
            said = onnx_padding(extents, kernel, tuple(node.attrs["strides"]), dilations, tuple(sums), gap)
        except NotImplementedError:
            return None
        return {k: v for k, v in node.attrs.items() if k != "pads"} | said | fitting

    def _kernel(self, node: OnnxNode) -> tuple[int, ...] | None:
        if node.op != "Conv":
            return tuple(node.attrs["kernel_shape"])
        type_ = self.graph.types.get(node.inputs[1])
        known = type_ is not None and all(isinstance(d, int) for d in type_.shape)
        return tuple(type_.shape[2:]) if known else None  # type: ignore[union-attr,arg-type]

    def _numbers(self, name: str) -> list[Any] | None:
        """What a tensor of dimensions holds."""
        array = self.graph.constants.get(name)
        if array is not None:
            return [int(n) for n in array]
        return list(self.graph.extents[name]) if name in self.graph.extents else None

    def _fits(
        self, node: OnnxNode, pad: OnnxNode, pads: Sequence[Any], kernel: Sequence[int]
    ) -> dict[str, Any] | None:
        """More attributes for the operator to pad with the same number; None if it does not."""
        number = self.graph.constants.get(pad.inputs[2]) if len(pad.inputs) > 2 else 0
        if number is None:
            return None
        numbers = [p for pair in pads for p in pair]
        wide = any(isinstance(p, int) and p >= k for pair, k in zip(pads, kernel, strict=True) for p in pair)
        if node.op == "Conv":
            return {} if number == 0 else None
        if wide:  # a window of nothing but padding
            return None
        if node.op == "MaxPool":
            type_ = self.graph.types[pad.inputs[0]]
            least = identity("max", type_.dtype)
            is_least = number == least or (number == 0 and self._not_negative(pad.inputs[0]))
            return {} if is_least else None
        apart = node.attrs.get("count_include_pad") == 1 or not any(node.attrs["pads"])
        known = all(isinstance(p, int) for p in numbers)
        return {"count_include_pad": 1} if apart and known and number == 0 else None

    def _not_negative(self, name: str) -> bool:
        maker = self.makers.get(name)
        while maker is not None and maker.op in KEEPS_SIGNS:
            maker = self.makers.get(maker.inputs[0])
        if maker is None:
            return False
        low = self.graph.constants.get(maker.inputs[1]) if maker.op == "Clip" else None
        return maker.op in NOT_NEGATIVE or (low is not None and bool(low >= 0))


def _pairs(before: Sequence[Any], after: Sequence[Any]) -> list[tuple[Any, Any]]:
    return list(zip(before[2:], after[2:], strict=True))
