"""Listings on disk: a program that was compiled before starts without passes, plan and code generation.

A listing is stored in the object cache under what decides it: the graph, the settings, the machine, and the
compiler's own files. It holds no code: kernels are named by the keys of their objects.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

import kcompile
from kcompile.codegen.listing_text import dumps, loads
from kcompile.codegen.source import host_fingerprint
from kcompile.codegen.spec import Listing, flat
from kcompile.core import config
from kcompile.ir.fingerprint import Unfit, fingerprint, variables_in_order
from kcompile.ir.graph import Graph, Value
from kcompile.ir.traits import Leaf
from kcompile.kernels.host import MOST_CORES, host
from kcompile.runtime.cache import default_cache

WORTH_KEEPING = 64  # nodes of a traced graph; a smaller one is planned as fast as it is read
LARGEST = 4 << 20  # bytes of constants in a listing: reading more would take as long as planning
_COMPILER = ("autograd", "codegen", "core", "ir", "kernels", "ops", "passes", "runtime", "schedule")


def key_of(graph: Graph) -> str | None:
    """The key of a graph's listing; None where it is not kept: a small graph, one with an op of a user's own,
    without a cache, or where someone wants to see the compiler at work.
    """
    settings = config.current()
    shown = any(config.debugs(topic) for topic in ("trace", "graph", "plan", "kernels", "source"))
    if shown or settings.dump or settings.verify or settings.check or settings.poison:
        return None
    if not default_cache().is_on or len(graph.nodes()) < WORTH_KEEPING:
        return None
    # What decides how a program is cut, not who runs it.
    settings = replace(settings, debug="", num_threads=0, flush_subnormals=False)
    machine = replace(host(), cores=min(host().cores, MOST_CORES))  # sizes of caches, for one
    try:
        parts = [
            fingerprint(graph),
            repr(settings),
            repr(machine),
            host_fingerprint(),
            _compiler(),
            np.__version__,
        ]
    except Unfit:
        return None
    return "listing " + hashlib.sha256("\0".join(parts).encode()).hexdigest()


def find(key: str | None, graph: Graph) -> Listing | None:
    """The listing under this key, in terms of this graph's inputs and variables."""
    data = None if key is None else default_cache().get(key)
    if data is None:
        return None
    return loads(data, _given(graph))


def keep(key: str | None, graph: Graph, listing: Listing) -> None:
    """Store a listing for `find` in later processes."""
    if key is not None and _constant_bytes(listing) <= LARGEST:
        default_cache().put(key, dumps(listing, _given(graph)))


def _constant_bytes(listing: Listing) -> int:
    held = {v for spec in flat(listing.specs) for v in spec.buffers if v.op.leaf is Leaf.CONSTANT}
    return sum(v.node.attrs["value"].array.nbytes for v in held)


def _given(graph: Graph) -> list[Value]:
    return [*graph.inputs, *variables_in_order(graph)]


@cache
def _compiler() -> str:
    """Digest of all that turns graphs into listings."""
    found = hashlib.sha256()
    for root in kcompile.__path__:
        for folder in _COMPILER:
            for path in sorted(Path(root, folder).rglob("*.py")):
                found.update(path.read_bytes())
    return found.hexdigest()
