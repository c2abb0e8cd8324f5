"""What compilation costs against a network's depth: calls of functions, stage by stage, and kernels."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kcompile
from kcompile import layers
from kcompile.codegen import cpu
from kcompile.passes import pipeline
from kcompile.runtime.program import Program
from kcompile.schedule.plan import plan_graph

DEPTHS = (3, 6, 12)


def calls(function: Callable[[], Any]) -> tuple[int, Any]:
    """How many calls of functions a piece of work makes, and its result."""
    profile = cProfile.Profile()
    result = profile.runcall(function)
    return pstats.Stats(profile).total_calls, result  # type: ignore[attr-defined]


def convolutions(y: Any) -> Any:
    h = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(y))
    return layers.ReLU()(layers.Add()([y, h]))


def rows(y: Any) -> Any:
    h = layers.Dense(8, activation="gelu")(layers.LayerNormalization()(y))
    return layers.Add()([y, h])


def network(block: Callable[[Any], Any], depth: int) -> kcompile.Model:
    kcompile.utils.set_random_seed(1)
    x = y = kcompile.Input((8, 8, 8))
    for _ in range(depth):
        y = block(y)
    y = layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(y))
    model = kcompile.Model(x, y)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def compiled(block: Callable[[Any], Any], depth: int) -> tuple[dict[str, int], set[str]]:
    """The calls of each stage, and the keys of the kernels of a training step."""
    model = network(block, depth)
    batch = (np.zeros((2, 8, 8, 8), "float32"), np.zeros(2, "int32"), None)
    found: dict[str, int] = {}
    found["trace"], step = calls(lambda: model._training.programs.batch("train", batch).traced.graph)
    found["passes"], graph = calls(lambda: pipeline.run(step))
    found["plan"], plan = calls(lambda: plan_graph(graph, cpu.target()))
    found["source"], listing = calls(lambda: cpu.listing(plan))
    sources = listing.sources()
    arrays = {v.leaf: v.array for v in step.variables.values()}
    program = Program(listing, [0] * len(sources), arrays, plan)
    found["bind"], _ = calls(lambda: program.bind({"batch": 2}))
    return found, {source.key for source in sources}


@pytest.mark.slow
@pytest.mark.parametrize("block", [convolutions, rows])
def test_compilation_grows_with_distinct_layers_not_with_depth(block):
    compiled(block, 2)  # imports, caches, and what a process does once
    found = {depth: compiled(block, depth) for depth in DEPTHS}
    few, some, many = (found[depth] for depth in DEPTHS)
    assert some[1] == many[1]  # more layers of the same kinds, the same kernels
    for stage in few[0]:
        first, second = some[0][stage] - few[0][stage], many[0][stage] - some[0][stage]
        # Twice as many layers were added the second time; what grows with the square makes 4 times the calls.
        assert second <= 2.6 * first, f"{stage}: {few[0][stage]}, {some[0][stage]}, {many[0][stage]} calls"
