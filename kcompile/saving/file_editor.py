"""`KerasFileEditor`: look into a file of weights, compare it with a model, change names and arrays."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kcompile.core.errors import message
from kcompile.core.files import replacing
from kcompile.saving.keras_file import check_metadata
from kcompile.saving.safe_hdf5 import Group, open_group
from kcompile.saving.safe_json import MAX_BYTES, parse
from kcompile.saving.safe_zip import CONFIG, WEIGHTS, ModelArchive
from kcompile.saving.weights import holder_arrays, write_array

Tree = dict[str, Any]  # names -> arrays, or the tree of an object inside
VARS = "vars"


class KerasFileEditor:
    """The weights of a .keras or .weights.h5 file: objects by path ("layers/dense") with their arrays.

    Nothing is built and no code is run; a hostile file is refused as `load_model` refuses it.

    Raises:  ValueError for another ending, and for a damaged file.

    >>> import tempfile
    >>> from kcompile import Input, Sequential, layers
    >>> path = tempfile.mkdtemp() + "/m.weights.h5"
    >>> Sequential([Input((3,)), layers.Dense(2)]).save_weights(path)
    >>> editor = KerasFileEditor(path)  # doctest: +ELLIPSIS
    Keras model file '...m.weights.h5'
    >>> editor.rename_object("dense", "first")
    >>> editor.summary()
    Weights structure
      > layers
          └─ first
              ├─ 0: shape=(3, 2), dtype=float32
              └─ 1: shape=(2,), dtype=float32
    """

    metadata: Any = None  # of a .keras file: version and date
    config: Any = None  # and the model's config, as data

    def __init__(self, filepath: str | os.PathLike[str]):
        import rich.console

        self.filepath = os.fspath(filepath)
        self.model = None
        self.console = rich.console.Console(highlight=False)
        path = Path(filepath)
        if path.name.endswith(".keras"):
            with path.open("rb") as file:
                archive = ModelArchive(file, path.name)
                self.metadata, self.config = check_metadata(archive), self._config_of(archive)
                opened, root = open_group(io.BytesIO(archive.read(WEIGHTS)), f"{archive.name}: {WEIGHTS}")
        elif path.name.endswith(".weights.h5"):
            opened, root = open_group(path, path.name)
        else:
            raise ValueError(
                "Invalid filename: expected a `.keras` or `.weights.h5` extension. Received: "
                f"filepath={filepath}"
            )
        with opened:
            self.weights_dict = _tree_of(root)
        self._say(f"Keras model file '{self.filepath}'")
        if self.metadata:
            version, date = (str(self.metadata.get(key)) for key in ("keras_version", "date_saved"))
            self._say(f"Saved with Keras {version} - date: {date}")

    def _config_of(self, archive: ModelArchive) -> Any:
        return parse(archive.read(CONFIG, MAX_BYTES), f"{archive.name}: {CONFIG}")

    # --- looking --------------------------------------------------------------------------------------------

    def summary(self) -> None:
        """Print the objects with their arrays' shapes and dtypes."""
        self._say("Weights structure")
        for line in _lines(self.weights_dict, "  ", first=True):
            self._say(line)

    def compare(self, reference_model: Any) -> dict[str, Any]:
        """Print where the file and a built model differ.

        Returns: {"status": "success" or "error", "error_count": int, "match_count": int}, the latter two the
                 differences found and the weights that fit.
        """
        self._say("Running comparison")
        wanted: Tree = {}
        for path, arrays in holder_arrays(reference_model):
            if arrays:
                _object_at(wanted, path.split("/") if path else [], make=True).update(arrays)
        faults, matches = _differences(wanted, self.weights_dict, "")
        for text in faults:
            self._say(text)
        self._say("─" * 21)
        if not faults:
            self._say("Comparison successful: saved file is compatible with the reference model")
            self._say(f"    Found {matches} matching weight{'' if matches == 1 else 's'}")
        else:
            count = f"{len(faults)} error{'' if len(faults) == 1 else 's'}"
            self._say(f"Found {count}: saved file is not compatible with the reference model")
        status = "error" if faults else "success"
        return {"status": status, "error_count": len(faults), "match_count": matches}

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)

    # --- changing -------------------------------------------------------------------------------------------

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Give an object another name. object_name: its path, or its name if only one object has it.

        Raises:  ValueError if there is no such object, or another one has the new name.
        """
        parent, name = self._find(object_name)
        if new_name in parent:
            raise ValueError(f"Name '{new_name}' is in use beside '{object_name}' already.")
        items = [(new_name if key == name else key, value) for key, value in parent.items()]
        parent.clear()
        parent.update(items)

    def delete_object(self, object_name: str) -> None:
        """Take an object with all that is in it out of the file."""
        parent, name = self._find(object_name)
        del parent[name]

    def add_object(self, object_path: str, weights: Mapping[str, Any]) -> None:
        """Put an object with arrays into the file. object_path: "layers/einsum_dense", say."""
        if not isinstance(weights, dict):
            raise ValueError(
                "Argument `weights` should be a dict from weight names (usually '0', '1', etc.) to arrays. "
                f"Received: type(weights)={type(weights)}"
            )
        *outer, name = object_path.split("/")
        _object_at(self.weights_dict, outer)[name] = {key: np.asarray(w) for key, w in weights.items()}

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Take an array out of an object."""
        weights = self._object(object_name)
        if weight_name not in weights:
            raise ValueError(
                f"Weight {weight_name} not found in object {object_name}. Weights found: {list(weights)}"
            )
        del weights[weight_name]

    def add_weights(self, object_name: str, weights: Mapping[str, Any]) -> None:
        """Put arrays into an object that is there."""
        if not isinstance(weights, dict):
            raise ValueError(f"Argument `weights` should be a dict. Received: type(weights)={type(weights)}")
        self._object(object_name).update({key: np.asarray(w) for key, w in weights.items()})

    def save(self, filepath: str | os.PathLike[str]) -> None:
        """Write the arrays as they are now to a `.weights.h5` file."""
        import h5py

        if not os.fspath(filepath).endswith(".weights.h5"):
            raise ValueError(
                "Invalid `filepath` argument: expected a `.weights.h5` extension. Received: "
                f"filepath={filepath}"
            )
        with replacing(filepath) as target, h5py.File(target, "w") as file:
            _write_tree(file, self.weights_dict)

    def resave_weights(self, filepath: str | os.PathLike[str]) -> None:
        """As `save`."""
        self.save(filepath)

    def _object(self, name: str) -> Tree:
        parent, last = self._find(name)
        return parent[last]

    def _find(self, name: str) -> tuple[Tree, str]:
        """The tree that holds an object, and the object's name in it."""
        if "/" in name:
            *outer, last = name.strip("/").split("/")
            parent = _object_at(self.weights_dict, outer)
            if not isinstance(parent.get(last), dict):
                raise ValueError(f"Path '{name}' not found in model.")
            return parent, last
        found = list(_holding(self.weights_dict, name))
        if not found:
            raise ValueError(
                f"Source name '{name}' does not appear in the model. Use `editor.summary()` to list all "
                "objects."
            )
        if len(found) > 1:
            raise ValueError(f"Name '{name}' occurs more than once in the model; try passing a complete path")
        return found[0], name


