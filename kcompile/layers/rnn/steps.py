"""Runs one step of a cell over all steps of a sequence: every recurrent layer is this function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcompile import ops
from kcompile.core import tree

Step = Callable[[Any, Any], tuple[Any, Any]]


def run_steps(
    cell_step: Step,
    sequences: Any,
    states: Any,
    mask: Any = None,
    *,
    go_backwards: bool = False,
    zero_output_for_mask: bool = False,
    return_sequences: bool = True,
    held: Any = None,
) -> tuple[Any, Any, Any]:
    """(last output, all outputs or None, last states) of (output, new states) = cell_step(x, states).

    Shapes:  sequences (n, steps, ...), mask (n, steps) or None; outputs (n, steps, ...), in the order in
             which they were made: with go_backwards, the one for the last step comes first.
    Args:    states: a nested list, whose shapes and dtypes cell_step keeps. return_sequences: False where
             only the last output is wanted.
             held: the output of masked steps before the first that is not masked; needed where the cell's
             first state is not its output.

    At a masked step the states stay. The output is the one before, or zeros with zero_output_for_mask.
    """
    run = _Run(cell_step, states, zero_output_for_mask, return_sequences)
    first = (states, [] if held is None or mask is None or zero_output_for_mask else [held])
    xs = [_time_first(sequences)] + ([] if mask is None else [_time_first(_steps_mask(mask))])
    (states, _), outputs = ops.scan(run.step, first, xs, reverse=go_backwards)
    if outputs is None:
        return tree.flatten(states)[run.position or 0], None, states
    last = outputs[0] if go_backwards else outputs[-1]
    outputs = _time_first(ops.flip(outputs, axis=0) if go_backwards else outputs)
    return last, outputs if return_sequences else None, states


def _time_first(x: Any) -> Any:
    """Steps and batch exchanged."""
    return ops.transpose(x, (1, 0, *range(2, len(x.shape))))


def _steps_mask(mask: Any) -> Any:
    """(n, steps) bool. A step of a mask with more axes counts if anything in it does."""
    mask = ops.cast(mask, "bool")
    more = tuple(range(2, len(mask.shape)))
    return ops.any(mask, axis=more) if more else mask


class _Run:
    """One step of the loop: carries the states, and the output that masked steps repeat where no state is
    it.

    position: of the output among the new states, if it is one of them; then nothing has to be stacked to
    know the last one.
    """

    def __init__(self, cell_step: Step, states: Any, zeros: bool, stack: bool) -> None:
        self.cell_step, self.states, self.zeros, self.stack = cell_step, states, zeros, stack
        self.position: int | None = None

    def step(self, carry: Any, x: list[Any]) -> tuple[Any, Any]:
        states, held = carry
        output, new = self.cell_step(x[0], states)
        leaves = tree.flatten(new)
        if len(leaves) != len(tree.flatten(states)):
            raise ValueError(
                f"A cell must return as many states as it takes. It was given {len(tree.flatten(states))} "
                f"and returned {len(leaves)}."
            )
        if len(x) > 1:
            before = held[0] if held else None if self.zeros else output_before(states)
            output = _kept(x[1], output, ops.zeros_like(output) if before is None else before)
            pairs = zip(leaves, tree.flatten(states), strict=True)
            leaves = [_kept(x[1], now, old) for now, old in pairs]
        self.position = next((k for k, leaf in enumerate(leaves) if leaf is output), None)
        stacked = output if self.stack or self.position is None else None
        return (tree.pack_as(states, leaves), [output] if held else []), stacked


def output_before(states: Any) -> Any:
    """The state that is taken for the last output: the first one, of the last cell of a stack."""
    first = states[0]
    return tree.flatten(states[-1])[0] if isinstance(first, (list, tuple, dict)) else first


def _kept(mask: Any, new: Any, old: Any) -> Any:
    """`new` in rows where the mask (n,) holds, elsewhere `old`."""
    return ops.where(ops.reshape(mask, (-1,) + (1,) * (len(new.shape) - 1)), new, old)
