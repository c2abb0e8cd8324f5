"""Evaluates, predicts and saves with the moving averages of the weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kcompile.callbacks.callback import Callback
from kcompile.optimizers import averages


class SwapEMAWeights(Callback):
    """Weights and their moving averages (`use_ema=True` of the optimizer) change places for a while.

    They do for each evaluation and prediction; with `swap_on_epoch` from the end of each epoch to the
    beginning of the next, so that callbacks behind this one, such as ModelCheckpoint, save the averages.

    Raises:  ValueError, when it should swap, if the optimizer keeps no averages.
    """

    _kept = ("_swapped",)

    def __init__(self, swap_on_epoch: bool = False):
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._swapped = False

    def _optimizers(self) -> Iterator[Any]:
        """The optimizers that keep averages."""
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        several = getattr(optimizer, "optimizers", None)
        if several is not None and not any(inner.use_ema for inner in several):
            raise ValueError(
                "SwapEMAWeights must be used when at least one inner optimizer has `use_ema=True` set. "
                "Received a MultiOptimizer with all inner optimizers having `use_ema=False`."
            )
        for inner in (optimizer,) if several is None else several:
            if several is None and not (inner.use_ema and inner.built):
                raise ValueError(
                    "SwapEMAWeights must be used when `use_ema=True` is set on the optimizer. "
                    f"Received: use_ema={inner.use_ema}"
                )
            if inner.use_ema and inner.built:
                yield inner

    def _swap(self, swapped: bool) -> None:
        """Put the averages into the model, or the weights back, if that is not so already."""
        if self._swapped == swapped:
            return
        for optimizer in self._optimizers():
            for variable, average in averages.averaged(optimizer):
                weight = variable.numpy()
                variable.assign(average.numpy())
                average.assign(weight)
        self._swapped = swapped

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.swap_on_epoch:
            self._swap(False)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if not self.swap_on_epoch or self._swapped:
            return
        self._swap(True)
        if self.params is not None and epoch == self.params["epochs"] - 1:
            # the end of training copies the averages into the model: they are there already
            for optimizer in self._optimizers():
                for variable, average in averages.averaged(optimizer):
                    average.assign(variable.numpy())

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._swap(True)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self._swap(False)

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._swap(True)

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        self._swap(False)
