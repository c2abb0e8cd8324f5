"""Traced and compiled steps of a model, kept as long as they fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from kcompile.core import comparisons, config, tree
from kcompile.core.lazy import lazy
from kcompile.core.symbolic import Int
from kcompile.ir.types import Shape
from kcompile.layers import state
from kcompile.trace.present_extents import present_batch
from kcompile.trace.tracer import suspended
from kcompile.trace.variable import Variable
from kcompile.training import step as steps
from kcompile.training.checks import check_batch, check_labels, check_lengths, different_lengths_told
from kcompile.training.eager import EagerProgram, EagerStep, eager_prediction
from kcompile.training.extents import (
    BATCH,
    closed_dimensions,
    has_fixed_batch,
    leaves_of,
    open_data,
    open_dimensions,
)
from kcompile.training.step import StepGraph, Structure


class StepProgram:
    """A traced step; machine code is made when it first runs. size: of the only batches that it takes."""

    def __init__(self, traced: StepGraph):
        self.traced = traced
        self.label_ranges, self.result = traced.label_ranges, traced.result
        self.size: int | None = None
        self.listed: list[str] | None = None  # names of the logs, in the order in which a list gives them

    @lazy
    def run(self) -> Any:
        """The executable: called with arrays it returns the outputs, `repeat` runs it many times."""
        from kcompile.compiler import compile_graph  # here, because it loads the code generator

        with suspended():  # a tape around it would record what the compiler compares
            return compile_graph(self.traced.graph)

    def assigns(self, variable: Variable) -> bool:
        """Does the step assign it?"""
        return variable.leaf in self.traced.graph.assignments

    def logs(self, outputs: list[np.ndarray]) -> dict[str, Any]:
        """The graph's outputs as logs."""
        return steps.nested_logs(self.traced.names, self.traced.within, outputs)


def _start_ahead() -> None:
    """Code generation needs a while until it is ready: long enough to trace a step."""
    from kcompile.runtime.kernels import start_ahead  # here, because it loads LLVM

    start_ahead()


class _DependsOnExtentsError(Exception):
    """The user's code asks what an open dimension is (`x.shape[0] == 3`), and may do something else then."""


