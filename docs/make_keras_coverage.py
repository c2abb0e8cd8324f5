"""How much of Keras's public API kcompile has, name by name and argument by argument.

    python docs/make_keras_coverage.py           writes docs/keras-coverage.md from the stored API of Keras,
                                                 and kcompile/core/public_names.py
    python docs/make_keras_coverage.py --keras   stores that API first; needs Keras (the `parity` extra)

Keras's API lies in tests/parity/keras_api.json: {module: {name: item}}, where an item is

    ["x", "axis=None"]                      a function's parameters
    {"__init__": [...], "method": [...]}    a class: its constructor, its public methods, "property"
    "= keras.ops.abs"                       another name of something that is listed there
    "value"                                 anything else

Methods that a class inherits from a public class are listed with that class alone.
tests/test_keras_coverage.py fails while the table is not the one that this script writes.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
STORED = ROOT / "tests" / "parity" / "keras_api.json"
TABLE = ROOT / "docs" / "keras-coverage.md"
NAMES = ROOT / "kcompile" / "core" / "public_names.py"
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

Item = Any  # as in the module's docstring

# Modules of Keras that are left out: aliases for TensorFlow users.
LEFT_OUT = ("keras.src", "keras._tf_keras")


NOT_DONE = "not done yet"

# A pattern of full names (keras.ops.abs, keras.Layer.build) -> the reason of their gaps. The first that
# matches counts; a gap that none matches is work to do.
REASONS: dict[str, str] = {
    r"keras\.callbacks\.OrbaxCheckpoint.*": "for checkpoints of Orbax, a library of JAX; it says what to use",
    r"keras\.callbacks\.TensorBoard\.summary": "a module of TensorFlow; event files are written without it",
    r"keras\.distribution\..*": "one process on one host: there is no mesh of devices to distribute over",
    r"keras\.(utils\.)?legacy\..*": "for files and code of Keras 2",
    r"keras\.layers\.((TFSM|Jax|Flax)Layer|TorchModuleWrapper)": "wraps a model of another framework",
    r"keras\.KerasTensor\.(ragged_rank|row_splits_dtype)": "there are no ragged tensors",
    r"keras\.Model\.distribute_\w+": "of TensorFlow's strategies",
    r"keras\.(name_scope|ops\.layer_normalization)": "what its `**kwargs` may be is named",
    r"keras\.ops\.multi_hot": "its `**kwargs` are for the name that an argument once had",
    r"keras\.quantizers\.(GPTQ|AWQ)Config": "GPTQ and AWQ calibrate blocks of a language model on its texts, "
    "by a tokenizer, of which Keras has none; `quantize('int4')` needs no data",
    r"keras\.Operation\.quantized_call": "layers alone have weights to quantize, and have it",
    r"keras\.(Layer|Operation)\.rematerialized_call": "`keras.remat` marks what is computed again",
    r"keras\.Model\.stateless_compute_loss": "made for the trainer of one backend; `stateless_call` is there",
    r"keras\.Model\.export": "ONNX is the only format, so it is the default",
    r"keras\.export\.ExportArchive.*": "for TensorFlow's SavedModel; it says that `Model.export` writes ONNX",
    r"keras\.Variable": "there are no layouts on several devices",
    r"keras\.Metric\.add_variable": "both may be left out: () and zeros",
    r"keras\.Sequential\.compute_output_spec|keras\.layers\.(SpectralNormalization|TimeDistributed)\.build|"
    r"keras\.layers\.\w+\.(compute_output_shape|transform_segmentation_masks)": "calls as Keras's "
    "work; what Keras takes as `**kwargs` is named, or has a default",
    r"keras\.layers\.(RandomShear|RandomTranslation|RandomZoom)\.get_\w+": "helpers of Keras's own box code; "
    "boxes are transformed by `transform_bounding_boxes`",
    r"keras\.(datasets\.imdb\.load_data|models\.clone_model|preprocessing\.image\.smart_resize)": "its "
    "`**kwargs` are for Keras's own use, or for names that arguments once had",
    r"keras\.saving\.deserialize_keras_object": "what its `**kwargs` may be is named",
    r"keras\.Optimizer": "Keras shows `*args` only because its base class depends on the backend",
}


def reason_of(name: str) -> str:
    """The reason of a gap."""
    return next((why for pattern, why in REASONS.items() if re.fullmatch(pattern, name)), NOT_DONE)


# --- reading an API -----------------------------------------------------------------------------------------


def parameters_of(function: Any) -> list[str] | None:
    """The parameters without `self`, as they are written in a signature without annotations."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    written: list[str] = []
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and not any(w.startswith("*") for w in written):
            written.append("*")
        if p.name not in ("self", "cls"):
            written.append(str(p.replace(annotation=p.empty, default=_plain(p.default))))
    return written


class _Named:
    """A default value that is an object: only its name is compared."""

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name}>"


def _plain(default: Any) -> Any:
    if default is inspect.Parameter.empty or isinstance(default, (str, int, float, bool, type(None))):
        return default
    if isinstance(default, (list, tuple, dict)) and "object at" not in repr(default):
        return default
    return _Named(getattr(default, "__name__", type(default).__name__))


