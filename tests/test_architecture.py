"""The rules of docs/architecture.md that a test can hold."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 400  # lines of a source file

# Imports inside functions that go up the order, each with its reason. At module level there are none.
UPWARD: dict[tuple[str, str], str] = {
    ("models", "saving"): "Keras has save and load_weights as methods of Model, and keras.models.load_model",
    ("layers", "saving"): "Keras has save as a method of FeatureSpace",
    ("ops", "autograd"): "Keras has jvp among its ops",
    ("ops", "random"): "Keras draws inside of ops.image.elastic_transform",
    ("models", "export"): "Keras has export as a method of Model",
}

# Files above LIMIT lines, each with its reason.
LONG: dict[str, str] = {}

BELOW_LAYERS = ("kernels", "ir", "trace", "autograd", "passes", "schedule", "codegen", "runtime", "compiler")

# What `import kcompile` alone must not load.
HEAVY = {"numba", "llvmlite", "onnx", "onnxruntime", "h5py", "rich", "click"}


def sources() -> list[Path]:
    return sorted(p for folder in ("kcompile", "kernels") for p in (ROOT / folder).rglob("*.py"))


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def unit_of(path: Path) -> str:
    """The part of the order that a file belongs to: kcompile/ir/graph.py -> ir."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0] if parts[0] == "kernels" else parts[1]


def order() -> list[str]:
    """The list in docs/architecture.md."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    block = re.search(r"enforces it\):\n\n((?:    .+\n)+)", text)
    assert block, "docs/architecture.md has no import order"
    return block[1].split()


def imports_of(path: Path) -> Iterator[tuple[int, str, bool]]:
    """(line, imported unit, inside a function?) for every import of our own that runs."""
    skipped = set()  # what only a type checker reads
    inner = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skipped.update(id(child) for statement in node.body for child in ast.walk(statement))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner.update(id(child) for child in ast.walk(node))
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in skipped:
            for name in imported_names(node, path):
                parts = name.split(".")
                if parts[0] == "kcompile" and len(parts) > 1:
                    yield node.lineno, parts[1], id(node) in inner


def imported_names(node: ast.Import | ast.ImportFrom, path: Path) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        relative = path.relative_to(ROOT).parent.parts
        package = ("kcompile", *relative) if relative[0] == "kernels" else relative
        base = ".".join([*package[: len(package) - node.level + 1], *([base] if base else [])])
    return [f"{base}.{alias.name}" for alias in node.names]


def test_imports_go_one_way():
    rank = {unit: position for position, unit in enumerate(order())}
    faults = []
    for path in sources():
        unit = unit_of(path)
        if unit == "__init__":
            continue
        for line, imported, inner in imports_of(path):
            where = f"{path.relative_to(ROOT)}:{line}"
            if unit not in rank or imported not in rank:
                faults.append(f"{where}: {unit} or {imported} is not in the order of docs/architecture.md")
            elif rank[imported] > rank[unit] and not (inner and (unit, imported) in UPWARD):
                faults.append(f"{where}: {unit} imports {imported}")
    assert not faults, "\n".join(faults)


def test_upward_imports_that_are_allowed_exist():
    """An entry of UPWARD that no file needs any more must go."""
    found = {
        (unit_of(path), imported) for path in sources() for _, imported, inner in imports_of(path) if inner
    }
    assert UPWARD.keys() <= found


def test_the_order_names_what_exists():
    units = {unit_of(path) for path in sources()} - {"__init__"}
    assert units <= set(order())


def test_the_checker_sees_imports(tmp_path, monkeypatch):
    """The helper itself: absolute, relative, inner and type-only imports."""
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    path = tmp_path / "kcompile" / "ir" / "graph.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "import numpy, kcompile.ops.math\n"
        "from kcompile import layers\n"
        "from . import types\n"
        "from ..core import dtypes\n"
        "def f():\n    from kcompile.models import Model\n"
        "if TYPE_CHECKING:\n    from kcompile import training\n"
    )
    seen = list(imports_of(path))
    assert seen == [
        (1, "ops", False),
        (2, "layers", False),
        (3, "ir", False),
        (4, "core", False),
        (6, "models", True),
    ]


def layer_names() -> set[str]:
    files = [path for path in sources() if unit_of(path) == "layers"]
    return {node.name for path in files for node in ast.walk(parse(path)) if isinstance(node, ast.ClassDef)}


def words_of(path: Path) -> Iterator[tuple[int, str]]:
    """Names, attributes and whole strings in the code; comments and docstrings may name a layer."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) != "ast":  # ast.Add is Python's own
            yield node.lineno, node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def test_no_layer_is_named_below_the_layers():
    names = layer_names()
    faults = [
        f"{path.relative_to(ROOT)}:{line}: {word}"
        for path in sources()
        if unit_of(path) in BELOW_LAYERS
        for line, word in words_of(path)
        if word in names
    ]
    assert not faults, "\n".join(faults)


def test_the_layers_are_seen():
    assert {"Layer", "Dense", "Conv2D", "Dropout", "BatchNormalization"} <= layer_names()


def test_files_stay_short():
    lengths = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in sources()}
    long = {name for name, lines in lengths.items() if lines > LIMIT}
    assert long == LONG.keys(), (
        f"more than {LIMIT} lines: {long - LONG.keys()}; short again: {LONG.keys() - long}"
    )


def loaded_by(code: str) -> set[str]:
    """Top-level and kcompile modules in a fresh interpreter after `code`."""
    program = f"import sys, json\n{code}\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    modules = json.loads(done.stdout.splitlines()[-1])
    return {name if name.startswith("kcompile") else name.partition(".")[0] for name in modules}


@pytest.mark.parametrize(
    "code",
    [
        "import kcompile",
        "import kcompile; dir(kcompile)",
        "from kcompile.datasets import mnist",
        "import kcompile.models, kcompile.layers, kcompile.optimizers, kcompile.losses, kcompile.metrics",
    ],
)
def test_import_loads_nothing_heavy(code):
    assert not loaded_by(code) & HEAVY


def test_import_alone_loads_the_package_alone():
    ours = {name for name in loaded_by("import kcompile") if name.startswith("kcompile")}
    assert ours == {"kcompile"}
