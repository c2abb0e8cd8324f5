"""Launch plans: the MNIST CNN's against the stored one, and what a plan must not be."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from kcompile.codegen import cuda
from kcompile.core.errors import CompileError
from kcompile.runtime.cuda.launches import LaunchPlan, bind, check
from tests.cuda.launch_plans import BATCH, GOLDEN, described, text
from tests.cuda.models import cuda_plan, digits, mnist_cnn, step_graph


@pytest.fixture(scope="module")
def plan() -> LaunchPlan:
    graph = step_graph(mnist_cnn((4, 6), 8, side=12), digits(BATCH, 12))
    planned = cuda_plan(graph)
    return bind(planned, cuda.emit(planned), {"batch": BATCH})


def test_the_mnist_step_is_launched_as_stored():
    """After a change that is meant: python -m tests.cuda.launch_plans, and read the difference."""
    found = described()
    assert json.loads(text(found)) == found
    assert text(found) == GOLDEN.read_text()


def test_every_launch_touches_its_buffers_within_bounds():
    """The emulator would have raised; the stored plan shows it to a reader."""
    stored = json.loads(GOLDEN.read_text())
    written = set(stored["upload"])
    for launch in stored["launches"]:
        assert set(launch["reads"]) <= written
        written |= set(launch["writes"])
        for number, (low, high) in zip(launch["buffers"], launch["touched"], strict=True):
            assert 0 <= low <= high < stored["buffers"][number]["elements"]
    assert set(stored["download"]) <= written


def test_outputs_are_written_whole():
    stored = json.loads(GOLDEN.read_text())
    for launch in stored["launches"]:
        for number, touched in zip(launch["buffers"], launch["touched"], strict=True):
            if number in launch["writes"]:
                assert touched == [0, stored["buffers"][number]["elements"] - 1]


def test_the_arena_is_used_again(plan):
    apart = sum(b.size for b in plan.buffers if b.kind == "arena")
    assert plan.arena < 0.8 * apart


def test_a_launch_before_what_it_reads(plan):
    first = next(k for k, n in enumerate(plan.launches) if any(plan.buffers[b].first < k for b in n.reads))
    order = list(plan.launches)
    order.insert(0, order.pop(first))
    with pytest.raises(CompileError, match=r"reads buffer \d+ before it is written|outside of its life"):
        check(replace(plan, launches=tuple(order)))


def test_a_buffer_after_its_life(plan):
    number = next(k for k, b in enumerate(plan.buffers) if b.kind == "arena" and b.last > b.first)
    buffers = list(plan.buffers)
    buffers[number] = replace(buffers[number], last=buffers[number].last - 1)
    with pytest.raises(CompileError, match=f"uses buffer {number} outside of its life"):
        check(replace(plan, buffers=tuple(buffers)))


def test_two_values_in_one_place(plan):
    moved = [replace(b, offset=0) if b.kind == "arena" else b for b in plan.buffers]
    with pytest.raises(CompileError, match=r"finds buffers \d+ and \d+ in one place"):
        check(replace(plan, buffers=tuple(moved)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda n: replace(n, kernel=replace(n.kernel, shared=50_000)), "needs 50000 bytes of shared memory"),
        (
            lambda n: replace(n, kernel=replace(n.kernel, source=replace(n.kernel.source, threads=2048))),
            "has blocks of 2048 threads",
        ),
        (lambda n: replace(n, grid=1 << 30), r"counts to \d+, more than 2\*\*31 - 1"),
    ],
)
def test_limits_of_devices(plan, change, said):
    launches = (change(plan.launches[0]), *plan.launches[1:])
    with pytest.raises(CompileError, match=said):
        check(replace(plan, launches=launches))


def test_a_batch_of_another_size_has_the_same_kernels():
    planned = cuda_plan(step_graph(mnist_cnn((4, 6), 8, side=12), digits(BATCH, 12)))
    kernels = cuda.emit(planned)
    small, large = (bind(planned, kernels, {"batch": n}) for n in (2, 500))
    assert [n.kernel for n in small.launches] == [n.kernel for n in large.launches]
    assert sum(n.grid for n in small.launches) < sum(n.grid for n in large.launches)
