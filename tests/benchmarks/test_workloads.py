"""Workloads: work by formula against hand counts, shapes, and data that all contenders share."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import network, workloads, zoo
from benchmarks.network import Conv, ConvTranspose, Dense, Flatten, MaxPool, Recurrent, SelfAttention
from benchmarks.workloads import WORKLOADS, Workload
from tests.benchmarks.tiny import TINY


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
    assert [behind for *_, behind in work.leaves] == [(5, 6, 5), (2, 3, 5), (30,), (4,)]
    shapes = [one.shape for part in workloads.initial_weights(work) for one in part]
    assert shapes == [(2, 2, 3, 5), (5,), (30, 4), (4,)]


def test_flops_by_hand():
    assert network.flops(Recurrent("gru", 5, True), (7, 3), (10,)) == 2 * 2 * 7 * (3 * 15 + 5 * 15)
    assert network.flops(ConvTranspose(4, 4, 2), (3, 5, 2), (6, 10, 4)) == 2 * 15 * 16 * 2 * 4
    # Four projections of 6x6, the scores and their product with the values of 5x5x6.
    assert network.flops(SelfAttention(2), (5, 6), (5, 6)) == 2 * (4 * 5 * 36 + 2 * 25 * 6)


def test_an_embedding_needs_its_gradient():
    work = TINY["lstm"]
    assert workloads.step_flops(work) == 3 * 3 * workloads.forward_flops(work)


@pytest.mark.parametrize("depth, weights", [(20, 274_042), (56, 860_026), (110, 1_739_002)])
def test_resnets_have_their_published_sizes(depth, weights):
    """0.27, 0.85 and 1.7 million in the paper's table 6, there without projections."""
    work = Workload("w", "", (32, 32, 3), zoo.resnet(depth), 1, 1)
    assert sum(one.size for part in workloads.initial_weights(work) for one in part) == weights
    assert sum(isinstance(layer, Conv) for layer, *_ in work.leaves) == depth - 1 + 2


def test_large_networks_have_their_published_work():
    """In multiply-adds: 300 million of MobileNetV2, 4.1 billion of ResNet50 (torchvision's count)."""
    assert workloads.forward_flops(WORKLOADS["mobilenetv2"]) == pytest.approx(2 * 300e6, rel=0.01)
    assert workloads.forward_flops(WORKLOADS["resnet50"]) == pytest.approx(2 * 4.09e9, rel=0.01)


@pytest.mark.parametrize("work", [*TINY.values(), *WORKLOADS.values()], ids=[*TINY, *WORKLOADS])
def test_data_fit_the_network_and_the_loss(work):
    x, y = workloads.data(work, 3)
    assert x.shape == (3, *work.input_shape)
    if work.vocabulary:
        assert x.dtype == np.int32 and x.min() >= 0 and x.max() < work.vocabulary
    expected = work.output_shape[:-1] if work.loss == "classes" else work.output_shape
    assert y.shape == (3, *expected) and y.dtype == (np.int32 if work.loss == "classes" else np.float32)


def test_the_loss_of_whoever_knows_only_the_targets():
    two = Workload("w", "", (4,), (Dense(2, "softmax"),), 4, 4)
    targets = np.array([0, 1, 1, 1], np.int32)
    shares = np.tile([0.25, 0.75], (4, 1))
    assert workloads.untaught_loss(two, targets) == pytest.approx(workloads.loss_of(two, shares, targets))
    number = Workload("w", "", (4,), (Dense(1),), 4, 4, loss="mse")
    values = np.array([[1.0], [2.0], [6.0]], np.float32)
    assert workloads.untaught_loss(number, values) == pytest.approx(14 / 3)
    assert workloads.loss_of(number, values + 2, values) == pytest.approx(4)
    coin = Workload("w", "", (4,), (Dense(1, "sigmoid"),), 4, 4, loss="binary")
    answers = np.array([[1.0], [0.0]], np.float32)
    assert workloads.untaught_loss(coin, answers) == pytest.approx(np.log(2))
    assert workloads.loss_of(coin, np.array([[0.9], [0.1]]), answers) == pytest.approx(-np.log(0.9))


def test_scores_lie_before_the_activation_that_the_loss_takes_in():
    assert WORKLOADS["cnn"].final == "softmax" and WORKLOADS["cnn"].scores[-1] == Dense(10)
    assert WORKLOADS["lstm"].final == "sigmoid"
    work = WORKLOADS["autoencoder"]
    assert work.final is None and work.scores == work.layers


@pytest.mark.parametrize("work", [one for one in WORKLOADS.values() if one.trains], ids=lambda one: one.name)
def test_an_epoch_is_a_whole_number_of_batches(work):
    assert work.steps * work.batch == work.samples


def test_weights_are_seeded_and_glorot():
    work = WORKLOADS["cnn"]
    weights, again = ([one for part in workloads.initial_weights(work) for one in part] for _ in range(2))
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
