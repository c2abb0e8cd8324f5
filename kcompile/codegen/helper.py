"""A second process that compiles kernels beside this one.

It is a fresh interpreter, not a fork: threads and locks of the user's process do not matter to it. Sources go
to it as JSON lines, objects come back with their length in front. If it cannot start or dies, nothing is
lost: what it has not finished is compiled here.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Container, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

from kcompile.codegen.source import FamilySource, KernelSource
from kcompile.core.import_path import import_path

_LENGTH = struct.Struct("<q")  # -1: this kernel does not compile
# The collector would look through Numba's modules again and again: a tenth of the start.
_SERVE = (
    "import gc, sys; gc.disable(); sys.path[:] = {path!r}; from kcompile.codegen.helper import serve; serve()"
)
PATIENCE = 60.0  # seconds that a process waits for the sources it was started for


class Waiting:
    """Sources to compile, for several threads. is_open: more may come, and who takes one waits a while for
    it.
    """

    def __init__(self, sources: Iterable[KernelSource] = (), is_open: bool = False) -> None:
        self.sources = deque(sources)
        self._is_open, self._changed = is_open, threading.Condition()
        self._begun: set[str] = set()  # skeletons

    def close(self, last: Iterable[KernelSource] = ()) -> None:
        """Add the last ones."""
        with self._changed:
            self.sources.extend(last)
            self._is_open = False
            self._changed.notify_all()

    def keep(self, keys: Container[str]) -> None:
        """Nothing else is to be compiled of what has not been taken."""
        with self._changed:
            self.sources = deque(s for s in self.sources if s.key in keys)

    def clear(self) -> None:
        """Nothing is to be compiled any more."""
        with self._changed:
            self.sources.clear()
            self._is_open = False
            self._changed.notify_all()

    def take(self, before: KernelSource | None = None) -> KernelSource | None:
        """The first one, but rather one that is like `before`, which the same process has compiled: it costs
        less; and rather none that is like what another has compiled.
        """
        with self._changed:
            while self._is_open and not self.sources:
                if not self._changed.wait(PATIENCE):
                    self._is_open = False
            if not self.sources:
                return None
            alike = (s for s in self.sources if before is not None and s.skeleton == before.skeleton)
            new = (s for s in self.sources if s.skeleton not in self._begun)
            source = next(alike, None) or next(new, self.sources[0])
            self.sources.remove(source)
            self._begun.add(source.skeleton)
            return source


class Helper:
    """Takes sources from `waiting` while its process compiles them."""

    def __init__(self, process: subprocess.Popen[bytes], waiting: Waiting) -> None:
        self._process = process
        self._waiting = waiting
        self._finished: list[tuple[KernelSource, bytes]] = []
        self._left: list[KernelSource] = []
        self._thread = threading.Thread(target=self._feed, name="kcompile-build", daemon=True)
        self._thread.start()

    @classmethod
    def start(cls, waiting: Waiting) -> Helper | None:
        """A running helper, or None where this process's interpreter cannot be started again."""
        interpreter = sys.executable or ""
        if getattr(sys, "frozen", False) or not Path(interpreter).name.lower().startswith("python"):
            return None
        try:
            process = subprocess.Popen(
                [interpreter, "-c", _SERVE.format(path=import_path())],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env={**os.environ, "KCOMPILE_DEBUG": ""},
            )  # fmt: skip
        except OSError:
            return None
        return cls(process, waiting)

    def join(self) -> tuple[list[tuple[KernelSource, bytes]], list[KernelSource]]:
        """What the process compiled, and what it took but did not compile.

        Nothing may be waiting any more.
        """
        self._thread.join()
        return self._finished, self._left

    def _feed(self) -> None:
        sources, objects = self._process.stdin, self._process.stdout
        assert sources is not None and objects is not None
        with suppress(OSError, EOFError), sources, objects:
            source = None
            while source := self._waiting.take(source):
                self._left.append(source)
                data = _ask(source, sources, objects)
                if data is not None:
                    self._finished.append((self._left.pop(), data))
        self._process.wait()  # its input has ended


def _ask(source: KernelSource, sources: IO[bytes], objects: IO[bytes]) -> bytes | None:
    externals = [e if isinstance(e, str) else e.symbol for e in source.externals]
    kind = source.language, source.is_brief
    recipe = source.recipe if isinstance(source, FamilySource) else ()
    text = "" if recipe else source.text
    job = [recipe, text, source.name, externals, source.modules, *kind, source.symbol]
    sources.write(json.dumps(job).encode() + b"\n")
    sources.flush()
    (length,) = _LENGTH.unpack(_read(objects, _LENGTH.size))
    return _read(objects, length) if length >= 0 else None


def _read(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data


def serve() -> None:
    """The second process: compile what stdin asks for until it ends."""
    from kcompile.codegen.build import build_ir, build_one
    from kcompile.codegen.families import family_source
    from kcompile.codegen.lowering import lower  # noqa: F401  # imports Numba before the first source is here

    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that is printed may come between the objects
    for line in sys.stdin.buffer:
        recipe, text, name, externals, modules, language, is_brief, symbol = json.loads(line)
        data = None
        with suppress(Exception):  # the first process compiles it again and tells the user
            if recipe:
                member = family_source(*recipe)
                data = build_one(member) if member.symbol == symbol else None
            elif language == "llvm":
                data = build_ir(text, symbol)
            else:
                source = KernelSource(text, name, tuple(externals), tuple(modules), language, is_brief)
                data = build_one(source) if source.symbol == symbol else None
        answers.write(_LENGTH.pack(-1 if data is None else len(data)) + (data or b""))
        answers.flush()
    os._exit(0)  # what Numba and LLVM hold need not be taken apart: somebody waits for the end
