"""Weights trained on ImageNet, which Keras publishes as .h5 files: the cached one if its hash is right."""

from __future__ import annotations

from pathlib import Path

from kcompile.applications.building import Fetch, Options
from kcompile.datasets.sources import fetch

BASE = "https://storage.googleapis.com/tensorflow/keras-applications/"
FOLDER = "models"  # of the cache


def download(file: str, folder: str, digest: str | None = None, base: str = BASE, cached: str = "") -> Path:
    """The path of one published file.

    Args:    file: its name. folder: where it lies below `base`, with a slash. digest: MD5 or SHA-256.
             cached: its name in the cache, if another.
    Raises:  ConnectionError if it is not in the cache and there is no network; it says where to put the file.
    """
    return fetch(cached or file, f"{base}{folder}{file}", digest, FOLDER)


def pair(
    stem: str, folder: str, digests: tuple[str, str], without_top: str = "_notop", base: str = BASE
) -> Fetch:
    """Files `<stem>.h5` with and `<stem><without_top>.h5` without the top."""

    def fetched(options: Options) -> Path:
        ending, digest = ("", digests[0]) if options.include_top else (without_top, digests[1])
        return download(f"{stem}{ending}.h5", folder, digest, base)

    return fetched


def tf_kernels(name: str, folder: str, *digests: str) -> Fetch:
    """The older files, which have the order of their axes in their names."""
    return pair(f"{name}_weights_tf_dim_ordering_tf_kernels", folder, (digests[0], digests[1]))
