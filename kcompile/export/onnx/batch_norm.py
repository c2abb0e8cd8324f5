"""Folds batch normalizations into the weights of the convolution or dense layer before them.

y = (w x + b - mean) scale / sqrt(variance + epsilon) + beta is w' x + b' with w' = w s,
b' = (b - mean) s + beta and s = scale / sqrt(variance + epsilon). It is computed in
float64; results differ from the unfolded by rounding.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kcompile.export.onnx.graph import Links, OnnxGraph, OnnxNode

# Where the kernel of a convolution has its output channels. ConvTranspose has those of one group.
CHANNEL_AXIS = {"Conv": 0, "ConvTranspose": 1}
EPSILON = 1e-5  # ONNX's default


def groups_across(conv: OnnxNode) -> int:
    """How many times the kernel's channel axis is in the output."""
    return int(conv.attrs.get("group", 1)) if conv.op == "ConvTranspose" else 1


def fold(graph: OnnxGraph) -> None:
    """Fold every BatchNormalization that follows a layer whose result nothing else reads."""
    for norm in [node for node in graph.nodes if node.op == "BatchNormalization"]:
        links = Links(graph)
        layer, add, turned = links.made(norm.inputs[0]), None, None
        if layer is not None and layer.op == "Transpose":  # of what has its channels last
            turned, layer = layer, links.made(layer.inputs[0])
        if layer is not None and layer.op == "Add":  # of a dense layer's bias
            add, layer = layer, _addend(links, layer)
        if layer is None or not _has_constants(graph, norm, layer):
            continue
        if layer.op in CHANNEL_AXIS and add is turned is None and groups_across(layer) == 1:
            _into_convolution(graph, layer, norm)
        elif layer.op == "MatMul" and _is_over_last(graph, norm, turned):
            _into_matmul(graph, layer, add, turned, norm)


def _is_over_last(graph: OnnxGraph, norm: OnnxNode, turned: OnnxNode | None) -> bool:
    """Are the channels that are normalized, the second ones, the last ones of the layer's result?

    A bias may have given that more dimensions than the product has.
    """
    if turned is not None:
        return int(turned.attrs["perm"][1]) == len(turned.attrs["perm"]) - 1
    type_ = graph.types.get(norm.inputs[0])
    return type_ is not None and type_.rank == 2


def _addend(links: Links, add: OnnxNode) -> OnnxNode | None:
    """The product to which `add` adds a constant."""
    return links.made(add.inputs[0], "MatMul") if add.inputs[1] in links.graph.constants else None


def _has_constants(graph: OnnxGraph, norm: OnnxNode, layer: OnnxNode) -> bool:
    """Are all weights constants?"""
    return all(name in graph.constants for name in [*layer.inputs[1:], *norm.inputs[1:]])


def factors(
    graph: OnnxGraph, norm: OnnxNode, bias: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """s, and the new bias."""
    scale, beta, mean, variance = (graph.constants[n].astype(np.float64) for n in norm.inputs[1:5])
    s = scale / np.sqrt(variance + norm.attrs.get("epsilon", EPSILON))
    return s, (bias - mean) * s + beta


def _keep(graph: OnnxGraph, old: str, array: np.ndarray) -> str:
    """A new constant named after one that it takes the place of; others may still read that one."""
    return graph.constant(f"{old}:folded", array.astype(graph.constants[old].dtype))


def _into_convolution(graph: OnnxGraph, layer: OnnxNode, norm: OnnxNode) -> None:
    kernel = graph.constants[layer.inputs[1]]
    bias = graph.constants[layer.inputs[2]].astype(np.float64) if len(layer.inputs) > 2 else 0.0
    s, offset = factors(graph, norm, bias)
    along = [1] * kernel.ndim
    along[CHANNEL_AXIS[layer.op]] = -1
    names = _keep(graph, layer.inputs[1], kernel * s.reshape(along)), _keep(graph, norm.inputs[2], offset)
    folded = replace(layer, inputs=(layer.inputs[0], *names), outputs=norm.outputs)
    graph.nodes = [folded if n is norm else n for n in graph.nodes if n is not layer]


def _into_matmul(
    graph: OnnxGraph, layer: OnnxNode, add: OnnxNode | None, turned: OnnxNode | None, norm: OnnxNode
) -> None:
    kernel = graph.constants[layer.inputs[1]]
    bias = graph.constants[add.inputs[1]].astype(np.float64) if add is not None else 0.0
    s, offset = factors(graph, norm, bias)
    names = _keep(graph, layer.inputs[1], kernel * s), _keep(graph, norm.inputs[2], offset)
    product = replace(layer, inputs=(layer.inputs[0], names[0]))
    result = norm.outputs if turned is None else turned.inputs
    total = [OnnxNode("Add", (layer.outputs[0], names[1]), result)]
    if turned is not None:
        if add is None:  # the product's name is taken
            total = [replace(total[0], outputs=(f"{result[0]}:folded",))]
        total.append(replace(turned, inputs=total[0].outputs, outputs=norm.outputs))
    new = {id(layer): [product], id(norm): total, id(add): [], id(turned): []}
    graph.nodes = [made for n in graph.nodes for made in new.get(id(n), [n])]
