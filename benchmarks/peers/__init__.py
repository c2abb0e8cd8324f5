"""Adapters: each builds a task's model with one library and says how that library trains and predicts.

``open_session(contender, task, threads)`` returns a ``Session``; a task is a workload or a kernel case.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

Chunk = Callable[[], int]
"""Runs some training steps, waits for them to be finished, returns how many they were."""

Call = Callable[[], object]
"""Does the work once and waits for the result."""


class Session(Protocol):
    """A library ready to be measured on one task.

    Measures of a model: ``train`` (a step), ``predict`` (``Model.predict`` of one sample), ``call`` (one
    sample by the fastest call that the library has), ``throughput`` (the same with the workload's ``many``).
    Measure of a kernel: ``kernel``. A library may have several ways (``fit`` or ``train_on_batch``, one
    memory layout or another): each is a variant, and the fastest counts.
    """

    def versions(self) -> dict[str, str]: ...

    def variants(self, measure: str) -> tuple[str, ...]:
        """The ways this library has to do what a measure asks for; none if it cannot."""
        ...

    def runner(self, measure: str, variant: str) -> Chunk | Call:
        """From first weights: a ``Chunk`` for ``train``, a ``Call`` for all other measures."""
        ...

    def sample(self) -> list[float]:
        """Some outputs under the first weights: the proof that all contenders compute the same."""
        ...


class Trainer(Session, Protocol):
    """A session that has variants of ``train``."""

    def outputs(self, variant: str) -> np.ndarray:
        """Of the first batch, behind the last activation, by the model that a variant has trained."""
        ...

    def losses(self) -> list[float]:
        """The loss of each step of an epoch in order, from the first weights: the proof that steps agree."""
        ...

    def first_step(self) -> None:
        """One training step, as a user's program runs it first."""
        ...
