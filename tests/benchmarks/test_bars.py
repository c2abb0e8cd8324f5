"""Bars: verdicts on either side of each limit, and what they read from a run."""

from __future__ import annotations

import pytest

from benchmarks import bars
from benchmarks.bars import BARS, Bar
from benchmarks.contenders import KERAS_PEERS
from benchmarks.kernel_cases import CASES
from benchmarks.workloads import WORKLOADS, step_flops
from tests.benchmarks.test_results import results, series


def bar(goal, beyond=None, at_least=False):
    return Bar("what", "x", goal, beyond, lambda results: None, at_least)


@pytest.mark.parametrize(
    "value, verdict",
    [(0.68, "not reached"), (0.67, "reached"), (0.5, "beyond"), (None, "not measured")],
)
def test_lower_is_better(value, verdict):
    assert bar(0.67, 0.5).verdict(value) == verdict


@pytest.mark.parametrize("value, verdict", [(79.9, "not reached"), (80, "reached"), (95, "beyond")])
def test_higher_is_better(value, verdict):
    assert bar(80, 90, at_least=True).verdict(value) == verdict


def test_without_one_of_the_limits():
    assert bar(1.0).verdict(0.01) == "reached"
    assert bar(None, 10.0).verdict(11) == "not reached"
    assert bar(None, 10.0).verdict(9) == "beyond"


def test_not_a_number_is_not_reached():
    assert bar(1.0, 0.5).verdict(float("nan")) == "not reached"


def test_against_takes_the_fastest_of_the_peers():
    run = results(series("kcompile", (1, 1)), series("keras-jax", (4, 4)), series("jax", (2, 2)))
    assert bars.against("t", "train", ["keras-jax", "jax"])(run) == 0.5
    assert bars.against("t", "train", KERAS_PEERS)(run) == 0.25
    assert bars.against("t", "train", ["torch"])(run) is None
    assert bars.against("t", "predict", ["jax"])(run) is None


def test_share_of_peak_by_hand():
    run = results(series("kcompile", (1.0,), task="matmul", measure="kernel"))
    assert bars.share_of_peak("matmul")(run) is None
    run.raise_peak({"gflops": 500.0})
    assert bars.share_of_peak("matmul")(run) == pytest.approx(100 * 2 * 512**3 / 1e-3 / 500e9)


def test_share_of_peak_over_a_whole_step_by_hand():
    run = results(series("kcompile", (2.0,), task="cnn"))
    run.raise_peak({"gflops": 500.0})
    assert bars.step_share("cnn")(run) == pytest.approx(100 * step_flops(WORKLOADS["cnn"]) / 2e-3 / 500e9)


def test_the_mean_over_rows_needs_all_of_them():
    rows = [series("kcompile", (1.0,), task="a"), series("jax", (4.0,), task="a")]
    read = bars.overall(["a", "b"], "train", ["jax"])
    assert read(results(*rows)) is None
    rows += [series("kcompile", (1.0,), task="b"), series("jax", (1.0,), task="b")]
    assert read(results(*rows)) == pytest.approx(0.5)


def test_memory_is_compared_with_the_fastest_peer_not_the_leanest():
    run = results(
        *(series(name, (ms,), task="cnn") for name, ms in (("jax", 2.0), ("torch", 3.0))),
        *(
            series(name, (mb,), task="cnn", measure="memory")
            for name, mb in (("kcompile", 200.0), ("jax", 500.0), ("torch", 300.0))
        ),
    )
    assert bars.memory_against_fastest("cnn")(run) == pytest.approx(0.4)
    run.series = [one for one in run.series if one.measure == "memory"]
    assert bars.memory_against_fastest("cnn")(run) is None


def test_convolutions_count_all_three_alike():
    assert CASES["conv_forward"].flops == 2 * 128 * 24 * 24 * 64 * 3 * 3 * 32
    assert {CASES[name].flops for name in CASES if name != "matmul"} == {CASES["conv_forward"].flops}
    assert CASES["conv_forward"].terms == 288
    assert CASES["conv_kernel_grad"].terms == 128 * 24 * 24


@pytest.mark.parametrize("one", BARS, ids=lambda one: one.what)
def test_every_bar_reads_a_run_in_which_kcompile_is_twice_as_fast(one):
    rows = []
    measures = ("train", "predict", "call", "throughput", "import", "first_cold", "first_warm", *bars.MEMORY)
    for task in WORKLOADS:
        for measure in measures:
            rows.append(series("kcompile", (5.0,), task=task, measure=measure))
            rows += [series(peer, (10.0,), task=task, measure=measure) for peer in bars.PEERS]
    rows += [series("kcompile", (1.0,), task=case, measure="kernel") for case in CASES]
    run = results(*rows)
    run.raise_peak({"gflops": 1e4})
    value = one.read(run)
    assert value is not None
    if one.unit == "x":
        assert value == 0.5
    assert one.read(results()) is None
    assert one.verdict(value) != "not measured"
