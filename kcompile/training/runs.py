"""Passes over data: as native calls over whole arrays, or batch by batch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import tree
from kcompile.training import interrupts
from kcompile.training.checks import check_labels
from kcompile.training.data.arrays import ArrayData
from kcompile.training.data.batches import BatchData
from kcompile.training.extents import check_equal_batches, leaves_of
from kcompile.training.programs import StepProgram

CALL_SECONDS = 0.07  # a native call should last so long: often enough for the progress bar and Ctrl-C
GROWTH = 8  # a call does at most so many times the steps of the one before


class Pace:
    """How many steps the next native call should do."""

    def __init__(self) -> None:
        self.steps = 1

    def measured(self, steps: int, seconds: float) -> None:
        """So many steps took so long."""
        fitting = int(CALL_SECONDS * steps / max(seconds, 1e-9))
        self.steps = max(1, min(fitting, self.steps * GROWTH))


class ArrayRun:
    """Training or test steps over whole arrays; each `start` is a new pass, shuffled anew.

    logs: the metrics after the last step.
    """

    def __init__(self, model: Any, kind: str, data: ArrayData, rng: np.random.Generator | None):
        self.data, self.num_batches = data, data.num_batches
        self._rng = rng if data.shuffle else None
        parts = (data.x, data.y, data.sample_weight)
        self._programs = model._training.programs
        size = min(data.batch_size, data.samples)
        check_equal_batches(model, data.samples, size)
        self._program: StepProgram = self._programs.epoch(kind, parts, self._rng is not None, size)
        check_labels(data.y, self._program.traced.label_ranges)
        self._arrays = list(data.arrays)
        self._inputs: list[np.ndarray] = []
        self._next = self.num_batches  # the step to come; before `start` there is none
        self.logs: dict[str, Any] = {}

    def start(self, limit: int | None = None) -> None:
        """Begin a pass. limit: how many steps will be asked for; nothing is read ahead here."""
        order = [] if self._rng is None else [self.data.order(self._rng)]
        self._inputs = [*self._arrays, *order]
        self._next, self.logs = 0, {}

    def close(self) -> None:
        """Nothing reads ahead."""

    def ready(self) -> bool:
        """Is there another step?"""
        return self._next < self.num_batches

    def advance(self, steps: int) -> int:
        """Up to so many steps, at least one; returns how many were done.

        Full batches are done in one native call; a shorter last one is a step by itself.
        """
        size, samples = self.data.batch_size, self.data.samples
        full = samples // size - self._next
        steps = min(steps, max(full, 1))
        self._programs.cursor.assign(np.int64(self._next * size))
        symbols = {"batch": size if full > 0 else samples - self._next * size, "samples": samples}
        executable = self._program.run
        if steps > 1:
            executable.repeat(self._inputs, symbols, steps - 1)
        self.logs = self._program.logs(executable(*self._inputs, symbols=symbols))
        self._next += steps
        return steps


class Batches:
    """The batches of one pass, one of them looked at ahead, so that the end is known in time."""

    def __init__(self, batches: Iterator[Any]):
        self._batches = batches
        self._next = next(batches, None)

    def ready(self) -> bool:
        return self._next is not None

    def take(self) -> Any:
        batch, self._next = self._next, None
        return batch

    def look_ahead(self) -> None:
        if self._next is None:
            self._next = next(self._batches, None)

    def close(self) -> None:
        """Stop whatever reads ahead."""
        if hasattr(self._batches, "close"):
            self._batches.close()


class BatchRun:
    """Training or test steps on batches from a source."""

    def __init__(self, model: Any, kind: str, data: BatchData):
        self.data, self.num_batches = data, data.num_batches
        self._kind, self._programs = kind, model._training.programs
        self._program(data.first())  # shapes and names are checked before anything begins
        self._batches = Batches(iter(()))
        self.logs: dict[str, Any] = {}

    def _program(self, batch: tuple[Any, Any, Any]) -> StepProgram:
        program: StepProgram = self._programs.batch(self._kind, batch, alone=False)
        check_labels(batch[1], program.traced.label_ranges)
        return program

    def start(self, limit: int | None = None) -> None:
        """Begin a pass, of which at most `limit` batches will be asked for."""
        self._batches.close()
        self._batches, self.logs = Batches(self.data.epoch(limit)), {}
        self.num_batches = self.data.num_batches

    def close(self) -> None:
        """No more batches are wanted."""
        self._batches.close()
        self.data.close()

    def ready(self) -> bool:
        self._batches.look_ahead()
        return self._batches.ready()

    def advance(self, steps: int) -> int:
        """Up to so many steps, at least one; returns how many were done."""
        done = 0
        while done < steps and self.ready():
            batch = self._batches.take()
            program = self._program(batch)
            outputs = program.run(*leaves_of(list(batch)))
            done += 1
        self.logs = program.logs(outputs)
        return done


class PredictRun:
    """Forward passes; `result` is what they gave, batches joined."""

    def __init__(self, model: Any, data: ArrayData | BatchData):
        self.data, self.num_batches = data, data.num_batches
        self._programs = model._training.programs
        self._batches = Batches(iter(()))
        self._outputs: list[list[np.ndarray]] = []
        self._form: Any = None
        self.logs: dict[str, Any] = {}

    def start(self, limit: int | None = None) -> None:
        """Begin a pass, of which at most `limit` batches will be asked for."""
        data = self.data
        if isinstance(data, ArrayData):
            starts = range(0, data.samples, data.batch_size)
            self._batches = Batches(data.batch(start) for start in starts)
        else:
            self._batches = Batches(data.epoch(limit))

    def ready(self) -> bool:
        self._batches.look_ahead()
        return self._batches.ready()

    def advance(self, steps: int) -> int:
        """Up to so many batches, at least one; returns how many were done."""
        done = 0
        while done < steps and self.ready():
            x = self._batches.take()[0]
            program = self._programs.predict(x)
            self._form = program.traced.result
            self._outputs.append(program.run(*leaves_of(x)))
            done += 1
        self.logs = {"outputs": tree.pack_as(self._form, self._outputs[-1])}
        return done

    def close(self) -> None:
        """No more batches are wanted."""
        self._batches.close()
        self.data.close()

    def result(self) -> Any:
        """The outputs in the form in which the model gives them.

        Raises:  ValueError if there was no batch.
        """
        if not self._outputs:
            raise ValueError("The data gave no batch to predict.")
        if len(self._outputs) == 1:
            return tree.pack_as(self._form, self._outputs[0])
        return tree.pack_as(self._form, [np.concatenate(parts) for parts in zip(*self._outputs, strict=True)])


def run_epoch(model: Any, phase: str, run: Any, callbacks: Any, limit: int | None, pace: Pace) -> int:
    """Steps until the data ends, `limit` is reached or a callback says stop; returns how many were done."""
    watched, each = callbacks.watchers(phase)
    begin, end = (getattr(callbacks, f"on_{phase}_batch_{what}") for what in ("begin", "end"))
    stop = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}[phase]
    unit = model.steps_per_execution
    step = 0
    with interrupts.noted() as check:
        while (limit is None or step < limit) and run.ready():
            steps = unit if each else max(unit, pace.steps)
            if watched:
                begin(step)
            began = time.perf_counter()
            done = run.advance(steps if limit is None else min(steps, limit - step))
            pace.measured(done, time.perf_counter() - began)
            step += done
            if watched:
                end(step - 1, run.logs)
            check()
            if getattr(model, stop):
                break
    return step