def members_of(cls: type, skipped: tuple[type, ...] = (), package: str = "keras.") -> dict[str, Any]:
    """Constructor and public methods of a class; not those that a class of `skipped` has in the same form."""
    found: dict[str, Any] = {"__init__": parameters_of(cls.__init__) if _own_init(cls) else []}  # type: ignore[misc]
    for name in sorted(set(dir(cls))):
        if name.startswith("_") and name != "__call__":
            continue
        home = next(c for c in cls.__mro__ if name in vars(c))
        item = vars(home)[name]
        if not home.__module__.startswith(package) or _is_foreign(home):
            continue
        if any(inspect.getattr_static(base, name, None) is item for base in skipped):
            continue
        if isinstance(item, (property, functools.cached_property)):
            found[name] = "property"
        elif isinstance(item, (classmethod, staticmethod)) or inspect.isroutine(item):
            found[name] = parameters_of(getattr(cls, name))
    return found


def _own_init(cls: type) -> bool:
    return cls.__init__ is not object.__init__  # type: ignore[misc]


def _is_foreign(home: type) -> bool:
    """Is this a class that ties Keras to TensorFlow's own machinery?"""
    return ".backend.tensorflow." in home.__module__ and not home.__module__.endswith(".trainer")


def modules_of(package: ModuleType) -> Iterator[tuple[str, ModuleType]]:
    """A package and its public modules."""
    yield package.__name__, package
    for name, item in sorted(vars(package).items()):
        full = f"{package.__name__}.{name}"
        if isinstance(item, ModuleType) and item.__name__ == full and not full.startswith(LEFT_OUT):
            yield from modules_of(item)


def api_of(package: ModuleType) -> dict[str, dict[str, Item]]:
    """The whole public API of Keras, each object described where it is met first."""
    modules = sorted(modules_of(package), key=lambda pair: (pair[0].count("."), pair[0]))
    classes = {id(v): v for _, m in modules for v in vars(m).values() if inspect.isclass(v)}
    seen: dict[int, str] = {}
    found: dict[str, dict[str, Item]] = {}
    for path, module in modules:
        found[path] = {}
        for name, item in sorted(vars(module).items()):
            if name.startswith("_") or isinstance(item, ModuleType):
                continue
            described = callable(item) and id(item) in seen
            found[path][name] = f"= {seen[id(item)]}" if described else _describe(item, classes)
            seen.setdefault(id(item), f"{path}.{name}")
    return {path: names for path, names in found.items() if names}


def _describe(item: Any, classes: dict[int, type]) -> Item:
    if inspect.isclass(item):
        return members_of(item, tuple(c for c in item.__mro__[1:] if id(c) in classes))
    return parameters_of(item) if callable(item) else "value"


def store() -> None:
    """Write the API of the installed Keras."""
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whose `train_step(data)` most code overrides
    keras = importlib.import_module("keras")
    stored = {"version": keras.__version__, "modules": api_of(keras)}
    STORED.write_text(json.dumps(stored, indent=0, sort_keys=True) + "\n")


# --- comparing ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gap:
    """Something that Keras has and kcompile has not, or has otherwise."""

    name: str  # keras.ops.abs, keras.Layer.build
    what: str  # "missing", or the parameters in which the two differ
    reason: str


@dataclass(frozen=True)
class Module:
    name: str
    names: int
    present: int
    gaps: tuple[Gap, ...]


def find(path: str) -> Any:
    """The object of kcompile that keras.a.b.c is here; None where there is none."""
    item: Any = importlib.import_module("kcompile")
    for part in path.split(".")[1:]:
        try:
            item = getattr(item, part)
        except AttributeError:
            return None
    return item


def differences(path: str, item: Item, ours: Any) -> Iterator[tuple[str, str]]:
    """(name, what) for everything in which our object differs from Keras's description."""
    if isinstance(item, dict):
        if not inspect.isclass(ours):
            yield path, "not a class"
            return
        for method, wanted in item.items():
            yield from _method_differences(path, method, wanted, ours)
    elif isinstance(item, list) and callable(ours):
        yield from _parameter_differences(path, item, parameters_of(ours))
    elif isinstance(item, list):
        yield path, "not a function"


def _method_differences(path: str, method: str, wanted: Any, cls: type) -> Iterator[tuple[str, str]]:
    if method == "__init__":
        yield from _parameter_differences(path, wanted, members_of(cls)["__init__"])
        return
    name = f"{path}.{method}"
    missing = inspect.getattr_static(cls, method, None) is None and not _is_attribute(cls, method)
    if missing:
        yield name, "missing"
    elif isinstance(wanted, list) and callable(ours := getattr(cls, method, None)):
        yield from _parameter_differences(name, wanted, parameters_of(ours))


def _is_attribute(cls: type, name: str) -> bool:
    """Do instances have this attribute? Read from annotations and from assignments to self."""
    for base in cls.__mro__:
        if not base.__module__.startswith("kcompile"):
            continue
        if name in inspect.get_annotations(base) or re.search(rf"self\.{name}\b[^=\n]*=", _source(base)):
            return True
    return False


