"""The thread team: every tile once, barriers, steps, stop, scratch, profile, wrong command lists."""

import ctypes
import os
import subprocess
import sys
import threading
import time
from itertools import pairwise

import numpy as np
import pytest

from kcompile.runtime.executor import BARRIER, CHAINED, SERIAL
from kcompile.runtime.team import CommandList, Team, team
from tests.runtime.crew import Commands


@pytest.mark.parametrize("tiles", [0, 1, 2, 3, 7, 64, 65, 1000])
@pytest.mark.parametrize("grain", [0, 1, 2, 16, 1000])
def test_every_tile_is_computed_once_in_each_step(crew, kernels, tiles, grain):
    y = np.zeros(tiles + 1, np.int64)
    commands = Commands().add(kernels["count"], y, tiles=tiles, grain=grain)
    assert crew.run(commands.array, 5) == 5
    assert y.tolist() == [5] * tiles + [0]


def test_chunks_have_the_size_of_the_grain(kernels):
    sizes = np.zeros(23, np.int64)
    commands = Commands().add(kernels["chunks"], sizes, tiles=23, grain=5)
    crew = Team(2)
    crew.run(commands.array)
    assert sizes.tolist() == [5] * 20 + [3] * 3
    crew.run(commands.array, threads=1)
    assert sizes.tolist() == [23] * 23
    crew.close()


def test_no_commands_and_no_steps(crew, kernels):
    y = np.zeros(4, np.int64)
    assert crew.run(np.zeros((0, 8), np.int64), 3) == 3
    assert crew.run(Commands().add(kernels["count"], y, tiles=4).array, 0) == 0
    assert y.tolist() == [0] * 4


def random_program(kernels, rng, y, t):
    """Commands over two arrays whose result depends on the order of all that barriers order."""
    commands = Commands()
    for _ in range(rng.integers(1, 12)):
        kind = rng.choice(["count", "chain", "total", "pair"])
        if kind == "count":
            commands.add(kernels["count"], y, tiles=len(y), grain=int(rng.integers(1, 9)))
        elif kind == "chain":
            commands.add(kernels["chain"], y, len(y), tiles=len(y), flags=BARRIER | SERIAL)
        elif kind == "total":
            commands.add(kernels["total"], y, len(y), t)
        else:  # two commands that overlap: they write different halves
            half = len(y) // 2
            commands.add(kernels["count"], y[:half], tiles=half, grain=int(rng.integers(1, 5)))
            flags = int(rng.choice([0, SERIAL]))
            commands.add(kernels["count"], y[half:], tiles=half, grain=int(rng.integers(1, 5)), flags=flags)
    return commands


@pytest.mark.parametrize("seed", range(40))
def test_barriers_order_what_they_must(crew, kernels, seed):
    """Programs in which a missing barrier, a barrier too late or a lost tile changes the numbers."""
    results = []
    for runner in (crew, None):
        y, t = np.arange(40, dtype=np.int64), np.zeros(1, np.int64)
        commands = random_program(kernels, np.random.default_rng(seed), y, t)
        if runner:
            assert runner.run(commands.array, 50) == 50
        else:
            call = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)
            for _ in range(50):
                for function, block, tiles, *_ in commands.rows:
                    call(function)(block, 0, tiles, 0)
        results.append((y.tolist(), t.tolist()))
    assert results[0] == results[1]


