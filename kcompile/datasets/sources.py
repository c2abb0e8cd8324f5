"""Where the data sets come from: a file in Keras's cache, used only if it is the published one."""

from __future__ import annotations

from pathlib import Path

from kcompile.utils.downloads import cache_home, get_file

BASE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


def fetch(name: str, origin: str, file_hash: str | None, folder: str = "datasets") -> Path:
    """The path of a file of the cache, downloaded if it is not there or is not the file expected.

    Raises:  ConnectionError, which says where the file can be put by hand.
    """
    try:
        return Path(get_file(name, origin=origin, file_hash=file_hash, cache_subdir=folder))
    except OSError as error:
        raise ConnectionError(
            f"{name} is not in the cache and could not be downloaded ({error}).\n"
            f"  Put the file there yourself: {origin} -> {cache_home() / folder / name}"
        ) from error