@functools.cache
def _source(cls: type) -> str:
    return inspect.getsource(cls)


def _parameter_differences(path: str, wanted: Any, ours: Any) -> Iterator[tuple[str, str]]:
    ours = ours or []
    if wanted is None or _takes_all(wanted, ours):
        return
    lacking, other = [p for p in wanted if p not in ours], [p for p in ours if p not in wanted]
    if not lacking:  # the order
        lacking, other = wanted, ours
    yield path, f"({', '.join(lacking)}) is here ({', '.join(other)})"


def _takes_all(wanted: list[str], ours: list[str]) -> bool:
    """Does a call that is right for Keras mean the same here? More optional parameters may follow."""
    if [p[: p.count("*")] for p in ours] == ["*", "**"]:  # handed on to a function that takes them
        return True
    if any(p.startswith("**") for p in wanted) and not any(p.startswith("**") for p in ours):
        return False
    fixed, mine = _positional(wanted), _positional(ours)
    more = mine[len(fixed) :]
    return mine[: len(fixed)] == fixed and all("=" in p or p.startswith("*") for p in more)


def _positional(parameters: list[str]) -> list[str]:
    """Without `**kwargs`, and with one name for all `*args`."""
    return ["*" if p.startswith("*") else p for p in parameters if not p.startswith("**")]


def compare(stored: dict[str, Any]) -> list[Module]:
    """Every module of Keras with its gaps."""
    modules = []
    for path, names in sorted(stored["modules"].items()):
        gaps: list[Gap] = []
        present = 0
        for name, item in names.items():
            full, ours = f"{path}.{name}", find(f"{path}.{name}")
            if ours is None and item != "value":
                gaps.append(Gap(full, "missing", reason_of(full)))
                continue
            present += 1
            found = differences(full, item, ours)
            gaps += [Gap(where, what, reason_of(where)) for where, what in found]
        modules.append(Module(path, len(names), present, tuple(gaps)))
    return modules


# --- writing ------------------------------------------------------------------------------------------------

INTRODUCTION = """# Keras {version} and kcompile

Written by `python docs/make_keras_coverage.py`; do not edit. "Names": functions, classes and values of a
public module of Keras. "There": those that kcompile has. "Explained": gaps (missing names, methods or
parameters, other defaults) that are meant, each with its reason below. "Not done yet": all other gaps, with
what is in the way.

| module | names | there | explained | not done yet |
| --- | --- | --- | --- | --- |
"""


def render(stored: dict[str, Any], modules: list[Module]) -> str:
    """The table and the list of gaps, as Markdown."""
    rows = [_row(m) for m in modules]
    total = [sum(column) for column in zip(*(r[1:] for r in rows), strict=True)]
    lines = ["| " + " | ".join(map(str, r)) + " |" for r in [*rows, ("**all**", *total)]]
    text = INTRODUCTION.format(version=stored["version"]) + "\n".join(lines) + "\n"
    for module in modules:
        if module.gaps:
            text += f"\n## {module.name}\n\n" + "".join(_listed(module))
    return text


def _row(module: Module) -> tuple[Any, ...]:
    open_ = sum(g.reason.startswith(NOT_DONE) for g in module.gaps)
    return f"`{module.name}`", module.names, module.present, len(module.gaps) - open_, open_


def _listed(module: Module) -> Iterator[str]:
    """Missing names with one reason in one line; other gaps in a line each."""
    together: dict[str, list[str]] = {}
    for gap in module.gaps:
        if gap.what == "missing":
            together.setdefault(gap.reason, []).append(_short(gap, module))
    for reason, names in together.items():
        yield f"- {', '.join(names)}: missing; {reason}\n"
    for gap in module.gaps:
        if gap.what != "missing":
            yield f"- {_short(gap, module)}: `{gap.what}`; {gap.reason}\n"


def _short(gap: Gap, module: Module) -> str:
    return f"`{gap.name.removeprefix(module.name + '.')}`"


TABLE_BEGINS = "_NAMES = {\n"


def public_names(stored: dict[str, Any]) -> str:
    """The module of the package with the names of Keras's modules that are here, its table made anew."""
    found: dict[str, set[str]] = {}
    for path, names in stored["modules"].items():
        if find(path) is None:
            continue
        found.setdefault(path, set()).update(n for n in names if find(f"{path}.{n}") is not None)
        while "." in path:
            path, _, name = path.rpartition(".")
            found.setdefault(path, set()).add(name)
    text = NAMES.read_text().partition(TABLE_BEGINS)[0] + TABLE_BEGINS
    for path, held in sorted(found.items()):
        begin = f'    "{path.partition(".")[2]}": """'
        text += textwrap.fill(" ".join(sorted(held)), 104, initial_indent=begin, subsequent_indent=" " * 8)
        text += '""",\n'
    return text + "}\n"


def main() -> None:
    if "--keras" in sys.argv:
        store()
    stored = json.loads(STORED.read_text())
    TABLE.write_text(render(stored, compare(stored)))
    NAMES.write_text(public_names(stored))


if __name__ == "__main__":
    main()
