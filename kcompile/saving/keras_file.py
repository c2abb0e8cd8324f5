"""The .keras format, as in Keras 3: a zip of metadata.json, config.json, model.weights.h5 and assets."""

from __future__ import annotations

import datetime
import io
import json
import shutil
import tempfile
import zipfile
from typing import Any, BinaryIO

import kcompile
from kcompile.core.errors import message
from kcompile.core.serialization import deserialize_keras_object, serialize_shared, shared_objects
from kcompile.layers.call_context import call_limit
from kcompile.layers.layer import Layer
from kcompile.saving.assets import read_assets, write_assets
from kcompile.saving.safe_folder import ModelParts
from kcompile.saving.safe_hdf5 import open_group
from kcompile.saving.safe_json import MAX_BYTES, parse, refused
from kcompile.saving.safe_zip import CONFIG, METADATA, WEIGHTS
from kcompile.saving.weights import read_weights, write_weights
from kcompile.trace.variable import allocation_limit

FORMAT = "3.15.1"  # the version of Keras whose format this is
SLACK = 64 << 20  # bytes of variables that a file may ask for beyond what it holds: seeds, states of metrics
GROWTH = (
    4  # and as a multiple of what it holds: slots of an optimizer that was never built, compressed weights
)

MAX_CALLS = 50_000  # of layers, while the model is built; NASNetLarge has a thousand


def write_model(model: Any, file: BinaryIO) -> None:
    """Write a model, its compile() arguments and its optimizer's state."""
    config = json.dumps(serialize_shared(model), allow_nan=False)
    metadata = {
        "keras_version": FORMAT,
        "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
        "kcompile_version": kcompile.__version__,
    }
    with zipfile.ZipFile(file, "w") as archive, tempfile.TemporaryFile() as weights:
        archive.writestr(METADATA, json.dumps(metadata))
        archive.writestr(CONFIG, config)
        write_weights(model, weights)
        weights.seek(0)
        with archive.open(WEIGHTS, "w", force_zip64=True) as member:
            shutil.copyfileobj(weights, member, 1 << 20)
        write_assets(model, archive)


def read_model(parts: ModelParts, custom_objects: Any = None, compile: bool = True) -> Any:
    """The model that a file or a folder holds.

    Raises:  ValueError for a file that is damaged, hostile or from a newer format, and for names that are
             unknown.
    """
    check_metadata(parts)
    what = f"{parts.name}: {CONFIG}"
    config = parse(parts.read(CONFIG, MAX_BYTES), what)
    if not isinstance(config, dict) or "class_name" not in config:
        raise refused(what, "something else", "a model")
    if not compile:
        config["compile_config"] = None
    model = build_model(config, parts.size(WEIGHTS), what, custom_objects)
    load_weights_of(model, parts)
    read_assets(model, parts)
    return model


def build_model(config: Any, size: int, what: str, custom_objects: Any) -> Any:
    """The model that a config describes; `size` bytes of weights belong to it."""
    room = allocation_limit(SLACK + GROWTH * size, "the weights of this file allow")
    with shared_objects(), room, call_limit(MAX_CALLS, "any file may ask for"):
        try:
            model = deserialize_keras_object(config, custom_objects)
        except (LookupError, AttributeError, ArithmeticError, RecursionError, AssertionError) as error:
            # The config has the wrong form somewhere deep inside a class's from_config().
            summary = f"{what} does not describe a model."
            raise ValueError(message(summary, received=f"{type(error).__name__}: {error}")) from error
    if not isinstance(model, Layer):  # a model, or a layer that is saved alone, as a FeatureSpace is
        raise refused(what, f"a {type(model).__name__}", "a model")
    return model


def check_metadata(parts: ModelParts) -> dict[str, Any]:
    """The metadata of a file in a format that this version knows."""
    metadata = parse(parts.read(METADATA, MAX_BYTES), f"{parts.name}: {METADATA}")
    version = str(metadata.get("keras_version", "")) if isinstance(metadata, dict) else ""
    major = version.split(".")[0]
    if not major.isdigit():
        raise refused(f"{parts.name}: {METADATA}", f"keras_version {version[:40]!r}", "a version")
    if int(major) != int(FORMAT.split(".")[0]):
        raise refused(parts.name, f"the format of Keras {version[:40]}", f"that of Keras {FORMAT}")
    return metadata


def load_weights_of(model: Any, parts: ModelParts, skip_mismatch: bool = False) -> None:
    """Load a model's variables from an archive or a folder."""
    opened, root = open_group(io.BytesIO(parts.read(WEIGHTS)), f"{parts.name}: {WEIGHTS}")
    with opened:
        read_weights(model, root, parts.name, skip_mismatch)
