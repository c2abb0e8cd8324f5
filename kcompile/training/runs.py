"""Passes over data: as native calls over whole arrays, or batch by batch."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core.random_states import (
    generator_state,
    global_states,
    set_generator_state,
    set_global_states,
)
from kcompile.layers.state import unique
from kcompile.trace.variable import Variable
from kcompile.training import interrupts
from kcompile.training.checks import check_labels
from kcompile.training.data.arrays import ArrayData
from kcompile.training.data.batches import BatchData
from kcompile.training.data.history import History
from kcompile.training.eager import EagerStep
from kcompile.training.extents import check_equal_batches, leaves_of
from kcompile.training.programs import StepProgram
from kcompile.training.step import build_with_numbers, is_built, owned

CALL_SECONDS = 0.07  # a native call should last so long: often enough for the progress bar and Ctrl-C
RAN_OUT = (
    "Your input ran out of data; interrupting training. Make sure that your dataset or generator can "
    "generate at least `steps_per_epoch * epochs` batches. You may need to use the `.repeat()` function when "
    "building your dataset."
)
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

    logs: the metrics after the last step. done: steps of this epoch, as callbacks count them.
    """

    done = 0

    def __init__(self, model: Any, kind: str, data: ArrayData, rng: np.random.Generator | None):
        self.data, self.num_batches, self.kind = data, data.num_batches, kind
        self._rng = rng if data.shuffle else None
        self._before = generator_state(self._rng)
        parts = (data.x, data.y, data.sample_weight)
        self._programs = model._training.programs
        size = min(data.batch_size, data.samples)
        check_equal_batches(model, data.samples, size)
        self._of_size = lambda size: self._programs.epoch(kind, parts, self._rng is not None, size)
        self._program: StepProgram = self._of_size(size)
        check_labels(data.y, self._program.label_ranges)
        self.assigns = self._program.assigns  # does a step assign a variable?
        self._arrays = list(data.arrays)
        self._inputs: list[np.ndarray] = []
        self._next = self.num_batches  # the step to come; before `start` there is none
        self.logs: dict[str, Any] = {}

    def reset(self) -> None:
        """Nobody is told that a run begins."""

    def start(self, limit: int | None = None) -> None:
        """Begin a pass. limit: how many steps will be asked for; nothing is read ahead here."""
        self._before = generator_state(self._rng)
        order = [] if self._rng is None else [self.data.order(self._rng)]
        self._inputs = [*self._arrays, *order]
        self._next, self.logs = 0, {}

    def close(self) -> None:
        """Nothing reads ahead."""

    def changes(self) -> list[Variable]:
        """The variables that a step assigns, in the order of the trace."""
        return self._program.traced.changes()

    def position(self) -> dict[str, Any]:
        """Where the pass is, as plain data and arrays for `go_to`."""
        return {"rng": self._before, "next": self._next}

    def go_to(self, position: dict[str, Any], more: int | None, inside: bool) -> None:
        """Be where another run over the same data was."""
        set_generator_state(self._rng, position["rng"])
        self.start()
        self._next = min(int(position["next"]), self.num_batches)

    def ready(self) -> bool:
        """Is there another step?"""
        return self._next < self.num_batches

    def at_end(self) -> bool:
        """Is it known that there is none?"""
        return not self.ready()

    def advance(self, steps: int) -> int:
        """Up to so many steps, at least one; returns how many were done.

        Full batches are done in one native call; a shorter last one is a step by itself.
        """
        full = min(steps, self.data.samples // self.data.batch_size - self._next)
        if full > 0:
            self._run(full, self.data.batch_size)
        rest = self.data.samples - self._next * self.data.batch_size
        if full < steps and 0 < rest < self.data.batch_size:
            self._run(1, rest)
            return max(full, 0) + 1
        return full

    def _run(self, steps: int, size: int) -> None:
        symbols = {"batch": size, "samples": self.data.samples}
        self._programs.cursor.assign(np.int64(self._next * self.data.batch_size))
        program = self._program if self._program.size in (None, size) else self._of_size(size)
        if steps > 1:
            program.run.repeat(self._inputs, symbols, steps - 1)
        self.logs = program.logs(program.run(*self._inputs, symbols=symbols))
        self._next += steps


class Batches:
    """The batches of one pass, one of them looked at when it is asked for. None: a pass that has ended."""

    def __init__(self, batches: Iterator[Any] | None = None):
        self._batches = iter(()) if batches is None else batches
        self._next: Any = None
        self.ended = batches is None  # an execution found nothing to begin with, as Keras notices it

    def begins(self) -> bool:
        """Is there a batch to begin an execution with? Where there is none, the pass has ended."""
        self.ended = not self.look_ahead()
        return not self.ended

    def take(self) -> Any:
        batch, self._next = self._next, None
        return batch

    def look_ahead(self) -> bool:
        """Is there another batch?"""
        if self._next is None:
            self._next = next(self._batches, None)
        return self._next is not None

    def close(self) -> None:
        """Stop whatever reads ahead."""
        if hasattr(self._batches, "close"):
            self._batches.close()


class BatchRun:
    """Training or test steps on batches from a source. rng: what the source draws its order from, if
    anything.
    """

    done = 0

    def __init__(self, model: Any, kind: str, data: BatchData, rng: np.random.Generator | None = None):
        self.data, self.num_batches = data, data.num_batches
        self.kind, self._programs, self._rng = kind, model._training.programs, rng
        self._model, self._in_python, self._can_trace = model, model.run_eagerly, True
        self._latest: Any = None  # program
        self._looked = not data.has_hooks or not is_built(model)  # a data set hears of each look, as in Keras
        if self._looked:
            self._look(data.first())
        if kind == "test":  # every validation is a run
            data.resets_from = 2 * self._looked
        self._batches = Batches()
        self._taken = self._steps = 0  # of this pass
        self._before: dict[str, Any] = {}
        self.logs: dict[str, Any] = {}

    def _look(self, first: tuple[Any, Any, Any]) -> None:
        """Check the first batch before anything begins."""
        self._program(first)

    def _program(self, batch: tuple[Any, Any, Any]) -> StepProgram | EagerStep:
        self._latest = self._programs.batch(self.kind, batch, alone=False)
        return self._latest

    def changes(self) -> list[Variable]:
        """The variables that a step assigns, known before there is one: those of its trace, and where a step
        is Python, whatever the model owns.
        """
        if not self._in_python:
            return self._some_program().traced.changes()
        return unique([*self._traced_changes(), *owned(self._model)])

    def _may_look(self) -> bool:
        """May our step be traced to see what it changes?"""
        return self._can_trace

    def _traced_changes(self) -> list[Variable]:
        if self._may_look():
            try:
                return self._some_program().traced.changes()
            except Exception:  # Python that needs numbers, or data that our step does not fit
                self._can_trace = False
        if not is_built(self._model):
            build_with_numbers(self._model, self.data.first(tell=False))
        return []

    def assigns(self, variable: Variable) -> bool:
        """Does a step assign it?"""
        return self._some_program().assigns(variable)

    def _some_program(self) -> StepProgram | EagerStep:
        return self._latest or self._program(self.data.first(tell=False))

    def reset(self) -> None:
        """A run begins. The look at the first batch was the first one's beginning."""
        if not self._looked:
            self.data.reset()
        self._looked = False

    def start(self, limit: int | None = None) -> None:
        """Begin a pass, of which at most `limit` batches will be asked for."""
        self._batches.close()
        self._before = {**self._place(), "random": global_states()}
        self._taken = self._steps = 0
        self._batches, self.logs = Batches(self.data.epoch(limit)), {}
        self.num_batches = self.data.num_batches

    def close(self) -> None:
        """No more batches are wanted."""
        self._batches.close()
        self.data.close()

    def _place(self) -> dict[str, Any]:
        data = self.data
        return {"place": data.place(), "history": len(data.history), "rng": generator_state(self._rng)}

    def position(self) -> dict[str, Any]:
        """Where the pass is, as plain data and arrays for `go_to`."""
        fresh = self.at_end() or not self._steps
        taken, steps = (0, 0) if fresh else (self._taken, self._steps)
        where = {**(self._place() if fresh else self._before), "taken": taken, "steps": steps}
        return {**where, "passes": self.data.passes, "states": self.data.history.states()}

    def go_to(self, position: dict[str, Any], more: int | None, inside: bool) -> None:
        """Be where another run over the same data was: its batches up to there are made again, and dropped.

        more: how many will be asked for. inside: the epoch has begun.
        """
        states, taken, steps = position["states"], int(position["taken"]), int(position["steps"])
        began_here = position["passes"] == position["place"][0]
        before = History(states[: position["history"]])
        self.data.catch_up(position["place"], before, begin=inside and began_here)
        set_generator_state(self._rng, position["rng"])
        if steps:
            set_global_states(position["random"])
            self.start(None if more is None else taken + more)
            while self._taken < taken and self.ready():
                self._take()
            self._steps = steps
        if not began_here:
            self.data.pass_by(position["passes"], History(states), begin=inside)

    def at_end(self) -> bool:
        """Is it known that there is no other step, without looking?"""
        return self._batches.ended or (self.num_batches is not None and self._steps >= self.num_batches)

    def _take(self) -> Any:
        self._taken += 1
        return self._batches.take()

    def ready(self) -> bool:
        return self._batches.begins()

    def advance(self, steps: int) -> int:
        """Up to so many steps, at least one; returns how many were done."""
        done = 0
        while done < steps and self._batches.look_ahead():
            batch = self._take()
            program = self._program(batch)
            outputs = program.run(*leaves_of(list(batch)))
            done += 1
        self._steps += done
        self.logs = program.logs(outputs)
        return done


def whole_executions(model: Any, steps: int | None) -> int | None:
    """So many steps, or more: `steps_per_execution` of them are never parted, as in Keras."""
    unit = model.steps_per_execution
    return None if steps is None else -(-steps // unit) * unit


def run_epoch(model: Any, phase: str, run: Any, callbacks: Any, limit: int | None, pace: Pace) -> int:
    """Steps until the data ends, `limit` is reached or a callback says stop; returns how many there were.

    They are counted in whole executions: where the data ends inside of one, callbacks see its full number.
    """
    watched, each = callbacks.watchers(phase)
    begin, end = (getattr(callbacks, f"on_{phase}_batch_{what}") for what in ("begin", "end"))
    stop = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}[phase]
    unit = model.steps_per_execution
    step = run.done
    limit = whole_executions(model, limit)
    with interrupts.noted() as check:
        while limit is None or step < limit:
            if run.at_end():
                break
            if watched:  # a batch begins before anybody sees whether there is one, as in Keras
                begin(step)
            if not run.ready():
                break
            stopped = getattr(model, stop)  # by a hook that came before the first batch, which is done
            steps = unit if each or stopped else unit * max(1, pace.steps // unit)
            began = time.perf_counter()
            done = run.advance(steps if limit is None else min(steps, limit - step))
            if not done:  # a function of the program's own wanted a batch more than there was
                break
            pace.measured(done, time.perf_counter() - began)
            step += -(-done // unit) * unit
            run.done = step
            if watched:
                end(step - 1, run.logs)
            check()
            if getattr(model, stop):
                break
    return step


def warn_of_shortage(done: int, expected: int | None, stacklevel: int) -> None:
    """A warning where the data ended before `expected` steps, or where nobody knew when it would."""
    if not done or expected is None or done < expected:
        warnings.warn(RAN_OUT, stacklevel=stacklevel)
