"""Connectionist temporal classification: labels without their places in time, learned and decoded.

A path gives each time step a class or the blank (`mask_index`); it stands for the labels that are left when
repeated classes are merged and blanks removed.
"""

from __future__ import annotations

from typing import Any

from kcompile.core import dtypes
from kcompile.core.errors import ArgumentError, ShapeError, message
from kcompile.core.open_extents import all_fit
from kcompile.ops import control, create, index, joining, movement, order, reduce, soft_maximum
from kcompile.ops import elementwise as ew
from kcompile.ops.beam import beam_search
from kcompile.ops.checks import check_rank
from kcompile.ops.special import logaddexp

IMPOSSIBLE = -1e5  # log of no probability; finite, so that differences of two of them are numbers


def ctc_loss(target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0) -> Any:
    """-log of the probability of all paths that stand for the labels, by sample.

    Shapes:  target (n, labels) class numbers, output (n, steps, classes) logits, both lengths (n,) -> (n,).
    Args:    target_length, output_length: how many labels and steps count. mask_index: the blank.
    Raises:  ShapeError for other ranks.
    Source:  Graves et al. 2006, equations 6 to 8, in logarithms; gradients come from the same recursion.

    >>> import numpy as np
    >>> logits = np.log(np.array([[[0.5, 0.5], [0.5, 0.5]]]))
    >>> p = np.exp(-ctc_loss(np.array([[1]]), logits, np.array([1]), np.array([2])))
    >>> p.round(6).tolist()  # all paths but the one of two blanks
    [0.75]
    """
    target, output = ew.as_tensor(target, "int32"), ew.as_tensor(output)
    if len(target.shape) != 2 or len(output.shape) != 3:
        raise ShapeError(
            message(
                "ctc_loss: one row of labels and one matrix of logits for each sample.",
                expected="target (batch, labels), output (batch, steps, classes)",
                received=f"target {tuple(target.shape)}, output {tuple(output.shape)}",
            )
        )
    if not all_fit(target.shape[:1], output.shape[:1]):
        raise ShapeError(
            message(
                "ctc_loss: `target` and `output` must have the same number of samples.",
                received=f"target {tuple(target.shape)}, output {tuple(output.shape)}",
            )
        )
    check_rank("ctc_loss", "target_length", target_length := ew.as_tensor(target_length), 1, 1)
    check_rank("ctc_loss", "output_length", output_length := ew.as_tensor(output_length), 1, 1)
    if target.shape[1] == 0:  # no labels at all: one that never counts
        target = create.zeros((target.shape[0], 1), dtype="int32")
    dtype = dtypes.promote(str(output.dtype), "float32")
    logs = soft_maximum.log_softmax(ew.cast(output, dtype))
    blank, label = _last_states(target, logs, ew.as_tensor(output_length, "int32"), mask_index)
    # what has been emitted may be followed by a blank or not
    total = joining.concatenate([blank[:, :1], logaddexp(blank[:, 1:], label)], axis=1)
    length = movement.expand_dims(ew.as_tensor(target_length, "int32"), 1)
    return -movement.reshape(index.take_along_axis(total, length, axis=1), (target.shape[0],))