def test_what_overlaps_the_last_of_a_chain_still_follows_the_rest_of_it(kernels):
    """late, then late | behind side by side: `behind` has no barrier but needs the first `late`."""
    crew = Team(2)
    y, other, spin, seen = (
        np.zeros(1, np.int64),
        np.zeros(1, np.int64),
        np.zeros(8, np.int64),
        np.zeros(8, np.int64),
    )
    commands = Commands().add(kernels["spin"], spin, 3000, tiles=8)
    commands.add(kernels["late"], y, 30_000).add(kernels["late"], other, 30_000)
    commands.add(kernels["behind"], y, seen, tiles=4, flags=0)
    for _ in range(20):
        crew.run(commands.array, 50)
    assert seen.tolist() == [1000, 0] * 4
    crew.close()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_chain_runs_chunk_by_chunk(kernels, threads):
    """Seven chunks of three, two and five tiles; what comes before and after waits for all of them."""
    x, y, z, t = (np.zeros(n, np.int64) for n in (21, 14, 35, 1))
    commands = Commands().add(kernels["count"], x, tiles=21, grain=2)
    commands.add(kernels["count"], x, tiles=21, grain=3)
    commands.add(kernels["second"], y, x, 2, 3, tiles=14, grain=2, flags=CHAINED)
    commands.add(kernels["second"], z, y, 5, 2, tiles=35, grain=5, flags=CHAINED)
    commands.add(kernels["total"], z, 35, t).add(kernels["count"], z, tiles=35)
    crew = Team(threads)
    assert crew.run(commands.array, 200) == 200
    crew.close()
    one, two, total = 0, 0, 0
    for step in range(1, 201):
        one = one * 3 % 1000003 + 3 * 2 * step
        two = two * 3 % 1000003 + 2 * one
        total = total * 7 % 1000003 + 35 * two
        two += 1
    assert x.tolist() == [400] * 21 and y.tolist() == [one] * 14 and z.tolist() == [two] * 35
    assert t[0] == total


def test_a_thread_has_slices_of_its_own(kernels):
    """What lies between the commands of a chain is in the threads' memory: nothing is written to `x`."""
    x, y, t = np.zeros(21, np.int64), np.zeros(14, np.int64), np.zeros(1, np.int64)
    slices = [np.array([4, 1024, 1, slot, 512, 24], np.int64) for slot in (0, 1)]  # 24 bytes, from 512 on
    commands = Commands().add(kernels["fill"], x, tiles=21, grain=3, private=slices[0])
    commands.add(kernels["second"], y, x, 2, 3, tiles=14, grain=2, flags=CHAINED, private=slices[1])
    commands.add(kernels["total"], y, 14, t)
    for threads in (1, 2, 3):
        y[:] = 0
        crew = Team(threads)
        crew.run(commands.array, 1, scratch=2048)
        crew.close()
        assert not x.any()
        assert y.tolist() == [sum(range(chunk * 3, chunk * 3 + 3)) for chunk in range(7) for _ in range(2)]


def test_a_run_returns_when_the_last_tile_is_done(kernels):
    crew = Team(2)
    y = np.zeros(3, np.int64)
    alone = np.zeros(3, np.int64)
    crew.run(Commands().add(kernels["spin"], alone, 100_000, tiles=3).array, threads=1)
    commands = CommandList(Commands().add(kernels["spin"], y, 100_000, tiles=3).array)
    for turn in range(1, 200):
        crew.run(commands)
        assert y.tolist() == (turn * alone).tolist()
    crew.close()


def test_ten_thousand_steps(crew, kernels):
    y, t = np.zeros(6, np.int64), np.zeros(1, np.int64)
    commands = Commands().add(kernels["count"], y, tiles=6).add(kernels["count"], y, tiles=6, grain=2)
    commands.add(kernels["total"], y, 6, t).add(kernels["count"], y, flags=BARRIER | SERIAL)
    assert crew.run(commands.array, 10_000) == 10_000
    assert y.tolist() == [30_000] + [20_000] * 5
    expected = 0
    for step in range(1, 10_001):
        expected = (expected * 7 % 1000003) + 12 * step + step - 1
    assert t[0] == expected


@pytest.mark.parametrize("at", [1, 2, 17])
def test_the_stop_word_ends_the_run_after_a_whole_step(crew, kernels, at):
    y, stop, after = np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(8, np.int64)
    commands = Commands().add(kernels["stop_at"], y, stop, at).add(kernels["count"], after, tiles=8)
    assert crew.run(commands.array, 100, stop) == at
    assert y[0] == at
    assert after.tolist() == [at] * 8


def test_a_stop_word_that_is_set_already_allows_one_step(crew, kernels):
    y = np.zeros(8, np.int64)
    assert crew.run(Commands().add(kernels["count"], y, tiles=8).array, 100, np.ones(1, np.int64)) == 1
    assert y.tolist() == [1] * 8


