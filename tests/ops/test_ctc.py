"""ctc_loss and ctc_decode against every path, finite differences, and compiled programs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops
from kcompile.autograd.backward import gradients
from kcompile.compiler import compile_graph
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace

RNG = np.random.default_rng(5)
TARGET = np.array([[1, 2, 2], [2, 0, 0], [1, 1, 0], [0, 0, 0]], "int32")
LENGTHS, STEPS = np.array([3, 1, 2, 0], "int32"), np.array([5, 1, 4, 3], "int32")
LOGITS = RNG.normal(size=(4, 5, 3)) * 2


def labels_of(path, mask_index=0):
    merged = [label for label, _ in itertools.groupby(path)]
    return tuple(label for label in merged if label != mask_index)


def probabilities(logits, mask_index=0):
    """The probability of each sequence of labels, by all paths."""
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    found: dict = {}
    for path in itertools.product(range(p.shape[1]), repeat=len(p)):
        share = np.prod(p[np.arange(len(p)), list(path)])
        found[labels_of(path, mask_index)] = found.get(labels_of(path, mask_index), 0.0) + share
    return found


def test_the_loss_sums_all_paths():
    loss = ops.ctc_loss(TARGET, LOGITS, LENGTHS, STEPS)
    for n in range(4):
        every = probabilities(LOGITS[n, : STEPS[n]])
        wanted = -np.log(every[tuple(TARGET[n, : LENGTHS[n]])])
        np.testing.assert_allclose(loss[n], wanted, rtol=1e-9)
    assert loss.dtype == np.float64


def test_another_blank():
    loss = ops.ctc_loss(np.array([[0, 1]]), LOGITS[:1], np.array([2]), np.array([5]), mask_index=2)
    np.testing.assert_allclose(loss, [-np.log(probabilities(LOGITS[0], 2)[(0, 1)])], rtol=1e-9)


def compiled(function, *arrays):
    leaves = [
        make_parameter(f"x{k}", TensorType((symbol("batch"), *a.shape[1:]), str(a.dtype)))
        for k, a in enumerate(arrays)
    ]
    return compile_graph(trace(function, leaves)[0])(*arrays)


def test_the_gradient_is_that_of_finite_differences():
    def both(target, logits, lengths, steps):
        loss = ops.ctc_loss(target, logits, lengths, steps)
        return loss, gradients(ops.sum(loss), [logits])[0]

    loss, slope = compiled(both, TARGET, LOGITS, LENGTHS, STEPS)
    np.testing.assert_allclose(loss, ops.ctc_loss(TARGET, LOGITS, LENGTHS, STEPS), rtol=1e-9)
    step, found = 1e-5, np.zeros_like(LOGITS)
    for place in np.ndindex(LOGITS.shape):
        ends = []
        for sign in (1, -1):
            moved = LOGITS.copy()
            moved[place] += sign * step
            ends.append(ops.ctc_loss(TARGET, moved, LENGTHS, STEPS).sum())
        found[place] = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose(slope, found, atol=1e-8, rtol=1e-6)


def test_more_labels_than_steps_cost_much_and_stay_finite():
    loss = ops.ctc_loss(TARGET[:1], LOGITS[:1].astype("float32"), np.array([3]), np.array([2]))
    assert loss.dtype == np.float32 and 1e5 < loss[0] < 1.1e5


@pytest.mark.parametrize("merge", [True, False])
def test_greedy_labels_at_once_and_compiled(merge):
    logits = LOGITS.astype("float32")
    labels, scores = ops.ctc_decode(logits, STEPS, merge_repeated=merge)
    for n in range(4):
        best = logits[n, : STEPS[n]].argmax(-1)
        wanted = labels_of(best) if merge else tuple(label for label in best if label != 0)
        assert labels[0, n].tolist() == [*wanted, *[-1] * (5 - len(wanted))]
        np.testing.assert_allclose(-scores[n, 0], logits[n, : STEPS[n]].max(-1).sum(), rtol=1e-6)
    found = compiled(lambda x, s: ops.ctc_decode(x, s, merge_repeated=merge), logits, STEPS)
    assert np.array_equal(found[0], labels)
    np.testing.assert_allclose(found[1], scores, rtol=1e-6)


def test_a_wide_beam_finds_the_likeliest_labels():
    labels, scores = ops.ctc_decode(LOGITS, STEPS, strategy="beam_search", top_paths=3)
    assert labels.shape == (3, 4, 5) and scores.shape == (4, 3)
    for n in range(4):
        every = probabilities(LOGITS[n, : STEPS[n]])
        best = sorted(every.items(), key=lambda item: -item[1])[:3]
        for k, (path, share) in enumerate(best):
            assert labels[k, n].tolist() == [*path, *[-1] * (5 - len(path))]
            np.testing.assert_allclose(scores[n, k], np.log(share), rtol=1e-5)


@pytest.mark.parametrize("width", [1, 2, 4, 9])
def test_a_beam_of_any_width_is_compiled(width):
    """Beside a search over a dictionary, of the numbers as they are in this step."""
    logits = np.random.default_rng(width).normal(size=(4, 5, 3)).astype("float32") * 2
    how = {"strategy": "beam_search", "beam_width": width, "top_paths": 3, "mask_index": None}
    labels, scores = ops.ctc_decode(logits, STEPS, **how)
    for n in range(4):
        paths = [*searched(logits[n, : STEPS[n]], width, 2), *[((), -np.inf)] * 3][:3]
        assert labels[:, n].tolist() == [[*path, *[-1] * (5 - len(path))] for path, _ in paths]
        np.testing.assert_allclose(scores[n], [score for _, score in paths], rtol=1e-5)
    found = compiled(lambda x, s: ops.ctc_decode(x, s, **how), logits, STEPS)
    assert np.array_equal(found[0], labels)
    np.testing.assert_allclose(found[1], scores, rtol=1e-5)


def searched(logits, width, blank):
    """Labels and logs of their probabilities, best first, with at most `width` of them kept at each step."""
    beam = {(): (0.0, 1.0)}
    for row in np.exp(logits - np.logaddexp.reduce(logits, -1, keepdims=True)):
        found = {}
        for path, (emitted, empty) in beam.items():
            for label, share in enumerate(row):
                whole = emitted + empty
                if label == blank:
                    steps = [(path, 0.0, whole)]
                elif path[-1:] == (label,):
                    steps = [(path, emitted, 0.0), ((*path, label), empty, 0.0)]
                else:
                    steps = [((*path, label), whole, 0.0)]
                for to, *ends in steps:
                    found[to] = tuple(a + share * b for a, b in zip(found.get(to, (0, 0)), ends, strict=True))
        beam = dict(sorted((f for f in found.items() if sum(f[1])), key=lambda f: -sum(f[1]))[:width])
    return [(path, np.log(sum(ends))) for path, ends in beam.items()]


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"target \(batch, labels\), output \(batch, steps, classes\)"):
        ops.ctc_loss(TARGET, LOGITS[0], LENGTHS, STEPS)
    with pytest.raises(ValueError, match="Invalid strategy best. Supported values are 'greedy'"):
        ops.ctc_decode(LOGITS, STEPS, strategy="best")


def test_a_functional_model_of_ctc_ops():
    x, lengths = keras.Input((5, 3)), keras.Input((), dtype="int32")
    model = keras.Model([x, lengths], ops.ctc_decode(x, lengths)[0])
    decode = next(op for op in model.operations if "InputLayer" not in type(op).__name__)
    assert type(decode).__name__ == "CTCDecode" and type(decode).__module__ == "keras.src.ops.nn"
    labels = model([LOGITS.astype("float32"), STEPS])
    assert np.array_equal(labels, ops.ctc_decode(LOGITS.astype("float32"), STEPS)[0])


def test_a_network_learns_labels():
    rng = np.random.default_rng(1)
    y = rng.integers(1, 4, (32, 2))
    x = np.repeat(np.eye(4, dtype="float32")[y], 3, axis=1) + 0.1 * rng.normal(size=(32, 6, 4)).astype(
        "float32"
    )
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6, 4)), keras.layers.Dense(4)])
    model.compile(keras.optimizers.Adam(0.05), keras.losses.CTC())
    history = model.fit(x, y, epochs=25, batch_size=8, verbose=0).history["loss"]
    assert history[-1] < 0.6 < 2 < history[0]


@pytest.mark.parametrize("mask_index", [-1, 4])
def test_the_blank_of_a_beam_search_is_a_class(mask_index):
    with pytest.raises(ValueError, match="must be one of the classes"):
        ops.ctc_decode(np.zeros((2, 3, 4)), np.array([2, 3]), "beam_search", mask_index=mask_index)
