"""A pass over data that gives the model's outputs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from kcompile.core import tree
from kcompile.training.data.arrays import ArrayData
from kcompile.training.data.batches import BatchData
from kcompile.training.data.packing import pack_x_y_sample_weight
from kcompile.training.extents import leaves_of
from kcompile.training.runs import Batches


class PredictRun:
    """Forward passes; `result` is what they gave, batches joined.

    function: a program's own in the place of ours, of a list of `steps_per_execution` batches.
    """

    done = 0

    def __init__(self, model: Any, data: ArrayData | BatchData, function: Any = None):
        self.data, self.num_batches = data, data.num_batches
        self._programs, self._function = model._training.programs, function
        self._batches = Batches()
        self._outputs: list[list[np.ndarray]] = []
        self._form: Any = None
        self._at_once = 1 if function is None else model.steps_per_execution
        self._taken = 0
        self._first = 0  # where the outputs of the last `advance` begin

    def start(self, limit: int | None = None) -> None:
        """Begin a pass, of which at most `limit` batches will be asked for."""
        data = self.data
        if isinstance(data, ArrayData):
            starts = range(0, data.samples, data.batch_size)
            self._batches = Batches(data.batch(start) for start in starts)
        else:
            self._batches = Batches(data.epoch(limit))

    def at_end(self) -> bool:
        """Is it known that there is no other batch, without looking?"""
        return self._batches.ended or (self.num_batches is not None and self._taken >= self.num_batches)

    def ready(self) -> bool:
        return self._batches.begins()

    def advance(self, steps: int) -> int:
        """Up to so many batches, at least one; returns how many were done."""
        before, self._first = self._taken, len(self._outputs)
        while self._taken < before + steps and self._batches.look_ahead():
            self._outputs.append(self._outputs_for(list(islice(self._left(), self._at_once))))
        return self._taken - before

    def _left(self) -> Iterator[Any]:
        while self._batches.look_ahead():
            self._taken += 1
            yield self._batches.take()[0]

    def _outputs_for(self, batches: list[Any]) -> list[np.ndarray]:
        if self._function is not None:  # the program's own
            found = self._function([pack_x_y_sample_weight(x) for x in batches])
            self._form = tree.map_structure(lambda _: None, found)
            return [np.asarray(one) for one in tree.flatten(found)]
        x = batches[0]
        program = self._programs.predict(x)
        outputs: list[np.ndarray] = program.run(*leaves_of(x))
        self._form = program.result  # a step that is Python knows it when it has run
        return outputs

    @property
    def logs(self) -> dict[str, Any]:
        """What the last `advance` gave."""
        return {"outputs": self._joined(self._outputs[self._first :])}

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
        return self._joined(self._outputs)

    def _joined(self, outputs: list[list[np.ndarray]]) -> Any:
        if len(outputs) == 1:
            return tree.pack_as(self._form, outputs[0])
        return tree.pack_as(self._form, [np.concatenate(parts) for parts in zip(*outputs, strict=True)])
