"""`save_model`, `load_model`, `save_weights`, `load_weights`: pick the format, replace files as a whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kcompile.core import registry
from kcompile.core.errors import message
from kcompile.core.files import replacing
from kcompile.saving import folders, keras_file, legacy_h5, legacy_write
from kcompile.saving.safe_folder import ModelFolder
from kcompile.saving.safe_hdf5 import Group, open_group
from kcompile.saving.safe_zip import ModelArchive
from kcompile.saving.shards import opened_shards, write_shards
from kcompile.saving.weights import read_weights, write_weights

FilePath = str | bytes | os.PathLike[str]
LEGACY = (".h5", ".hdf5")
WEIGHTS = ".weights.h5"
SHARDS = ".weights.json"


def save_model(
    model: Any,
    filepath: Any,
    overwrite: bool = True,
    zipped: bool | None = None,
    **kwargs: Any,
) -> None:
    """Save a model, its compile() arguments and its optimizer's state as a .keras file, as Keras does.

    With the ending .h5 or .hdf5 the file has Keras's older format. A failed save leaves an existing file as
    it was.

    Args:    filepath: a path, or an open binary file. overwrite: if False, ask before an existing file is
             replaced. zipped: False makes a folder in place of a file. include_optimizer (for .h5): False
             leaves out what belongs to compile().
    Raises:  ValueError for another ending, and for what has no config (a lambda, say).
    """
    include_optimizer = bool(kwargs.pop("include_optimizer", True))
    kwargs.pop("save_format", None)
    if kwargs:
        raise ValueError(f"The following argument(s) are not supported: {list(kwargs)}")
    if hasattr(filepath, "write"):
        keras_file.write_model(model, filepath)
        return
    path = _path(filepath)
    if zipped is False:
        if overwrite or _may_replace(path):
            folders.write_folder(model, path)
        return
    if path.suffix not in (".keras", *LEGACY):
        raise ValueError(
            message(
                f"Invalid filepath extension for saving: {path.name!r}.",
                expected="a `.keras` extension, or `.h5` for Keras's older format",
                hint="model.save_weights('x.weights.h5') saves weights alone; model.export('x.onnx') exports",
            )
        )
    if overwrite or _may_replace(path):
        with replacing(path) as file:
            if path.suffix == ".keras":
                keras_file.write_model(model, file)
            else:
                legacy_write.write_model(model, file, include_optimizer)


def load_model(
    filepath: Any, custom_objects: Any = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """Load a model from a .keras file or folder, or from Keras's older .h5 format.

    Reading is safe by design: a file can name only classes and functions of the library and those that were
    registered or are in `custom_objects`. Weights that are missing, not used, or of another shape are errors.

    Args:    filepath: a path, or an open binary file. custom_objects: a user's classes and functions by
             name. compile: also compile it as it was. safe_mode: for Keras's signature; False makes nothing
             less strict.
    Raises:  ValueError for a file that is damaged, hostile, or of a newer format.
    """
    with registry.CustomObjectScope(custom_objects):
        if hasattr(filepath, "read"):
            return keras_file.read_model(ModelArchive(filepath, "the file"), custom_objects, compile)
        path = _path(filepath)
        if path.is_dir():
            return keras_file.read_model(ModelFolder(path), custom_objects, compile)
        if path.suffix == ".keras":
            with _existing(path).open("rb") as file:
                return keras_file.read_model(ModelArchive(file, path.name), custom_objects, compile)
        if path.suffix in LEGACY:
            size = _existing(path).stat().st_size
            return _in_hdf5(
                path, lambda root: legacy_h5.read_model(root, path.name, size, custom_objects, compile)
            )
    raise ValueError(
        message(f"File format not supported: {path.name!r}.", expected="a .keras, .h5 or .hdf5 file")
    )


def save_weights(
    model: Any,
    filepath: FilePath,
    overwrite: bool = True,
    max_shard_size: float | None = None,
    **kwargs: Any,
) -> None:
    """Save the variables of a model and its optimizer to a `.weights.h5` file, in Keras's layout.

    Args:    max_shard_size: gigabytes of a file; with it the path ends in `.weights.json`, and the weights
             are in as many `.weights.h5` files beside it as are needed.
    Raises:  ValueError for another ending, and for a model that is not built.
    """
    if kwargs:
        raise ValueError(f"Invalid keyword arguments: {kwargs}")
    path = _path(filepath)
    if max_shard_size is None and not path.name.endswith(WEIGHTS):
        raise ValueError(f"The filename must end in `.weights.h5`. Received: filepath={path}")
    if max_shard_size is not None and not path.name.endswith(SHARDS):
        raise ValueError(
            "The filename must end in `.weights.json` when `max_shard_size` is specified. Received: "
            f"filepath={path}"
        )
    _check_built(model, "saving")
    if not overwrite and not _may_replace(path):
        return
    if max_shard_size is not None:
        write_shards(model, path, max_shard_size)
    else:
        with replacing(path) as file:
            write_weights(model, file)


def load_weights(model: Any, filepath: FilePath, skip_mismatch: bool = False, **kwargs: Any) -> None:
    """Load weights from a `.weights.h5`, `.weights.json`, `.keras` or older `.h5` file into a built model.

    Args:    skip_mismatch: leave layers that the file does not fit as they are, with a warning.
             by_name (older .h5 only): load into the layers of the same names. objects_to_skip (.weights.h5
             only): layers that are left as they are.
    Raises:  ValueError that names each weight that is missing, not used, or of another shape.
    """
    by_name = bool(kwargs.pop("by_name", False))
    left_alone = kwargs.pop("objects_to_skip", None)
    if kwargs:
        raise ValueError(f"Invalid keyword arguments: {kwargs}")
    _check_built(model, "loading")
    path = _existing(filepath)

    def read(root: Any) -> None:
        read_weights(model, root, path.name, skip_mismatch, objects_to_skip=left_alone or ())

    if by_name and (path.suffix not in LEGACY or path.name.endswith(WEIGHTS)):
        raise ValueError(f"`by_name` only supports loading legacy '.h5' or '.hdf5' files. Received: {path}")
    if left_alone is not None and not path.name.endswith((WEIGHTS, SHARDS)):
        raise ValueError("`objects_to_skip` only supports loading '.weights.h5' files.")
    if path.suffix == ".keras":
        with path.open("rb") as file:
            keras_file.load_weights_of(model, ModelArchive(file, path.name), skip_mismatch)
    elif path.name.endswith(WEIGHTS):
        _in_hdf5(path, read)
    elif path.name.endswith(SHARDS):
        with opened_shards(path) as root:
            read(root)
    elif path.suffix in LEGACY:
        _in_hdf5(path, lambda root: legacy_h5.read_weights(model, root, path.name, skip_mismatch, by_name))
    else:
        raise ValueError(
            message(
                f"File format not supported: {path.name!r}.",
                expected="a .weights.h5, .weights.json, .keras or .h5 file",
            )
        )


def _in_hdf5(path: Path, use: Callable[[Group], Any]) -> Any:
    opened, root = open_group(path, path.name)
    with opened:
        return use(root)


def _path(filepath: FilePath) -> Path:
    path = os.fsdecode(filepath)  # paths may be bytes, as those of `open`
    if "://" in path:
        raise ValueError(f"Only local files are supported. Received: filepath={path}")
    return Path(path)


def _existing(filepath: FilePath) -> Path:
    path = _path(filepath)
    if not path.is_file():
        kind = FileNotFoundError if path.suffix in LEGACY else ValueError  # as in Keras
        raise kind(f"File not found: filepath={path}. Please ensure the file is an accessible file.")
    return path


def _check_built(model: Any, doing: str) -> None:
    if not model.built:
        raise ValueError(
            message(
                f"You are {doing} the weights of model {model.name!r}, which has not yet been built.",
                hint="call it on some data, or use `model.build(input_shape)`",
            )
        )


def _may_replace(path: Path) -> bool:
    """Ask whether an existing file may be replaced."""
    while path.exists():
        answer = input(f"[WARNING] {path} already exists - overwrite? [y/n]").strip().lower()
        if answer in ("y", "n"):
            return answer == "y"
    return True
