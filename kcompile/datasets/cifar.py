"""The tar files of CIFAR, read in memory: nothing is unpacked to the disk."""

from __future__ import annotations

import io
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from kcompile.core.config import image_data_format
from kcompile.datasets.pickled import load_pickle

MAX_MEMBER = 1 << 28  # bytes; the largest has 155 MB
IMAGE = (3, 32, 32)


def read_batches(path: Path, members: list[str], label_key: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 32, 32, 3), uint8, or (n, 3, 32, 32) if that is the image format, and labels (n, 1), int64.

    Raises:  ValueError for a file that is damaged or holds something else.
    """
    wanted = set(members)
    found: dict[str, Any] = {}
    try:
        with tarfile.open(path) as archive:
            for info in archive:
                if info.name in wanted and info.isreg() and info.size <= MAX_MEMBER:
                    file = archive.extractfile(info)
                    assert file is not None, info.name
                    found[info.name] = load_pickle(io.BytesIO(file.read()), encoding="bytes")
        parts = [_batch(found[name], label_key) for name in members]
    except (tarfile.TarError, zlib.error, EOFError, OSError, KeyError, ValueError) as error:
        raise ValueError(f"{path}: not the archive expected: {error}") from error
    images = np.concatenate([images for images, _ in parts])
    labels = np.concatenate([labels for _, labels in parts])
    if image_data_format() == "channels_last":
        images = images.transpose(0, 2, 3, 1)
    return images, labels[:, None]


def _batch(content: Any, label_key: str) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(content, dict):
        raise ValueError(f"a {type(content).__name__} in place of a batch")
    images = np.asarray(content[b"data"], np.uint8).reshape(-1, *IMAGE)
    labels = np.asarray(content[label_key.encode()], np.int64)
    if labels.shape != images.shape[:1]:
        raise ValueError(f"{len(images)} images with labels of shape {labels.shape}")
    return images, labels
