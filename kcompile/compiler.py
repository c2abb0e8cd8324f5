"""From graph to executable: the whole pipeline on one page."""

from __future__ import annotations

from typing import Any

from kcompile.core import config
from kcompile.ir.graph import Graph


def compile_graph(graph: Graph) -> Any:
    """An executable for a graph.

    It is called with one array per graph input, binds symbolic dimensions from their shapes (or from `symbols=`), returns
    the outputs as new arrays, and writes assigned variables in place. `repeat(arrays, symbols, steps)` runs it many times in one native call.
    """
    if config.current().target == "reference":
        from kcompile.runtime.reference import ReferenceExecutable

        return ReferenceExecutable(graph)
    raise NotImplementedError(config.current().target)