class Programs:
    """The steps of one model by kind and by dtypes and shapes of the data.

    Whenever a layer has changed anywhere, a step is traced again before it is used; it keeps its machine
    code if the trace is the same.
    """

    def __init__(self, model: Any):
        self._model = model
        self._known: dict[Any, tuple[Any, StepProgram]] = {}
        self._refused: dict[Any, Any] = {}  # steps too open to be traced, with the version of that time
        self._fixed: tuple[int, bool] = (-1, False)
        self.used: dict[str, StepProgram | EagerStep] = {}  # the last one for a batch, by kind
        self.cursor = Variable(np.zeros((), np.int64), dtype="int64", trainable=False, name="cursor")

    def version(self) -> tuple[Any, ...]:
        """Changes whenever a step may have to be another."""
        training = self._model._training
        optimizer = training.optimizer
        return (
            state.version(),
            training.compiled_times,
            -1 if optimizer is None else optimizer.version,
            config.current().target,
        )

    def _get(self, key: Any, size: int, make: Callable[[], StepGraph], is_open: bool) -> StepProgram:
        """The program of this key, traced if need be. size: of the batch that asks for it.

        Raises:  _DependsOnExtentsError where is_open and the user's code looks at what an open dimension is.
        """
        version = self.version()
        known = self._known.get(key)
        if known is not None and known[0] == version:
            return known[1]
        _start_ahead()
        with present_batch(size), comparisons.watched() as asking:
            traced = make()
        if is_open and asking - {"kcompile"}:
            raise _DependsOnExtentsError(f"looked at by {', '.join(sorted(asking - {'kcompile'}))}")
        program = known[1] if known is not None else None
        version = self.version()  # a first trace builds layers
        if program is None or not program.traced.same_as(traced):
            program = StepProgram(traced)
        self._known[key] = (version, program)
        return program

    def batch(
        self, kind: str, data: tuple[Structure, Structure, Structure], alone: bool = True
    ) -> StepProgram | EagerStep:
        """A training or test step ("train", "test") on a batch (x, y, sample_weight).

        alone: its metrics are those of the batch; else they go on from those of earlier batches.

        Raises:  ValueError for arrays that do not fit together, and for labels out of range.
        """
        check_batch(*data)

        def program() -> StepProgram:
            return self._step(
                (kind, alone), data, len(leaves_of(list(data))[0]),
                lambda shapes: steps.trace_batch(self._model, kind, data, shapes, alone),
            )  # fmt: skip

        if self._model.run_eagerly:
            self.used[kind] = EagerStep(self._model, kind, data, alone, lambda: program().traced)
        else:
            with different_lengths_told(*data):
                self.used[kind] = program()
        check_labels(data[1], self.used[kind].label_ranges)
        return self.used[kind]

    def epoch(
        self, kind: str, data: tuple[Structure, Structure, Structure], shuffled: bool, size: int
    ) -> StepProgram:
        """A training or test step on the next rows of whole arrays. size: how many, where layers have to know
        it.
        """
        return self._step(
            ("epoch", kind, shuffled), data, size,
            lambda shapes: steps.trace_epoch(self._model, kind, data, shapes, self.cursor, shuffled),
        )  # fmt: skip

    def _step(self, key: Any, data: Any, size: int, make: Callable[[list[Shape]], StepGraph]) -> StepProgram:
        """A step for lengths that are open where the model leaves them open, or for these lengths only, if a
        loss or metric needs to know them.
        """
        shapes = open_data(self._model, data, self.batch_dimension(size))
        return self.open_or_closed(key, list(data), shapes, size, make)

    def open_or_closed(
        self, key: Any, data: Any, shapes: list[Shape], size: int, make: Callable[[list[Shape]], StepGraph]
    ) -> StepProgram:
        """The program of make(shapes), the dimensions as open as the user's code allows: else those of the
        data's own extents, else for batches of this size alone, as a constant with so many rows needs it, or
        a comparison with this size.
        """
        failed: list[Any] = []
        errors: list[Exception] = []
        attempts = list(_ever_less_open(data, shapes, size))
        for attempt in attempts:
            name = (*key, spec(data, attempt))
            if self._refused.get(name) == self.version():
                continue
            try:
                is_open = attempt is not attempts[-1]
                program = self._get(name, size, lambda known=attempt: make(known), is_open)  # type: ignore[misc]
            except Exception as error:  # if it is the user's mistake, it comes again, with numbers
                failed.append(name)
                errors.append(error)
                continue
            for refused, reason in zip(failed, errors, strict=True):
                self._refused[refused] = self.version()
                if config.debugs("trace"):
                    print(f"--- trace\n{key[0]}: less open, for {type(reason).__name__}: {reason}")
            if isinstance(attempt[0][0], int):
                program.size = size
            return program
        met = errors[-2:] if not isinstance(shapes[0][0], int) else errors[-1:]  # with symbols, if possible
        raise next(e for e in met if not isinstance(e, _DependsOnExtentsError))

    def batch_dimension(self, size: int) -> int | Int:
        """The batch's dimension in traces: its size only where layers have to know it, and of no samples."""
        if self._fixed[0] != state.version():
            self._fixed = (state.version(), has_fixed_batch(self._model))
        return size if self._fixed[1] or size == 0 else BATCH

    def predict(self, x: Structure) -> StepProgram | EagerProgram:
        """The outputs for a batch. Dimensions that the model leaves open are known only when the program
        runs, unless layers need to know them: an image that is halved and doubled again must be even.
        """
        leaves = leaves_of(x)
        if not leaves:
            check_lengths(x, None, None)
        if self._model.run_eagerly:
            return eager_prediction(self._model, x)
        size = len(leaves[0])
        with different_lengths_told(x):
            shapes = open_dimensions(x, self._model._placeholders(x), self.batch_dimension(size))
            return self.open_or_closed(
                ("predict",), x, shapes, size, lambda known: steps.trace_predict(self._model, x, known)
            )


def spec(structure: Structure, shapes: Sequence[Shape]) -> Any:
    """Form, dtypes and shapes for tracing, as a hashable value."""
    leaves = leaves_of(structure)
    if isinstance(structure, np.ndarray):
        return structure.dtype, shapes[0]
    form = repr(tree.map_structure(lambda leaf: leaf is None, structure))  # keys of dicts, order of lists
    return form, tuple((leaf.dtype, shape) for leaf, shape in zip(leaves, shapes, strict=True))


def _ever_less_open(data: Any, shapes: list[Shape], size: int) -> Iterator[list[Shape]]:
    """Shapes to try: as given, with the data's own extents behind the batch, with its size, too."""
    yield shapes
    closed = closed_dimensions(data, shapes)
    if closed != shapes:
        yield closed
    if not isinstance(shapes[0][0], int):
        yield closed_dimensions(data, shapes, size)
