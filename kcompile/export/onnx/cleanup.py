"""Small rewrites that make the file shorter: what no output needs, identities, transposes that cancel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kcompile.export.onnx import batch_norm, columns, directions, layout, paddings, parts, repeats, simplify
from kcompile.export.onnx.graph import Links, OnnxGraph, OnnxNode, distinct

FEW = 16  # numbers in a constant, up to which it may be another name for those of another


def run(graph: OnnxGraph, fold_batch_norm: bool = False) -> OnnxGraph:
    """The graph after all rewrites; its inputs and outputs stay."""
    clean_bodies(graph)
    drop_identities(graph)
    paddings.fold(graph)
    simplify.write_products(graph)
    if fold_batch_norm:  # into products, behind which it stands between transposes
        batch_norm.fold(graph)
    simplify.write_lines(graph)
    columns.order_made(graph)
    layout.sink_transposes(graph)
    drop_identities(graph)
    add_bias_in_convolution(graph)
    if fold_batch_norm:
        batch_norm.fold(graph)
    simplify.run(graph)
    drop_identities(graph)
    drop_repeated(graph)
    directions.join(graph)
    simplify.run(graph)
    parts.join_slices(graph)
    repeats.write_copies(graph)
    name_outputs(graph)
    graph.drop_unused()
    rename_constants(graph)
    name_nodes(graph, set())
    return graph


def clean_bodies(graph: OnnxGraph) -> None:
    """Bodies of loops without identities and without what their results do not need."""
    for body in (body for node in graph.nodes for body in node.bodies):
        clean_bodies(body)
        drop_identities(body)
        name_outputs(body)
        body.drop_unused()


def drop_identities(graph: OnnxGraph) -> None:
    """Readers of an Identity read its input. Those that name an output of the graph stay."""
    names: dict[str, str] = {}
    kept: list[OnnxNode] = []
    for node in graph.nodes:
        node = node.renamed(names)
        if node.op == "Identity" and node.outputs[0] not in graph.outputs:
            names[node.outputs[0]] = node.inputs[0]
        else:
            kept.append(node)
    graph.nodes = kept


def drop_repeated(graph: OnnxGraph) -> None:
    """What is computed twice is computed once. Nodes that make an output of the graph stay."""
    names, known, kept = dict[str, str](), dict[object, OnnxNode](), list[OnnxNode]()

    def content(name: str) -> object:
        array = graph.constants.get(name)
        few = array is not None and array.size <= FEW and not array.dtype.hasobject
        return (array.dtype, array.shape, array.tobytes()) if array is not None and few else name

    for node in graph.nodes:
        node = node.renamed(names)
        if node.bodies:
            kept.append(node)
            continue
        read, used = tuple(map(content, node.inputs)), tuple(map(bool, node.outputs))
        first = known.setdefault((node.op, read, used, repr(sorted(node.attrs.items()))), node)
        if first is node or set(node.outputs) & {*graph.outputs}:
            kept.append(node)
        else:
            names |= dict(zip(node.outputs, first.outputs, strict=True))
    graph.nodes = kept


def name_outputs(graph: OnnxGraph) -> None:
    """A node whose result becomes an output makes it under the output's name, without an Identity between."""
    makers, names = graph.makers(), {}
    for node in graph.nodes:
        if node.op != "Identity" or node.outputs[0] not in graph.outputs:
            continue
        source = node.inputs[0]
        if source in makers and source not in graph.outputs and source not in names:
            names[source] = node.outputs[0]
    done = set(names.items())
    kept = [n for n in graph.nodes if not (n.op == "Identity" and (n.inputs[0], n.outputs[0]) in done)]
    graph.nodes = [
        replace(n.renamed(names), outputs=tuple(names.get(o, o) for o in n.outputs), label=n.name)
        for n in kept
    ]


def name_nodes(graph: OnnxGraph, taken: set[str]) -> None:
    """Each node a name of its own, as onnxruntime asks: another operator may have given up that name."""
    for k, node in enumerate(graph.nodes):
        name = distinct(node.name, taken)
        taken.add(name)
        graph.nodes[k] = replace(node, label=name)
        for body in node.bodies:
            name_nodes(body, taken)


def add_bias_in_convolution(graph: OnnxGraph) -> None:
    """Conv or ConvTranspose and the addition of a number, or of one per channel, are one node with a bias."""
    links = Links(graph)
    moved: dict[str, OnnxNode] = {}  # what the Conv made, what the Add made -> the Conv with a bias
    for node in graph.nodes:
        if node.op != "Add":
            continue
        for x, bias in (node.inputs, node.inputs[::-1]):
            conv = links.made(x)
            if conv is None or not _fits(graph, conv, bias):
                continue
            flat, channels = graph.constants[bias].reshape(-1), _channels(graph, conv)
            name = graph.constant(f"{bias}:flat", np.resize(flat, channels or 0))
            moved[x] = replace(conv, inputs=(*conv.inputs, name), outputs=node.outputs)
            break
    gone = {node.outputs[0] for node in moved.values()}
    graph.nodes = [moved.get(n.outputs[0], n) for n in graph.nodes if n.outputs[0] not in gone]


def _fits(graph: OnnxGraph, conv: OnnxNode, bias: str) -> bool:
    """Is it a convolution without a bias, and `bias` a constant of one number, or of one per channel?"""
    channels = _channels(graph, conv)
    if channels is None or len(conv.inputs) > 2 or bias not in graph.constants:
        return False
    array, rank = graph.constants[bias], graph.constants[conv.inputs[1]].ndim
    per_channel = (channels, *(1,) * (rank - 2))
    return array.shape in (per_channel, (1, *per_channel)) or (array.size == 1 and array.ndim <= rank)


def _channels(graph: OnnxGraph, conv: OnnxNode) -> int | None:
    """How many a convolution with a constant kernel makes; None for other nodes."""
    kernel = graph.constants.get(conv.inputs[1]) if conv.op in batch_norm.CHANNEL_AXIS else None
    if kernel is None:
        return None
    return int(kernel.shape[batch_norm.CHANNEL_AXIS[conv.op]]) * batch_norm.groups_across(conv)


def rename_constants(graph: OnnxGraph) -> None:
    """A weight that is stored in one form only keeps its own name, whatever the form."""
    forms: dict[str, list[str]] = {}
    for name in graph.constants:
        forms.setdefault(name.split(":")[0], []).append(name)
    taken = {*graph.inputs, *graph.outputs, *graph.makers()}
    names = {
        kept[0]: base
        for base, kept in forms.items()
        if len(kept) == 1 and kept[0] != base and base not in taken
    }
    graph.constants = {names.get(name, name): array for name, array in graph.constants.items()}
    graph.nodes = [node.renamed(names) for node in graph.nodes]
