"""ONNX export: a traced inference graph goes in, a checked .onnx file comes out."""

from __future__ import annotations

import contextlib
import operator
import os
from typing import Any

from kcompile.core import console
from kcompile.core.errors import message
from kcompile.ir.graph import Graph

DEFAULT_OPSET = 20  # of ONNX 1.15 (2023): what runtimes know by now. The first with Gelu and StringSplit
OLDEST_OPSET = 13
# Operators that onnxruntime (1.32) computes by plain loops from a later opset on, up to 17 times slower.
QUICK_UNTIL = {"AveragePool": 18}


def export_onnx(
    model: Any,
    filepath: str | os.PathLike[str],
    verbose: bool | None = None,
    input_signature: Any = None,
    opset_version: int | None = None,
    fold_batch_norm: bool = False,
    external_data: bool = False,
    training: bool = False,
) -> None:
    """Write the inference call of a model (or a traced graph) to an ONNX file.

    The batch dimension is open and named "batch"; other open ones have names such as "sequence" or "height".
    What stateful layers keep for the next call comes in and goes out as in a training step (`<path>.next`).
    Operators such as LayerNormalization (opset 17) and Gelu (20) are written as one node where the opset has
    them. Text is looked up and split by ONNX's own operators, from opset 20 on. The file is checked with
    ONNX's checker and full shape inference, and replaces an old one only when all went well. More than 2 GB
    of weights go to `<filepath>.data`.

    Args:    input_signature: a list with one structure of InputSpecs (or placeholders, or arrays) per
             positional argument; by default what the model was built with. opset_version: 13 or later; by
             default 20, or 18 where a model has averages of windows and needs no newer operator, because
             onnxruntime averages faster there. fold_batch_norm: put batch normalizations into the weights of
             the convolutions and dense layers before them: fewer nodes, results equal up to rounding.
             external_data: weights always in `<filepath>.data`. training: write a training step, with weights
             and optimizer state as inputs and outputs (`kcompile.export.onnx.training`). verbose: print where
             it lies (the default).
    Raises:  UnsupportedOps, which lists every operation without an ONNX form and its layer, before anything
             is written; ValueError for an unknown opset or a model whose input shapes are unknown.
    """
    from kcompile.export.onnx import write
    from kcompile.export.onnx.emit import UnsupportedOps
    from kcompile.export.onnx.notes import annotate
    from kcompile.export.onnx.signature import Traced, trace_inference
    from kcompile.export.onnx.text import TextCalls

    opset = check_opset(opset_version)
    if training:
        if fold_batch_norm:
            raise ValueError(
                "fold_batch_norm=True is for inference: a training step computes the statistics."
            )
        from kcompile.export.onnx.training import export_training_step

        export_training_step(model, filepath, input_signature, opset, external_data)
        _say_where(filepath, verbose)
        return
    if isinstance(model, Graph):
        inputs = [value.node.attrs["name"] for value in model.inputs]
        outputs = [f"output_{k}" for k in range(len(model.outputs))]
        traced = Traced(model, [], inputs, outputs, TextCalls())
    else:
        traced = trace_inference(model, input_signature)
    made, properties = _made(traced, opset, fold_batch_norm)
    if opset_version is None and any(node.op in QUICK_UNTIL for node in made.nodes):
        older = min(QUICK_UNTIL[node.op] for node in made.nodes if node.op in QUICK_UNTIL)
        with contextlib.suppress(UnsupportedOps):
            other, _ = _made(traced, older, fold_batch_norm)
            if len(other.nodes) <= len(made.nodes):
                made, opset = other, older
    annotate(made, traced.graph.name)
    write.write(made, filepath, traced.graph.name, opset, external_data, properties)
    _say_where(filepath, verbose)


def _made(traced: Any, opset: int, fold_batch_norm: bool) -> tuple[Any, dict[str, str]]:
    """The graph in this opset, and the properties of its file."""
    from kcompile.export.onnx import cleanup
    from kcompile.export.onnx.emit import emit_graph, state_property

    with traced.to_be_written():
        written = emit_graph(traced.graph, traced.inputs, traced.outputs, opset, traced.text)
    properties = state_property(written.outputs) if written.defaults else {}
    return cleanup.run(written, fold_batch_norm), properties


def _say_where(filepath: Any, verbose: bool | None) -> None:
    if verbose or verbose is None:
        console.print_msg(f"Saved artifact at '{filepath}'.")


def check_opset(opset: int | None) -> int:
    """The opset to write.

    Raises:  ValueError for one that this exporter or what is installed does not know; TypeError for what is
             no whole number.
    """
    if opset is not None and (isinstance(opset, bool) or not hasattr(opset, "__index__")):
        raise TypeError(
            message(
                "`opset_version` must be a whole number.",
                expected=f"{OLDEST_OPSET} to {newest_opset()[0]}, or None for {DEFAULT_OPSET}",
                received=f"{opset!r} of type {type(opset).__name__}",
            )
        )
    chosen = DEFAULT_OPSET if opset is None else operator.index(opset)
    if OLDEST_OPSET <= chosen <= DEFAULT_OPSET:
        return chosen
    newest, known_by = newest_opset()
    if not OLDEST_OPSET <= chosen <= newest:
        raise ValueError(
            message(
                f"ONNX opset {opset} is not supported.",
                expected=f"{OLDEST_OPSET} to {newest} ({known_by} is installed)",
                hint=f"leave it out for {DEFAULT_OPSET}",
            )
        )
    return chosen


def newest_opset() -> tuple[int, str]:
    """The newest opset that the installed onnx writes and onnxruntime, if it is there, takes; and whose."""
    import onnx

    newest, known_by = onnx.defs.onnx_opset_version(), f"onnx {onnx.__version__}"
    with contextlib.suppress(ImportError):
        import onnxruntime
        from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

        taken = max(one.since_version for one in get_all_operator_schema() if one.domain == "")
        if taken < newest:
            return taken, f"onnxruntime {onnxruntime.__version__}"
    return newest, known_by


def check(model: Any, filepath: str | os.PathLike[str], input_signature: Any = None) -> float:
    """Compare a model with onnxruntime's results for an exported file; see `kcompile.export.onnx.compare`."""
    from kcompile.export.onnx.compare import compare

    return compare(model, filepath, input_signature)
