"""What the compiler made of a model: the graph before and after the passes, and every kernel with its
measured speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kcompile.core import dtypes, tree
from kcompile.ir.graph import Graph
from kcompile.ir.text import graph_text
from kcompile.passes import pipeline
from kcompile.runtime.executable import Executable
from kcompile.runtime.profile import KernelProfile, profile, threads

WIDTH = 150  # of the printed table where no terminal tells
OPEN_EXTENT = 32  # taken for dimensions that the model leaves open


def explain(
    model: Any, x: Any = None, y: Any = None, batch_size: int = 32, file: Any = None
) -> dict[str, list[KernelProfile]]:
    """Print what became of a model: its inference program, and its training step if it is compiled.

    Args:    x: arrays to run on; default zeros of the model's input shapes with `batch_size` samples (32 for
             open dimensions). y: labels for the training step; default zeros that fit the loss. file: where
             to print, standard output by default. Weights are as before afterwards.
    Returns: the kernels of each program, "predict" and, of a compiled model, "train".
    """
    x = _zeros_for(model, batch_size) if x is None else x
    programs = model._training.programs
    predict = programs.predict(x)
    shown = {"predict": explain_program(predict.traced.graph, predict.run, programs_leaves(x), file)}
    if not model.compiled:
        return shown
    y = labels_for(model, predict.run(*programs_leaves(x))) if y is None else y
    step = programs.batch("train", (x, y, None))
    shown["train"] = explain_program(step.traced.graph, step.run, programs_leaves([x, y]), file)
    return shown


def programs_leaves(structure: Any) -> list[np.ndarray]:
    """The arrays of a nested structure in the order of a program's inputs."""
    return [leaf for leaf in tree.flatten(structure) if leaf is not None]


def _zeros_for(model: Any, batch_size: int) -> Any:
    """Zeros in the form of the model's inputs."""

    def zeros(tensor: Any) -> np.ndarray:
        shape = (batch_size, *(OPEN_EXTENT if d is None else d for d in tensor.shape[1:]))
        return np.zeros(shape, dtypes.numpy_dtype(tensor.dtype))

    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise ValueError("explain: the model has no known inputs yet; call it on data first, or pass x=.")
    arrays = [zeros(t) for t in inputs]
    return arrays[0] if len(arrays) == 1 else arrays


def labels_for(model: Any, outputs: list[np.ndarray]) -> Any:
    """Zeros as labels: class numbers where the loss wants them, else in the outputs' shapes."""
    loss = model.loss
    name = loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", "")
    sparse = "sparse" in str(name)
    labels = [np.zeros(o.shape[:-1], "int32") if sparse else np.zeros(o.shape, o.dtype) for o in outputs]
    return labels[0] if len(labels) == 1 else labels


def explain_program(
    graph: Graph, executable: Executable, arrays: Sequence[np.ndarray], file: Any = None
) -> list[KernelProfile]:
    """Print graph, rewritten graph and kernel table of one program; returns the figures."""
    from rich.console import Console
    from rich.table import Table

    from kcompile.kernels.peak import measure_peak

    console = Console(file=file)
    if not console.is_terminal:
        console = Console(file=file, width=WIDTH)
    count = threads()
    peak = measure_peak(count)
    kernels = profile(executable, arrays)
    _section(console, f"{graph.name}: as traced", graph_text(graph))
    _section(console, f"{graph.name}: after the passes", graph_text(pipeline.run(graph)))
    table = Table(title=f"{graph.name}: {len(kernels)} kernels", title_justify="left")
    for heading in ("#", "kernel", "what is fused into it"):
        table.add_column(heading)
    for heading in ("MFLOP", "MB", "us", "GFLOP/s", "% of peak", "GB/s"):
        table.add_column(heading, justify="right")
    core_peak = peak.gflops / count
    for number, k in enumerate(kernels):
        table.add_row(
            str(number), k.name, " ".join(k.fused), f"{k.flops / 1e6:.3f}", f"{k.bytes / 1e6:.3f}",
            f"{k.nanoseconds / 1e3:.1f}", f"{k.gflops:.1f}", f"{100 * k.gflops / core_peak:.0f}",
            f"{k.gbytes:.1f}",
        )  # fmt: skip
    console.print(table)
    total, work = sum(k.nanoseconds for k in kernels), sum(k.flops for k in kernels)
    console.print(
        f"total {total / 1e3:.1f} us of one core, {work / 1e6:.2f} MFLOP; "
        f"measured peak: {core_peak:.0f} GFLOP/s per core, {peak.gbytes:.0f} GB/s over {count} threads. "
        "FLOPs are those of the direct algorithm, so a Winograd convolution can exceed the peak."
    )
    return kernels


def _section(console: Any, title: str, text: str) -> None:
    console.rule(title, align="left")
    console.print(text, markup=False, highlight=False, soft_wrap=True)
