"""`make_train_function` and its like: a step as a function of an iterator of batches, and what `fit` does
where a program puts its own in the place of ours.

The functions are those of Keras on TensorFlow and PyTorch: those of JAX take and return the whole state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from kcompile.callbacks.callback_list import pythonify_logs
from kcompile.core import tree
from kcompile.trace.variable import Variable
from kcompile.training.data.arrays import ArrayData
from kcompile.training.data.batches import BatchData, arrays_of, batches_of_arrays
from kcompile.training.data.packing import pack_x_y_sample_weight, unpack_x_y_sample_weight
from kcompile.training.eager import EagerStep
from kcompile.training.extents import leaves_of
from kcompile.training.programs import StepProgram
from kcompile.training.runs import ArrayRun, BatchRun


class StepFunction:
    """`steps_per_execution` steps on the next batches of an iterator, or those of a list: the logs after the
    last, or the outputs, joined.

    Raises:  StopIteration where there is no batch.
    """

    def __init__(self, model: Any, kind: str):
        self._model, self._kind = model, kind

    def __call__(self, batches: Any) -> Any:
        found = [self._step(batch) for batch in islice(iter(batches), self._model.steps_per_execution)]
        if not found:
            raise StopIteration
        if self._kind != "predict":
            return found[-1]
        parts = zip(*map(tree.flatten, found), strict=True)
        return tree.pack_as(found[0], [np.concatenate(part) for part in parts])

    def _step(self, batch: Any) -> Any:
        x, y, weight = unpack_x_y_sample_weight(batch)
        x = arrays_of(self._model._on_host(x), "x")
        if self._kind == "predict":
            program = self._model._training.programs.predict(x)
            return tree.pack_as(program.result, program.run(*leaves_of(x)))
        data = x, arrays_of(y, "y"), arrays_of(weight, "sample_weight")
        program = self._model._training.programs.batch(self._kind, data, alone=False)
        return program.logs(program.run(*leaves_of(list(data))))


def own_function(model: Any, kind: str) -> Callable[[Any], Any] | None:
    """What a program put in the place of our step, by overriding `make_train_function` or by assigning
    `train_function`; None where it is ours.
    """
    getattr(model, f"make_{kind}_function")()
    function: Any = getattr(model, f"{kind}_function")
    if not callable(function):
        raise ValueError(
            f"{type(model).__name__}.make_{kind}_function() must set `self.{kind}_function` to a function of "
            f"an iterator of batches. Received: {function!r}"
        )
    return None if isinstance(function, StepFunction) else function


def logs_of(function: Callable[[Any], Any], batches: Iterator[Any], kind: str) -> dict[str, Any]:
    """What a program's own function returns for batches.

    Raises:  ValueError for anything but a dict of logs.
    """
    logs = function(batches)
    if not isinstance(logs, dict):
        raise ValueError(f"`{kind}_function` must return a dict of logs. Received: {type(logs).__name__}")
    return pythonify_logs(logs)


class FunctionRun(BatchRun):
    """Steps by a function of a program's own, which takes as many batches as it likes from the pass.

    As in Keras, a call counts as `steps_per_execution` steps, of which a pass has as many as it has batches.
    """

    def __init__(self, function: Callable[[Any], Any], model: Any, kind: str, data: BatchData, rng: Any):
        super().__init__(model, kind, data, rng)
        self._function, self._in_python = function, True
        self._assigned: set[Variable] = set()  # of the metrics' variables

    def start(self, limit: int | None = None) -> None:
        super().start()  # nobody knows how many batches the calls will take

    def position(self) -> dict[str, Any]:
        numbers = [k for k, v in enumerate(self._model.metrics_variables) if v in self._assigned]
        return {**super().position(), "assigned": numbers}

    def go_to(self, position: dict[str, Any], more: int | None, inside: bool) -> None:
        super().go_to(position, more, inside)
        variables = enumerate(self._model.metrics_variables)
        self._assigned.update(v for k, v in variables if k in position["assigned"])

    def _look(self, first: tuple[Any, Any, Any]) -> None:
        """Our step may not be what it does, and need not fit the data."""
        self._programs.used.pop(self.kind, None)

    def _may_look(self) -> bool:
        """An optimizer without slots has done no step of ours, and gets none by being looked at."""
        optimizer = self._model.optimizer
        return super()._may_look() and (optimizer is None or optimizer.built)

    def _some_program(self) -> StepProgram | EagerStep:
        used = self._programs.used.get(self.kind)
        if used is not None:
            return used
        found = super()._some_program()
        self._programs.used.pop(self.kind, None)  # looked at, not used
        return found

    def assigns(self, variable: Variable) -> bool:
        """Has a call assigned this variable of a metric?"""
        return variable in self._assigned

    def _left(self) -> Iterator[Any]:
        while self._batches.look_ahead():
            yield pack_x_y_sample_weight(*self._take())

    def _held(self) -> dict[Variable, bytes]:
        return {v: v.array.tobytes() for v in self._model.metrics_variables}

    def advance(self, steps: int) -> int:
        """As in Keras, a call that meets the end of the data ends epoch and pass, and does not count."""
        before = self._held()
        self._steps += self._model.steps_per_execution
        try:
            self.logs = logs_of(self._function, self._left(), self.kind)
        except StopIteration:
            self._batches.ended = True
            return 0
        finally:  # whoever does it: a step of ours, compiled or called by hand, or the program's own Python
            self._assigned.update(v for v, value in self._held().items() if before.get(v) != value)
        return 1


def open_run(model: Any, kind: str, data: ArrayData | BatchData, rng: Any = None) -> ArrayRun | BatchRun:
    """What goes over the data: in native calls over whole arrays where Python has nothing to do between."""
    function = own_function(model, kind)
    if isinstance(data, ArrayData):
        if function is None and not model.run_eagerly:
            return ArrayRun(model, kind, data, rng)
        data = batches_of_arrays(data, rng)
    return (
        BatchRun(model, kind, data, rng)
        if function is None
        else FunctionRun(function, model, kind, data, rng)
    )
