"""A contender's long-lived process, driven over a pipe and stopped while others are measured."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any, Protocol

from benchmarks import environment
from benchmarks.contenders import Contender


class WorkerError(RuntimeError):
    """A contender's process failed; the message holds its traceback."""


class Handle(Protocol):
    """A contender's process as the rounds see it."""

    name: str

    def ask(self, do: str, **request: Any) -> dict[str, Any]: ...


class Process:
    """Runs ``benchmarks.worker``. Between requests the process is stopped: no idle thread of it can spin."""

    def __init__(self, contender: Contender, python: str, threads: int) -> None:
        self.name = contender.name
        # A process group of its own lets one signal reach the helpers that torch.compile starts.
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment.child_environment(contender, threads),
            cwd=environment.ROOT,
            process_group=0,
        )

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Sends a request and waits for its answer. Raises WorkerError if the worker failed or died."""
        self._signal(signal.SIGCONT)
        line = self._exchange(json.dumps({"do": do, **request}))
        if not line:
            raise WorkerError(f"the process ended with code {self.process.wait()}")
        self._signal(signal.SIGSTOP)
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _exchange(self, request: str) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return ""
        return self.process.stdout.readline()

    def _signal(self, number: int) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def close(self) -> None:
        self._signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
