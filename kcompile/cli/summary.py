"""``kcompile summary MODEL``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from kcompile.cli.custom import import_option
from kcompile.cli.model_file import ONNX, ModelFile, load
from kcompile.cli.reporting import examples, json_option, reading, show


@click.command(
    epilog=examples(
        "kcompile summary model.keras",
        "kcompile summary model.keras --expand-nested --trainable",
        "kcompile summary model.onnx --json",
    )
)
@click.argument("model", type=ModelFile(onnx=True))
@click.option("--expand-nested", is_flag=True, help="Show the layers of nested models too.")
@click.option("--trainable", is_flag=True, help="Show which layers are trained.")
@import_option
@json_option
def command(model: Path, expand_nested: bool, trainable: bool, as_json: bool) -> None:
    """Show the layers and weights of MODEL: a .keras, .h5 or .onnx file."""
    if model.suffix == ONNX:
        if expand_nested or trainable:
            option = "--expand-nested" if expand_nested else "--trainable"
            raise click.UsageError(f"{option} is of .keras and .h5 files: an .onnx file has no layers")
        _onnx(model, as_json)
        return
    network = load(model)
    if as_json:
        show(_described(network, expand_nested), [], as_json)
    else:
        network.summary(expand_nested=expand_nested, show_trainable=trainable, print_fn=click.echo)


def _described(network: Any, expand_nested: bool) -> dict[str, Any]:
    return {
        "name": network.name,
        "layers": _layers(network, expand_nested),
        "parameters": _count(network.weights),
        "trainable": _count(network.trainable_weights),
        "compiled": network.compiled,
    }


def _layers(network: Any, expand_nested: bool) -> list[dict[str, Any]]:
    """Of each layer what a summary tells; of a nested model also its layers, where they are wanted."""
    return [
        {
            "name": layer.name,
            "class": type(layer).__name__,
            "output_shape": _shape(layer),
            "dtype": layer.compute_dtype,
            "parameters": layer.count_params() if layer.built else None,
            "trainable": layer.trainable,
        }
        | ({"layers": _layers(layer, True)} if expand_nested and getattr(layer, "layers", None) else {})
        for layer in network.layers
    ]


def _count(weights: list[Any]) -> int:
    return sum(math.prod(w.shape) for w in weights)


def _shape(layer: Any) -> Any:
    shapes = [list(t.shape) for node in layer._inbound_nodes[-1:] for t in node.output_tensors]
    return shapes[0] if len(shapes) == 1 else shapes or None


def _onnx(path: Path, as_json: bool) -> None:
    from kcompile.export.onnx.inspection import describe_onnx

    with reading(path, str(path)):
        found = describe_onnx(path)
    show(asdict(found), _lines(found), as_json)


def _lines(found: Any) -> Iterator[str]:
    opsets = ", ".join(f"{domain} {version}" for domain, version in found.opsets.items())
    yield f"graph    {found.name}"
    yield f"made by  {found.producer or '?'}, IR version {found.ir_version}, opset {opsets}"
    for word, tensors in (("input", found.inputs), ("output", found.outputs)):
        for t in tensors:
            yield f"{word:<8} {t.name}: {t.dtype} ({', '.join(map(str, t.shape))})"
    yield f"weights  {found.weights}, {found.numbers:,} numbers, {found.bytes:,} bytes"
    yield f"nodes    {sum(found.operators.values())}"
    for operator, count in found.operators.items():
        yield f"  {count:>5}  {operator}"