def _last_states(target: Any, logs: Any, steps: Any, mask_index: int) -> tuple[Any, Any]:
    """Logs of the probabilities of being at the blank behind n labels (n, labels + 1), and at label n."""
    samples, labels, classes = target.shape[0], target.shape[1], logs.shape[2]
    wanted = ew.minimum(ew.maximum(target, 0), classes - 1)
    wanted = movement.broadcast_to(movement.expand_dims(wanted, 1), (samples, logs.shape[1], labels))
    emitted = movement.transpose(index.take_along_axis(logs, wanted, axis=2), (1, 0, 2))
    blanks = movement.transpose(logs[:, :, mask_index : mask_index + 1], (1, 0, 2))
    at = create.arange(logs.shape[1], dtype="int32")
    runs = ew.less(movement.expand_dims(at, 1), movement.expand_dims(steps, 0))
    # from a label to the same label, a blank must lie between
    penalty = ew.cast(ew.equal(target[:, :-1], target[:, 1:]), str(logs.dtype)) * IMPOSSIBLE
    never = create.full((samples, labels), IMPOSSIBLE, dtype=str(logs.dtype))
    start = joining.concatenate([never[:, :1] * 0, never], axis=1)

    def step(states: tuple[Any, Any], given: tuple[Any, Any, Any]) -> tuple[Any, None]:
        blank, label = states
        p_label, p_blank, runs_on = given
        before = joining.concatenate(
            [blank[:, :1], logaddexp(blank[:, 1:-1], label[:, :-1] + penalty)], axis=1
        )
        next_label = logaddexp(before, label) + p_label
        next_blank = joining.concatenate([blank[:, :1], logaddexp(blank[:, 1:], label)], axis=1) + p_blank
        runs_on = movement.expand_dims(runs_on, 1)
        return (ew.where(runs_on, next_blank, blank), ew.where(runs_on, next_label, label)), None

    states, _ = control.scan(step, (start, never), (emitted, blanks, runs))
    return states


def ctc_decode(
    inputs: Any,
    sequence_lengths: Any,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int | None = 0,
) -> tuple[Any, Any]:
    """Labels that logits stand for: (labels, scores); -1 fills up behind the last label.

    Shapes:  inputs (n, steps, classes), sequence_lengths (n,); "greedy" gives (1, n, steps) and (n, 1),
             "beam_search" (top_paths, n, steps) and (n, top_paths).
    Args:    strategy: "greedy" takes the best class of each step, and its score is minus the sum of their
             logits. "beam_search" keeps the `beam_width` most likely labels of each step, and its scores are
             logs of probabilities. merge_repeated: of "greedy" only. mask_index: the blank,
             by None the last class.
    Raises:  ValueError for another strategy.

    >>> import numpy as np
    >>> logits = np.array([[[0.0, 9.0], [0.0, 9.0], [9.0, 0.0], [0.0, 9.0]]], "float32")
    >>> ctc_decode(logits, np.array([4]))[0].tolist()
    [[[1, 1, -1, -1]]]
    """
    inputs = ew.as_tensor(inputs)
    inputs = ew.cast(inputs, dtypes.promote(str(inputs.dtype), "float32"))
    lengths = ew.as_tensor(sequence_lengths, "int32")
    mask_index = inputs.shape[-1] - 1 if mask_index is None else mask_index
    if strategy == "greedy":
        return _greedy(inputs, lengths, merge_repeated, mask_index)
    if strategy != "beam_search":
        raise ValueError(f"Invalid strategy {strategy}. Supported values are 'greedy' and 'beam_search'.")
    classes = inputs.shape[-1]
    if isinstance(classes, int) and not 0 <= mask_index < classes:
        raise ArgumentError(
            message(
                "ctc_decode: `mask_index` must be one of the classes for a beam search.",
                received=f"mask_index={mask_index} for {classes} classes",
            )
        )
    return beam_search(inputs, lengths, beam_width, top_paths, mask_index)


def _greedy(inputs: Any, lengths: Any, merge: bool, mask_index: int) -> tuple[Any, Any]:
    steps = inputs.shape[1]
    at = create.arange(steps, dtype="int32")
    over = ew.greater_equal(movement.expand_dims(at, 0), movement.expand_dims(lengths, 1))
    labels = ew.where(over, mask_index, reduce.argmax(inputs, axis=-1))
    scores = ew.where(over, 0.0, reduce.max(inputs, axis=-1))
    empty = ew.equal(labels, mask_index)
    if merge:
        same = ew.equal(labels[:, 1:], labels[:, :-1])
        empty = ew.logical_or(empty, joining.concatenate([empty[:, :1], same], axis=1))
    labels = ew.where(empty, -1, labels)
    places = order.argsort(ew.where(empty, steps, movement.expand_dims(at, 0)), axis=-1)
    labels = index.take_along_axis(labels, places, axis=1)
    return movement.expand_dims(labels, 0), -reduce.sum(scores, axis=1, keepdims=True)
