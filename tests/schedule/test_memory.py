"""The arena: buffers that are needed at the same time never share a byte."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kcompile.schedule.memory import ALIGNMENT, Lifetime, place, rounded


@st.composite
def lifetimes(draw):
    first = draw(st.integers(0, 12))
    return Lifetime(
        draw(st.sampled_from([0, 1, 63, 64, 65, 1000, 4096])), first, draw(st.integers(first, 14))
    )


def live_bytes(buffers, time):
    return sum(rounded(b.size) for b in buffers if b.first <= time <= b.last)


@settings(deadline=None)
@given(st.lists(lifetimes(), max_size=25))
def test_buffers_of_one_time_lie_apart_inside_the_arena(buffers):
    offsets, total = place(buffers)
    for b, at in zip(buffers, offsets, strict=True):
        assert at % ALIGNMENT == 0
        assert at >= 0
        assert at + b.size <= total
    for k, (a, at) in enumerate(zip(buffers, offsets, strict=True)):
        for b, other in list(zip(buffers, offsets, strict=True))[k + 1 :]:
            together = a.first <= b.last and b.first <= a.last
            apart = at + rounded(a.size) <= other or other + rounded(b.size) <= at
            assert apart or not together


@settings(deadline=None)
@given(st.lists(lifetimes(), max_size=25))
def test_the_arena_is_no_larger_than_all_buffers_and_no_smaller_than_any_moment_needs(buffers):
    _, total = place(buffers)
    assert total <= sum(rounded(b.size) for b in buffers)
    assert total >= max((live_bytes(buffers, t) for t in range(15)), default=0)


def test_a_chain_needs_two_buffers():
    chain = [Lifetime(4096, k, k + 1) for k in range(10)]
    assert place(chain)[1] == 2 * 4096


def test_a_freed_gap_between_others_is_used():
    buffers = [Lifetime(128, 0, 9), Lifetime(128, 0, 1), Lifetime(128, 0, 9), Lifetime(64, 3, 4)]
    offsets, total = place(buffers)
    assert total == 3 * 128
    assert offsets[1] <= offsets[3] < offsets[1] + 128
