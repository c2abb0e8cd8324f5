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
    ("trace", "initializers"): "Keras has names of initializers as an argument of Variable",
    ("models", "export"): "Keras has export as a method of Model",
    ("models", "explain"): "it is a method of Model, as export is",
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


def questions_for_ops_by_name(path: Path) -> Iterator[tuple[int, str]]:
    """Where code asks which op it has before it: by name, by a table of names, or by the record itself.

    What an op does stands in its record (rules and `Traits`). Names are for messages and for making ops.
    """
    for function in ast.walk(parse(path)):
        if isinstance(function, ast.FunctionDef | ast.Module):
            named = names_of_ops(function)
            for node in own_nodes(function):
                if any(map(named, asked(node))):
                    yield node.lineno, ast.unparse(node)


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function (or module) without those of functions inside of it; lambdas are its own."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef):
            yield child
            yield from own_nodes(child)


def names_of_ops(function: ast.AST):
    """Is an expression the name of an op, a record by its own name, or a variable that holds one of these?"""
    held: set[str] = set()

    def named(e: ast.AST) -> bool:
        if isinstance(e, ast.Attribute) and e.attr == "name":
            owner = e.value
            return (isinstance(owner, ast.Attribute) and owner.attr == "op") or (
                isinstance(owner, ast.Name) and owner.id in ("op", "operator")
            )
        if isinstance(e, ast.Subscript):
            return isinstance(e.value, ast.Name) and e.value.id == "REGISTRY"
        if isinstance(e, ast.Call):  # str(op.name), REGISTRY.get(...)
            return any(map(named, e.args)) or "REGISTRY.get" in ast.unparse(e.func)
        if isinstance(e, ast.Tuple | ast.List | ast.Set):
            return any(map(named, e.elts))
        return isinstance(e, ast.Name) and (e.id in held or e.id.endswith("_op"))

    for node in own_nodes(function):
        if isinstance(node, ast.Assign | ast.NamedExpr):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                pairs = [(target, node.value)]
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = list(zip(target.elts, node.value.elts, strict=True))
                held |= {t.id for t, value in pairs if isinstance(t, ast.Name) and named(value)}
    return named


def asked(node: ast.AST) -> list[ast.AST]:
    """What a node compares, or looks up in a table."""
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) != "REGISTRY":
        return [node.slice]
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return [node]  # the record of an op that is named: whoever needs it has a node of it, or its module
    if isinstance(node, ast.Match):
        return [node.subject]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        lookups = ("get", "startswith", "endswith", "setdefault", "count", "index")
        if node.func.attr in lookups and ast.unparse(node.func.value) != "REGISTRY":
            return [*node.args, node.func.value]
    return []


# The verifier asks whether the record of a node is the registered one, whichever it is.
ASKS_FOR_THE_RECORD = {"REGISTRY.get(node.op.name) is not node.op"}


def test_no_op_is_asked_for_by_name_below_the_layers():
    faults = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in sources()
        if unit_of(path) in BELOW_LAYERS and unit_of(path) != "kernels"
        for line, text in questions_for_ops_by_name(path)
        if text not in ASKS_FOR_THE_RECORD
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "text",
    [
        "def f(v):\n    return v.op.name == 'where'\n",
        "def f(v):\n    name, x = v.op.name, 1\n    if name in ('add', 'sum'): pass\n",
        "def f(v):\n    return TABLE.get(v.op.name)\n",
        "def f(v):\n    return TABLE[v.op.name]\n",
        "def f(v):\n    return v.op is transpose_op\n",
        "def f(v):\n    return v.op is not REGISTRY['stop_gradient']\n",
        "def f(op):\n    return op.name.startswith('max_pool')\n",
        "def f(v):\n    return REGISTRY['loop'](v)\n",
        "def f(v):\n    return [x for x in v if x.op.name != 'constant']\n",
        "def f(v):\n    match v.op.name:\n        case 'add': pass\n",
    ],
)
def test_the_checker_sees_a_test_of_an_op(tmp_path, text):
    path = tmp_path / "made.py"
    path.write_text(text)
    assert list(questions_for_ops_by_name(path))


def test_the_checker_leaves_messages_kinds_of_expressions_and_makers_alone(tmp_path):
    path = tmp_path / "made.py"
    path.write_text(
        "def f(v, e, one):\n"
        "    if e.op == 'reduce' and v.op.traits.linear and one.name in skipped:\n"
        "        raise ValueError(f'{v.op.name} has no kernel')\n"
        "    return REGISTRY[name](v), v.op(v), copy_op(v, slot=0), {'name': v.op.name}\n"
    )
    assert not list(questions_for_ops_by_name(path))


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
