"""`run_eagerly`: a step is Python on every batch, and each of its values has numbers to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kcompile.core import tree
from kcompile.core.lazy import lazy
from kcompile.trace.recording import recorded
from kcompile.trace.variable import Variable
from kcompile.training import step as steps
from kcompile.training.data.packing import pack_x_y_sample_weight
from kcompile.training.step import StepGraph, Structure, nested_logs


class EagerProgram:
    """In the place of a `StepProgram`: `run` takes a batch's arrays and returns the outputs."""

    size = None
    label_ranges = ()  # labels are looked at in the step itself: losses are resolved there

    def __init__(self, function: Callable[[Structure], Any], form: Structure):
        self._function, self._form = function, form
        self._assigned: set[Variable] | None = None
        self.result: Structure = None
        self.listed: list[str] | None = None

    def run(self, *arrays: np.ndarray) -> list[np.ndarray]:
        given = iter(arrays)
        data = tree.map_structure(lambda leaf: None if leaf is None else next(given), self._form)
        result, self._assigned = recorded(self._function, data)
        self.result = tree.map_structure(lambda _: None, result)
        return tree.flatten(result)


class EagerStep(EagerProgram):
    """A training or test step; with `alone` its metrics forget earlier batches.

    trace: makes the step's graph, for whoever wants to know before a run what it will assign.
    """

    def __init__(self, model: Any, kind: str, data: Structure, alone: bool, trace: Callable[[], StepGraph]):
        def run(given: Structure) -> list[Any]:
            if alone:
                model.reset_metrics()
            self._notes = steps.Notes()
            return steps.run_step(model, kind, steps.default_float(given), self._notes)

        super().__init__(run, list(data))
        self._trace = trace

    @lazy
    def traced(self) -> StepGraph:
        return self._trace()

    def assigns(self, variable: Variable) -> bool:
        """Did the last run assign it, or will the first one?"""
        if self._assigned is None:
            return variable.leaf in self.traced.graph.assignments
        return variable in self._assigned

    def logs(self, outputs: list[np.ndarray]) -> dict[str, Any]:
        return nested_logs(self._notes.names, self._notes.within, outputs)


def eager_prediction(model: Any, x: Structure) -> EagerProgram:
    """The outputs for a batch."""
    return EagerProgram(
        lambda given: model.predict_step(pack_x_y_sample_weight(steps.default_float(given))), x
    )
