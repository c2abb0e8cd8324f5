"""The source of one kernel and its identity: what is hashed to name its object code. No Numba here."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import llvmlite
import llvmlite.binding as llvm

import kcompile
from kcompile.core.lazy import lazy
from kcompile.kernels.host import host

# What the text of every kernel may call. Their files are part of
# every key, so editing one rebuilds the kernels.
BASE_MODULES = ("kcompile.codegen.numba_types", "kcompile.kernels.math.numba_ops")
_PIPELINE = (
    "kcompile.codegen.lowering",
    "kcompile.codegen.outline",
    "kcompile.codegen.target",
    "kcompile.codegen.ranges",
    "kcompile.codegen.emit",
)


_NO_DIGITS = str.maketrans("", "", "0123456789")


@dataclass(frozen=True)
class KernelSource:
    """Text of one kernel.

    text       language "python": defines `def kernel(args, begin, end, scratch)` over int64 and buffers.
               language "llvm": LLVM IR that defines @kernel, with any parameters.
    name       for people: errors, dumps, profiles. Not part of the identity: equal texts are one kernel.
    externals  functions that `call_external` names: sources, or symbols given to `loader.define_symbol`.
    modules    modules of kcompile, besides BASE_MODULES, whose public names the text may use.
    is_brief   it computes so little that vector loops would only take longer to compile.

    >>> copy = "def kernel(args, begin, end, scratch):\\n    buffer_f32(args[0], 0)[0] = f32(1)\\n"
    >>> KernelSource(copy, "a").symbol == KernelSource(copy, "b").symbol
    True
    """

    text: str
    name: str
    externals: tuple[KernelSource | str, ...] = ()
    modules: tuple[str, ...] = ()
    language: Literal["python", "llvm"] = "python"
    is_brief: bool = False

    @property
    def length(self) -> int:
        """About how much there is to compile, in characters."""
        return len(self.text)

    @lazy
    def skeleton(self) -> str:
        """What kernels have in common that probably differ in whole numbers only."""
        return self.text.translate(_NO_DIGITS)

    @lazy
    def key(self) -> str:
        """SHA-256, in hex, of all that decides the object code."""
        externals = [e if isinstance(e, str) else e.symbol for e in self.externals]
        files = [_file_digest(module) for module in self.modules]
        kind = f"{self.language}, brief" if self.is_brief else self.language
        parts = [host_fingerprint(), kind, self.text, *externals, "modules", *self.modules, *files]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    @property
    def symbol(self) -> str:
        """The entry's symbol in the object file; what another kernel's `call_external` names."""
        return f"kc_{self.key[:32]}"


class FamilySource(KernelSource):
    """LLVM IR of a kernel family (a tile shape, a transform), built only where its object code is not cached.

    name: tells which of the family. module: where it comes from; its folder's files are part of the identity.
    recipe: what makes the same source in another process (`families.family_source`).
    """

    length = 2000  # of a kernel that takes as long
    recipe: tuple[str | int, ...]

    def __init__(
        self, name: str, module: str, build: Callable[[], str], recipe: tuple[str | int, ...] = ()
    ) -> None:
        for field, value in {
            "name": name,
            "externals": (),
            "modules": (module,),
            "language": "llvm",
            "is_brief": False,
        }.items():
            object.__setattr__(self, field, value)
        object.__setattr__(self, "_build", build)
        object.__setattr__(self, "recipe", recipe)

    @lazy
    def text(self) -> str:
        return self._build()  # type: ignore[attr-defined]

    @property
    def skeleton(self) -> str:
        return self.name  # none is like another

    @lazy
    def key(self) -> str:
        files = [_file_digest(module) for module in ("kcompile.kernels.blocks", *self.modules)]
        parts = [host_fingerprint(), self.language, self.name, *files]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FamilySource) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


class StoredSource(KernelSource):
    """What is left of a source where only its object code is needed: its key, and what it calls.

    text raises MissingObject: whoever asks for it found no object code under the key.
    """

    def __init__(self, key: str, name: str, externals: tuple[KernelSource | str, ...]) -> None:
        for field, value in {"key": key, "name": name, "externals": externals, "language": "llvm"}.items():
            object.__setattr__(self, field, value)
        object.__setattr__(self, "modules", ())

    @property
    def text(self) -> str:
        raise MissingObject(f"no object code of kernel {self.name} is left")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredSource) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


class MissingObject(Exception):
    """A stored program names a kernel whose object code is gone: the program must be compiled again."""


@cache
def host_fingerprint() -> str:
    """Everything outside the source that decides the machine code: versions, CPU, our own code generator."""
    files = [_file_digest(module) for module in (*BASE_MODULES, *_PIPELINE)]
    versions = [kcompile.__version__, _numba_version(), llvmlite.__version__]
    cpu = host()
    triple = cpu.triple or llvm.get_process_triple()
    return "\0".join([*versions, triple, cpu.name, cpu.features, *files])


def _numba_version() -> str:
    """Digest of Numba's version file. Importing Numba costs 0.1 s, importlib.metadata 12 ms, this 0.1 ms."""
    spec = importlib.util.find_spec("numba")
    if spec is None or spec.origin is None:
        return "absent"
    return _digest(Path(spec.origin).with_name("_version.py"))


@cache
def _file_digest(module: str) -> str:
    """Digest of a module of kcompile, found without importing its parents (some import Numba).

    Modules of a kernel family build on each other, so there it is the digest of the whole folder.
    """
    relative = Path(*module.split(".")[1:]).with_suffix(".py")
    paths = [path for root in kcompile.__path__ if (path := Path(root) / relative).is_file()][:1]
    if module.startswith("kcompile.kernels."):
        paths = sorted(path for found in paths for path in found.parent.glob("*.py"))
    return "".join(map(_digest, paths)) or "absent"


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "absent"
