"""What a saved file holds, as text. Nothing is built, and arrays are not read."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kcompile.saving.keras_file import check_metadata
from kcompile.saving.safe_hdf5 import Group, open_group
from kcompile.saving.safe_json import MAX_BYTES, parse
from kcompile.saving.safe_zip import CONFIG, WEIGHTS, ModelArchive

SHOWN = 60  # characters of one setting
HIDDEN = (
    "layers",
    "dtype",
    "trainable",
    "sparse",
    "ragged",
    "optional",
)  # shown elsewhere, or hardly ever set


def describe(path: Path) -> Iterator[str]:
    """Lines that tell what a .keras, .weights.h5 or .h5 file holds.

    Raises:  ValueError for a file that is damaged or that no loader would accept.
    """
    if path.suffix == ".keras":
        with path.open("rb") as file:
            yield from _archive(ModelArchive(file, path.name))
        return
    opened, root = open_group(path, path.name)
    with opened:
        text = root.text("model_config", MAX_BYTES)
        if text is not None:
            yield "Model (older .h5 format)"
            yield from _object(parse(text, f"{path.name}: model_config"), 1)
        yield from _weights(root)


def _archive(archive: ModelArchive) -> Iterator[str]:
    metadata = check_metadata(archive)
    yield f"Format of Keras {metadata['keras_version']}, saved {_printable(metadata.get('date_saved', '?'))}"
    for member in archive.members:
        yield f"  {_printable(member.filename):<24} {member.file_size:>14,} bytes"
    yield "Model"
    config = parse(archive.read(CONFIG, MAX_BYTES), f"{archive.name}: {CONFIG}")
    yield from _object(config, 1)
    opened, root = open_group(io.BytesIO(archive.read(WEIGHTS)), f"{archive.name}: {WEIGHTS}")
    with opened:
        yield from _weights(root)


def _object(config: Any, depth: int) -> Iterator[str]:
    """A model or layer: its address and plain settings on a line, what it contains below."""
    if not isinstance(config, dict):
        yield "  " * depth + _printable(config)
        return
    settings = config.get("config")
    settings = settings if isinstance(settings, dict) else {"config": settings}
    inner = settings.get("layers")
    plain = {k: v for k, v in settings.items() if k not in HIDDEN and v is not None}
    address = ".".join(str(config[k]) for k in ("module", "class_name") if config.get(k))
    shown = ", ".join(f"{_printable(k)}={_setting(v)}" for k, v in plain.items())
    yield "  " * depth + f"{_printable(address)}({shown})"
    for layer in inner if isinstance(inner, list) else []:
        yield from _object(layer, depth + 1)
    if isinstance(config.get("compile_config"), dict):
        chosen = {k: v for k, v in config["compile_config"].items() if v is not None}
        yield (
            "  " * depth
            + "compiled: "
            + ", ".join(f"{_printable(k)}={_setting(v)}" for k, v in chosen.items())
        )


def _setting(value: Any) -> str:
    """A setting in few characters; an object as its class's name."""
    if isinstance(value, dict) and "class_name" in value:
        named = value["config"] if value["class_name"] == "function" else value["class_name"]
        return _printable(named)
    text = f"[{', '.join(map(_setting, value))}]" if isinstance(value, list) else _printable(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _weights(root: Group) -> Iterator[str]:
    yield "Weights"
    total = size = 0
    for path in root.datasets():
        folder, _, name = path.rpartition("/")
        group = root.group(folder) if folder else root
        assert group is not None, folder
        shape, dtype = group.shape(name), group.dtype(name)
        count = math.prod(shape)
        total, size = total + count, size + count * dtype.itemsize
        yield f"  {_printable(path):<48} {dtype.name:<9} {shape}"
    yield f"  {total:,} numbers, {size:,} bytes"


def _printable(value: Any) -> str:
    """Text that cannot move the cursor or colour the terminal."""
    text = value if isinstance(value, str) else str(value)
    return "".join(c if c.isprintable() else "?" for c in text)