def test_another_thread_can_stop_a_run(crew, kernels):
    y, stop = np.zeros(8, np.int64), np.zeros(1, np.int64)
    commands = Commands().add(kernels["spin"], y, 1000, tiles=8)
    threading.Timer(0.05, lambda: stop.__setitem__(0, 1)).start()
    assert 0 < crew.run(commands.array, 10**9, stop) < 10**9


def test_each_thread_has_scratch_of_its_own(kernels):
    size = 1000
    crew = Team(2)
    marks = np.zeros(64, np.int64)
    spin = np.zeros(64, np.int64)
    commands = Commands().add(kernels["scratch"], marks, size, tiles=64)
    commands.add(kernels["spin"], spin, 20_000, tiles=64, flags=0)
    for _ in range(20):
        crew.run(commands.array, 5, scratch=size)
        blocks = sorted(set(marks.tolist()))
        assert all(block % 64 == 0 and block != 0 for block in blocks)
        assert all(b - a >= size for a, b in pairwise(blocks))
    crew.close()


def test_scratch_grows(crew, kernels):
    marks = np.zeros(8, np.int64)
    for size in (10, 100_000, 64, 1_000_000):
        crew.run(Commands().add(kernels["scratch"], marks, size, tiles=8).array, scratch=size)
        assert marks.all()


def test_the_number_of_threads(monkeypatch):
    assert team() is team()
    assert Team(3).threads == 3
    if hasattr(os, "sched_getaffinity"):
        assert Team().threads == len(os.sched_getaffinity(0))
    program = [sys.executable, "-c", "from kcompile.runtime.team import team; print(team().threads)"]
    environment = {**os.environ, "KCOMPILE_NUM_THREADS": "5"}
    said = subprocess.run(program, env=environment, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "5"


def test_profile_gives_nanoseconds_of_each_command(crew, kernels):
    y = np.zeros(64, np.int64)
    commands = Commands().add(kernels["spin"], y, 20_000, tiles=64).add(kernels["count"], y, tiles=64)
    profile = np.zeros((crew.threads, 2), np.int64)
    began = time.perf_counter_ns()
    crew.run(commands.array, 10, profile=profile)
    elapsed = time.perf_counter_ns() - began
    long, short = profile.sum(0)
    assert 0 < short < long
    assert profile.sum(1).max() <= elapsed * 1.05
    before = profile.copy()
    crew.run(commands.array, profile=profile)
    assert (profile >= before).all()
    assert (profile > before).any()


@pytest.mark.parametrize("flush", [False, True])
def test_subnormals_are_flushed_only_if_asked_and_only_during_the_run(kernels, flush, monkeypatch):
    monkeypatch.setattr(
        "kcompile.runtime.team.current",
        lambda: type("C", (), {"flush_subnormals": flush, "num_threads": 0})(),
    )
    for threads in (1, 2):
        crew = Team(threads)
        y = np.full(64, 1e-38, np.float32)
        crew.run(Commands().add(kernels["subnormal"], y, tiles=64).array)
        assert (y == 0).all() == flush
        assert np.float32(1e-38) * np.float32(0.5) != 0  # this thread's own mode is as before
        crew.close()


@pytest.mark.parametrize(
    "commands",
    [
        np.zeros((2, 7), np.int64),
        np.zeros(8, np.int64),
        np.zeros((2, 8), np.int32),
        np.zeros((4, 16), np.int64)[:, ::2],
    ],
)
def test_a_wrong_command_list_is_refused(crew, commands):
    with pytest.raises(ValueError, match="int64"):
        crew.run(commands)


def test_a_wrong_profile_is_refused(crew, kernels):
    commands = Commands().add(kernels["count"], np.zeros(1, np.int64)).array
    with pytest.raises(ValueError, match="profile"):
        crew.run(commands, profile=np.zeros((crew.threads, 2), np.int64))
    with pytest.raises(ValueError, match="int64"):
        crew.run(commands, profile=np.zeros((crew.threads, 1)))
