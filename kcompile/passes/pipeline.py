"""The list of passes, in order; each can be skipped by name, and is dumped and timed on request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kcompile.core import config
from kcompile.core.timing import timed
from kcompile.ir.graph import Graph
from kcompile.ir.text import dump
from kcompile.ir.verify import verify
from kcompile.passes import algebra, crop, decompose, factors, fold, loops, masks, ordered, padded, widen


@dataclass(frozen=True)
class Pass:
    """A named rewrite of a whole graph. Required ones are not skipped by KCOMPILE_NOOPT."""

    name: str
    run: Callable[[Graph], Graph]
    required: bool = False


PIPELINE = [
    Pass("decompose", decompose.run, required=True),  # composites -> primitives
    Pass("loops", lambda graph: loops.run(graph, run), required=True),  # bodies pass through this list, too
    Pass("widen", widen.run),  # contractions of two-byte floats -> float32 and a cast
    Pass("fold", fold.run),  # constant subgraphs -> constants
    Pass("algebra", algebra.run),  # local rules that keep every bit
    Pass("factors", factors.run),  # what is the same along a sum's axes leaves the sum
    Pass("crop", crop.run),  # what is cut off of a contraction is not computed
    Pass("masks", masks.run),  # what is masked twice is masked by a value's sign
    Pass("padded", padded.run),  # what has a padded copy is read there
    Pass("ordered", ordered.run),  # copies are stored in the order in which contractions read them
]


def run(graph: Graph, passes: list[Pass] | None = None) -> Graph:
    """The graph after all passes."""
    settings = config.current()
    skipped = set(settings.skip.split(","))
    _check(graph, "traced")
    for one in PIPELINE if passes is None else passes:
        if one.name in skipped or (settings.noopt and not one.required):
            continue
        with timed(f"pass {one.name}"):
            graph = one.run(graph)
        _check(graph, one.name)
    return graph


def _check(graph: Graph, stage: str) -> None:
    """What happens after every stage: the graph is shown where that is asked for, and verified."""
    dump(graph, stage)
    if config.current().verify:
        verify(graph, stage)
