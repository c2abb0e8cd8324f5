"""Beam search over the labels that paths stand for (`ops/ctc.py`), for all samples at once.

A beam is, for each sample and each of its places: labels, how many there are, and the logs of the
probabilities of the paths for them that end with the last label, and with a blank. The best place is the
first; free ones have no labels and -inf. Labels of two places that are not free differ.
"""

from __future__ import annotations

import math
from typing import Any

from kcompile.ops import (
    arrange,
    control,
    create,
    cutting,
    index,
    joining,
    movement,
    order,
    reduce,
    soft_maximum,
)
from kcompile.ops import elementwise as ew
from kcompile.ops.special import logaddexp

expand = movement.expand_dims


def beam_search(inputs: Any, lengths: Any, width: int, top_paths: int, mask_index: int) -> tuple[Any, Any]:
    """The likeliest labels and the logs of their probabilities, best first (Hannun et al. 2014).

    Shapes:  inputs (n, steps, classes), lengths (n,) -> (top_paths, n, steps), (n, top_paths).
    """
    samples, steps, _ = inputs.shape
    nothing = create.full((samples, width), -math.inf, dtype=str(inputs.dtype))
    beam = (
        create.full((samples, width, steps), -1, dtype="int32"),
        create.zeros((samples, width), dtype="int32"),
        nothing,
        ew.where(ew.equal(create.arange(width, dtype="int32"), 0), 0, nothing),
    )
    at = create.arange(steps, dtype="int32")
    runs = ew.less(expand(at, 1), expand(ew.maximum(lengths, 1), 0))

    def step(beam: Any, given: Any) -> tuple[Any, None]:
        row, runs_on = given
        following = zip(beam, _extended(beam, expand(row, 1), mask_index), strict=True)
        conditions = [expand(runs_on, tuple(range(1, len(x.shape)))) for x in beam]
        return tuple(ew.where(c, y, x) for c, (x, y) in zip(conditions, following, strict=True)), None

    logs = movement.transpose(soft_maximum.log_softmax(inputs), (1, 0, 2))
    (labels, _, emitted, blank), _ = control.scan(step, beam, (logs, runs))
    missing = max(top_paths - width, 0)
    labels = cutting.pad(labels, ((0, 0), (0, missing), (0, 0)), -1)[:, :top_paths]
    scores = cutting.pad(logaddexp(emitted, blank), ((0, 0), (0, missing)), -math.inf)[:, :top_paths]
    return arrange.moveaxis(labels, 1, 0), scores


def _extended(beam: Any, logs: Any, mask_index: int) -> tuple[Any, ...]:
    """The beam after one more step; logs: of the probabilities of its classes (n, 1, classes)."""
    labels, counts, emitted, blank = beam
    (samples, width, steps), classes = labels.shape, logs.shape[2]
    letters, at = create.arange(classes, dtype="int32"), create.arange(steps, dtype="int32")
    is_end = ew.equal(at, expand(counts, 2) - 1)
    is_last = ew.equal(letters, expand(reduce.max(ew.where(is_end, labels, -1), axis=2), 2))

    total = logaddexp(emitted, blank)
    longer = ew.where(is_last, expand(blank, 2), expand(total, 2)) + logs  # by each class
    longer = ew.where(ew.equal(letters, mask_index), -math.inf, longer)
    same = emitted + reduce.max(ew.where(is_last, logs, -math.inf), axis=2)
    # What is longer may have a place already: (n, this place, the place of all but the last label, class).
    parents = ew.equal(expand(ew.where(is_end, -1, labels), 2), expand(labels, 1))
    is_parent = ew.logical_and(reduce.all(parents, axis=3), expand(ew.greater(counts, 0), 2))
    is_there = ew.logical_and(expand(is_parent, 3), expand(is_last, 2))
    same = logaddexp(same, reduce.max(ew.where(is_there, expand(longer, 1), -math.inf), axis=(2, 3)))
    longer = ew.where(reduce.any(is_there, axis=1), -math.inf, longer)
    still = total + logs[:, :, mask_index]

    longer = movement.reshape(longer, (samples, width * classes))
    scores, chosen = order.top_k(joining.concatenate([logaddexp(same, still), longer], axis=1), width)
    stays, is_free = ew.less(chosen, width), ew.equal(scores, -math.inf)
    place = ew.where(stays, chosen, ew.floor_divide(chosen - width, classes))
    added = ew.where(stays, -1, ew.mod(chosen - width, classes))
    count = index.take_along_axis(counts, place, axis=1)
    is_new = ew.logical_and(ew.equal(at, expand(count, 2)), expand(ew.logical_not(stays), 2))
    kept = ew.where(is_new, expand(added, 2), index.take_along_axis(labels, expand(place, 2), axis=1))
    return (
        ew.where(expand(is_free, 2), -1, kept),
        ew.where(is_free, 0, ew.where(stays, count, count + 1)),
        ew.where(stays, index.take_along_axis(same, place, axis=1), scores),
        ew.where(stays, index.take_along_axis(still, place, axis=1), -math.inf),
    )
