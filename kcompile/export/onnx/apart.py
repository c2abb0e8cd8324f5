"""onnxruntime in a process of its own: of some files it dies by a signal, and then nothing else does."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

import numpy as np

from kcompile.core.import_path import import_path

SERVE = "import sys; sys.path[:] = sys.argv[1:]; from kcompile.export.onnx.apart import serve; serve()"
ENDED = (EOFError, OSError, pickle.UnpicklingError)  # what asking a process that has ended raises
Arrays = Sequence[np.ndarray] | Mapping[str, np.ndarray]

_idle: list[subprocess.Popen[bytes]] = []  # they wait for the next file, and end with this process
os.register_at_fork(after_in_child=_idle.clear)


class Crash(ChildProcessError):
    """The process of onnxruntime has ended. cause: by which signal, or with which exit code."""

    def __init__(self, text: str, cause: str):
        super().__init__(text)
        self.cause = cause


class Apart:
    """A `Session` in another process: the same attributes, and what its methods give or raise."""

    def __init__(self, path: str | os.PathLike[str], process: subprocess.Popen[bytes]):
        self.path, self._process = os.fspath(path), process
        self.names, self.outputs, self.states = self._ask("open", os.path.abspath(path))

    def run(self, arrays: Arrays) -> list[Any]:
        return list(self._ask("run", arrays))

    def typical_us(self, arrays: Arrays, *limits: float) -> float:
        return float(self._ask("typical_us", arrays, *limits))

    def _ask(self, what: str, *arguments: Any) -> Any:
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        try:
            pickle.dump((what, arguments), process.stdin, pickle.HIGHEST_PROTOCOL)
            process.stdin.flush()
            result, error = pickle.load(process.stdout)
        except ENDED as ended:
            process.kill()  # one that is dead already stays as it died
            cause = _cause(process.wait())
            raise Crash(f"onnxruntime dies of {self.path}, by {cause}", cause) from ended
        if error is not None:
            raise error
        return result


@contextmanager
def session(path: str | os.PathLike[str]) -> Iterator[Apart]:
    """The file in onnxruntime, in a process that later sessions use again.

    Raises:  ImportError without onnxruntime; its own exceptions for a file that it cannot run; Crash;
             OSError where there can be no such process.
    """
    if find_spec("onnxruntime") is None:
        raise ImportError("No module named 'onnxruntime'")
    process = _idle.pop() if _idle else _started()
    try:
        found = Apart(path, process)
        yield found
        found._ask("close")
    except BaseException:  # an interrupt comes in the midst of an answer
        process.kill()
        process.communicate()
        raise
    _idle.append(process)


def _started() -> subprocess.Popen[bytes]:
    """It has a group of its own, so that Ctrl-C is this process's to hear; it ends when its input does."""
    command, pipe = [sys.executable, "-c", SERVE, *import_path()], subprocess.PIPE
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=said, process_group=0)
        assert process.stdout is not None
        try:
            pickle.load(process.stdout)
        except BaseException as ended:  # an interrupt, too
            process.kill()
            process.communicate()
            if not isinstance(ended, ENDED):
                raise
            said.seek(0)
            *_, last = ["", *said.read().decode(errors="replace").splitlines()]
            raise OSError(
                f"the process for onnxruntime could not be started, by {_cause(process.returncode)}: {last}"
            ) from ended
    return process


def _cause(code: int) -> str:
    """How a process ended.

    >>> _cause(-11), _cause(1)
    ('SIGSEGV', 'exit code 1')
    """
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"exit code {code}"


def serve() -> None:
    """Answer what is asked on standard input until it ends; the first answer is to nothing. Libraries may not
    write among the answers.
    """
    from kcompile.export.onnx.session import Session

    answers = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "wb") as nothing:
        for descriptor in (1, 2):
            os.dup2(nothing.fileno(), descriptor)
    result: Any = None
    failure: Exception | None = None
    opened: Session | None = None
    while True:
        pickle.dump((result, failure), answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()
        try:
            what, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        result, failure = None, None
        try:
            if what == "open":
                opened = Session(*arguments)
                result = opened.names, opened.outputs, opened.states
            elif what == "close":
                opened = None
            else:
                result = getattr(opened, what)(*arguments)
        except Exception as error:
            failure = error
