"""Workloads: work by formula against hand counts, shapes, and data that all contenders share."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import workloads
from benchmarks.workloads import WORKLOADS, Conv, Dense, Flatten, MaxPool, Workload


def test_forward_flops_of_the_cnn_by_hand():
    first = 2 * 26 * 26 * 32 * 9
    second = 2 * 24 * 24 * 64 * 9 * 32
    dense = 2 * (12 * 12 * 64) * 128 + 2 * 128 * 10
    assert workloads.forward_flops(WORKLOADS["cnn"]) == first + second + dense == 23_984_896


def test_step_flops_leave_out_the_gradient_of_the_data():
    first, second, third = 2 * 784 * 512, 2 * 512 * 512, 2 * 512 * 10
    expected = 128 * (2 * first + 3 * second + 3 * third)
    assert workloads.step_flops(WORKLOADS["mlp128"]) == expected
    assert workloads.step_flops(WORKLOADS["mlp32"]) * 4 == expected
    assert workloads.step_flops(WORKLOADS["digits"]) == 32 * (2 * 2 * 64 * 32 + 3 * 2 * 32 * 10)


def test_pooling_drops_the_odd_pixel():
    work = Workload("w", "", (6, 7, 3), (Conv(5, 2), MaxPool(2), Flatten(), Dense(4)), 1, 1, 1)
    assert [behind for *_, behind in workloads.with_shapes(work)] == [(5, 6, 5), (2, 3, 5), (30,), (4,)]
    assert workloads.weight_shapes(work) == [(2, 2, 3, 5), (5,), (30, 4), (4,)]


@pytest.mark.parametrize("work", WORKLOADS.values(), ids=WORKLOADS)
def test_an_epoch_is_a_whole_number_of_batches(work):
    assert work.steps * work.batch == work.samples


def test_weights_are_seeded_and_glorot():
    work = WORKLOADS["cnn"]
    weights, again = workloads.initial_weights(work), workloads.initial_weights(work)
    assert [w.shape for w in weights] == workloads.weight_shapes(work)
    assert all(np.array_equal(a, b) for a, b in zip(weights, again, strict=True))
    limit = (6 / (9 * 32 + 9 * 64)) ** 0.5
    assert 0.99 * limit < np.abs(weights[2]).max() <= limit
    assert not weights[3].any()


def test_data_can_be_learned_from_and_is_mostly_zero():
    work = WORKLOADS["mlp128"]
    x, y = workloads.data(work, 2000)
    assert x.shape == (2000, 784) and x.dtype == np.float32 and y.dtype == np.int32
    assert x.min() == 0 and x.max() <= 1
    assert 0.1 < (x > 0).mean() < 0.3
    assert np.bincount(y, minlength=10).min() > 100
    lit = [set(np.flatnonzero(x[y == label].any(0))) for label in (0, 1)]
    assert len(lit[0] & lit[1]) < 0.5 * len(lit[0])


def test_fewer_samples_are_the_first_of_more():
    work = WORKLOADS["digits"]
    (x, y), (few, labels) = workloads.data(work), workloads.data(work, 8)
    assert np.array_equal(x[:8], few) and np.array_equal(y[:8], labels)
