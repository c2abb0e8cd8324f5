"""The threads of a team: woken, asleep, forked, several Python threads, the end of the process."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from kcompile.runtime.executor import ASLEEP, Control
from kcompile.runtime.team import CommandList, Team
from tests.runtime.crew import Commands


def run_until_both_work(crew, commands):
    """Both threads must get tiles, though the machine be busy with other things."""
    profile = np.zeros((2, 1), np.int64)
    deadline = time.monotonic() + 20
    while profile[1, 0] == 0 and time.monotonic() < deadline:
        crew.run(commands, 10, profile=profile)
    assert (profile > 0).all()


def test_both_threads_work_and_workers_that_fell_asleep_are_woken(kernels):
    crew = Team(2)
    y = np.zeros(64, np.int64)
    commands = CommandList(Commands().add(kernels["spin"], y, 30_000, tiles=64).array)
    run_until_both_work(crew, commands)
    for _ in range(3):
        deadline = time.monotonic() + 20
        while crew._control[Control.SLEEPING + 1] != ASLEEP and time.monotonic() < deadline:
            time.sleep(0.001)
        assert crew._control[Control.SLEEPING + 1] == ASLEEP
        run_until_both_work(crew, commands)
    crew.close()


def test_one_thread_alone_starts_no_worker(kernels):
    crew = Team(4)
    y = np.zeros(64, np.int64)
    commands = Commands().add(kernels["count"], y, tiles=64).array
    crew.run(commands, threads=1)
    assert not crew._workers
    crew.run(commands, threads=2)
    assert len(crew._workers) == 3
    assert y.tolist() == [2] * 64
    crew.close()


def test_two_python_threads_at_once(crew, kernels):
    """One uses the team, the other goes ahead alone; both are right."""
    failures = []

    def use(number):
        y = np.zeros(30, np.int64)
        commands = CommandList(Commands().add(kernels["count"], y, tiles=30, grain=number).array)
        for turn in range(1, 300):
            if crew.run(commands, 7, scratch=64 * number) != 7 or y.tolist() != [7 * turn] * 30:
                failures.append((number, turn, y.tolist()))

    threads = [threading.Thread(target=use, args=(number,)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_closed_team_starts_anew(kernels):
    crew = Team(2)
    y = np.zeros(8, np.int64)
    commands = Commands().add(kernels["count"], y, tiles=8).array
    for _ in range(3):
        crew.run(commands)
        workers = crew._workers
        crew.close()
        assert not any(worker.is_alive() for worker in workers)
    assert y.tolist() == [3] * 8


def test_a_team_that_is_dropped_ends_its_workers(kernels):
    crew = Team(3)
    crew.run(Commands().add(kernels["count"], np.zeros(8, np.int64), tiles=8).array)
    workers = crew._workers
    assert len(workers) == 2
    del crew
    for worker in workers:
        worker.join(10)
        assert not worker.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_a_team_of_its_own(kernels):
    crew = Team(2)
    y = np.zeros(64, np.int64)
    commands = CommandList(Commands().add(kernels["count"], y, tiles=64).array)
    crew.run(commands, 10)
    child = os.fork()
    if child == 0:
        done = crew.run(commands, 10)
        os._exit(0 if done == 10 and y.tolist() == [20] * 64 and crew._workers else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert crew.run(commands, 1) == 1
    assert y.tolist() == [11] * 64
    crew.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_in_the_middle_of_another_threads_run(kernels):
    crew = Team(2)
    y, stop = np.zeros(8, np.int64), np.zeros(1, np.int64)
    runner = threading.Thread(
        target=crew.run, args=(Commands().add(kernels["spin"], y, 1000, tiles=8).array, 10**9, stop)
    )
    runner.start()
    time.sleep(0.02)
    child = os.fork()
    if child == 0:
        z = np.zeros(64, np.int64)
        done = crew.run(Commands().add(kernels["count"], z, tiles=64).array, 10)
        os._exit(0 if done == 10 and z.tolist() == [10] * 64 else 1)
    _, status = os.waitpid(child, 0)
    stop[0] = 1
    runner.join()
    assert os.waitstatus_to_exitcode(status) == 0
    crew.close()


LEAVES = """
import numpy as np
from kcompile.codegen.source import KernelSource
from kcompile.runtime.kernels import get_kernels
from kcompile.runtime.team import Team, team
text = "def kernel(args, begin, end, scratch):\\n    y = buffer_i64(args[0], 0)\\n    y[begin] += 1\\n"
y = np.zeros(4, np.int64)
block = np.array([y.ctypes.data], np.int64)
(address,) = get_kernels([KernelSource(text, "add")])
commands = np.array([[address, block.ctypes.data, 4, 1, 1, 0, 0, 0]], np.int64)
kept, other = Team(2), team()
kept.run(commands)
other.run(commands)
"""


def test_a_process_ends_while_workers_spin_or_sleep():
    for pause in ("", "import time; time.sleep(0.01)"):
        program = [sys.executable, "-c", LEAVES + pause]
        ended = subprocess.run(program, capture_output=True, text=True, timeout=60)
        assert (ended.returncode, ended.stderr) == (0, "")


ENDS_DURING_A_RUN = LEAVES.replace(
    "kept.run(commands)\nother.run(commands)\n",
    """
import threading, time
for crew, threads in ((kept, 2), (other, 1)):
    arguments = {"commands": commands, "steps": 10**12, "threads": threads}
    threading.Thread(target=crew.run, kwargs=arguments, daemon=True).start()
time.sleep(0.05)
""",
)


def test_a_process_ends_while_another_thread_runs():
    assert "10**12" in ENDS_DURING_A_RUN
    for _ in range(3):
        program = [sys.executable, "-c", ENDS_DURING_A_RUN]
        ended = subprocess.run(program, capture_output=True, text=True, timeout=60)
        assert (ended.returncode, ended.stderr) == (0, "")


def test_closing_ends_a_run_after_its_step(kernels):
    crew = Team(2)
    y = np.zeros(8, np.int64)
    commands = Commands().add(kernels["spin"], y, 1000, tiles=8).array
    done = []
    runner = threading.Thread(target=lambda: done.append(crew.run(commands, 10**9)))
    runner.start()
    while y[0] == 0:
        time.sleep(0.001)
    crew.close()
    runner.join(10)
    assert 0 < done[0] < 10**9