def _tree_of(group: Group) -> Tree:
    found: Tree = {}
    for name in group.names():
        inner = group.group(name)
        if inner is None:
            raise ValueError(message(f"{group.path}/{name} is an array outside of a {VARS!r} group."))
        if name == VARS:
            found |= {key: inner.read(key) for key in inner.names()}
        elif below := _tree_of(inner):
            found[name] = below
    return found


def _object_at(tree: Tree, path: list[str], make: bool = False) -> Tree:
    for k, name in enumerate(path):
        if make:
            tree.setdefault(name, {})
        if not isinstance(tree.get(name), dict):
            raise ValueError(f"Path '{'/'.join(path[: k + 1])}' not found in model.")
        tree = tree[name]
    return tree


def _holding(tree: Tree, name: str) -> Iterator[Tree]:
    """The trees in which an object has this name."""
    if isinstance(tree.get(name), dict):
        yield tree
    for inner in tree.values():
        if isinstance(inner, dict):
            yield from _holding(inner, name)


def _lines(tree: Tree, prefix: str, first: bool = False) -> Iterator[str]:
    for k, (name, value) in enumerate(tree.items()):
        last = k == len(tree) - 1
        connector = "> " if first and k == 0 else "└─ " if last else "├─ "
        if isinstance(value, dict):
            yield f"{prefix}{connector}{name}"
            yield from _lines(value, prefix + ("    " if last else "│   "))
        else:
            yield f"{prefix}{connector}{name}: shape={value.shape}, dtype={value.dtype}"


def _differences(wanted: Tree, found: Tree, path: str) -> tuple[list[str], int]:
    """Texts that tell how a file differs from a model, and the number of weights that are alike."""
    faults: list[str] = []
    matches = 0
    for name in [*wanted, *(key for key in found if key not in wanted)]:
        here = f"{path}/{name}"
        mine, theirs = wanted.get(name), found.get(name)
        if isinstance(mine, dict) and isinstance(theirs, dict):
            more, count = _differences(mine, theirs, here)
            faults, matches = faults + more, matches + count
        elif mine is None or theirs is None or isinstance(mine, dict) or isinstance(theirs, dict):
            faults.append(_missing(here, mine, theirs))
        elif mine.shape == theirs.shape:
            matches += 1
        else:
            faults.append(
                f"...Weight shape mismatch for {here}\n    In reference model: shape={mine.shape}\n"
                f"    In saved file: shape={theirs.shape}"
            )
    return faults, matches


def _missing(path: str, mine: Any, theirs: Any) -> str:
    names = ("reference model", "saved file")
    there, absent = names if mine is not None else names[::-1]
    item = mine if mine is not None else theirs
    kind = "Object" if isinstance(item, dict) else "Weight"
    text = f"...{kind} {path} present in {there}, missing from {absent}"
    if isinstance(item, dict):
        text += f"\n    In {there}, {path} contains the following keys: {list(item)}"
    return text


def _write_tree(group: Any, tree: Tree) -> None:
    arrays = {name: value for name, value in tree.items() if not isinstance(value, dict)}
    target = group.create_group(VARS)
    for name, array in arrays.items():
        write_array(target, name, array)
    for name, inner in tree.items():
        if isinstance(inner, dict):
            _write_tree(group.create_group(name), inner)
