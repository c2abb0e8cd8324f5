"""Dropout in cells: masks that are drawn once and serve for all steps of a sequence."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.ops import random
from kcompile.trace import tracer
from kcompile.trace.seed_generator import SeedGenerator


class DropoutRNNCell:
    """Mixin of cells with the attributes `dropout`, `recurrent_dropout` and `seed_generator`.

    A mask is drawn when it is first asked for and kept until it is reset, or until another trace begins. With
    the attribute `dropout_mask_count`, a mask is a list of so many: one for each gate.
    """

    dropout: float
    recurrent_dropout: float
    seed_generator: SeedGenerator

    def get_dropout_mask(self, step_input: Any) -> Any:
        """Factors for the inputs of a step, or None without dropout."""
        return self._mask("inputs", step_input, self.dropout)

    def get_recurrent_dropout_mask(self, step_input: Any) -> Any:
        """Factors for the state, or None without recurrent dropout."""
        return self._mask("states", step_input, self.recurrent_dropout)

    def reset_dropout_mask(self) -> None:
        self._masks.pop("inputs", None)

    def reset_recurrent_dropout_mask(self) -> None:
        self._masks.pop("states", None)

    def draw_dropout_masks(self, step_input: Any, states: Any) -> None:
        """Draw what the steps will ask for."""
        self.get_dropout_mask(step_input)
        self.get_recurrent_dropout_mask(states[0] if isinstance(states, (list, tuple)) else states)

    def reset_dropout_masks(self) -> None:
        self._masks.clear()

    @property
    def _masks(self) -> dict[str, tuple[Any, Any]]:
        return self.__dict__.setdefault("_drawn_masks", {})  # not an attribute of the layer: no change of it

    def _mask(self, what: str, like: Any, rate: float) -> Any:
        if rate <= 0:
            return None
        trace, mask = self._masks.get(what, (None, None))
        if mask is None or trace is not tracer.active():
            count = getattr(self, "dropout_mask_count", None)
            drawn = [self._draw(like, rate) for _ in range(count or 1)]
            mask = drawn if count else drawn[0]
            self._masks[what] = (tracer.active(), mask)
        return mask

    def _draw(self, like: Any, rate: float) -> Any:
        return random.dropout(self.seed_generator.next(), ops.ones(like.shape, like.dtype), rate)
