"""Text files of a folder as a data set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kcompile.training.data.dataset import Dataset
from kcompile.utils.directories import check_validation_split, index_directory, part_of


def text_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Any = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """The .txt files of a folder, whose subfolders are classes.

    Args:    labels: "inferred", None, or a list of ints in the order of the paths. label_mode: "int" for
             (batch,) int32, "binary" for (batch, 1) float32, "categorical" for one-hot rows, None for texts
             alone. class_names: the order of the classes. batch_size: None for single texts. max_length: most
             bytes of a text. validation_split: the share kept for validation; subset: "training",
             "validation", or "both" for a list of two data sets. format: accepted.
    Returns: a Dataset of (texts, labels), texts as arrays of bytes; `class_names` has the names.
    Raises:  ValueError for arguments that do not go together, and where there is no text.
    """
    _check(labels, label_mode, class_names, format)
    if labels is None or label_mode is None:
        labels = label_mode = None
    check_validation_split(validation_split, subset, shuffle, seed)
    seed = int(np.random.randint(10**6)) if seed is None else seed
    paths, labels, names = index_directory(
        directory, labels, (".txt",), class_names, shuffle, seed, follow_links, verbose
    )
    if label_mode == "binary" and len(names or []) != 2:
        raise ValueError(
            'When passing `label_mode="binary"`, there must be exactly 2 class_names. Received: '
            f"class_names={names}"
        )

    def made(which: str | None, shuffled: bool) -> Dataset:
        own_paths, own_labels = part_of(paths, labels, validation_split, which)
        if not own_paths:
            kind = f"{which} " if subset == "both" else ""
            raise ValueError(f"No {kind}text files found in directory {directory}. Allowed format: .txt")
        encoded = _encoded(own_labels, label_mode, len(names or []))
        found = _dataset(own_paths, encoded, max_length, batch_size, seed if shuffled else None)
        found.class_names, found.file_paths = names, own_paths
        return found

    if subset == "both":
        return [made("training", shuffle), made("validation", False)]
    return made(subset, shuffle)


def _check(labels: Any, label_mode: Any, class_names: Any, format: str) -> None:
    given = labels is not None and not (isinstance(labels, str) and labels == "inferred")
    if given and not isinstance(labels, (list, tuple)):
        raise ValueError(
            "`labels` argument should be a list/tuple of integer labels, of the same size as the number of "
            'text files in the target directory; or "inferred" or None. Received: '
            f"labels={labels}"
        )
    if given and class_names:
        raise ValueError(
            'You can only pass `class_names` if `labels="inferred"`. Received: '
            f"labels={labels}, and class_names={class_names}"
        )
    if label_mode not in ("int", "categorical", "binary", None):
        raise ValueError(
            '`label_mode` argument must be one of "int", "categorical", "binary", or None. Received: '
            f"label_mode={label_mode}"
        )
    if format not in ("tf", "grain"):
        raise ValueError(f'`format` should be either "tf" or "grain". Received: format={format}')


def _encoded(labels: Any, mode: str | None, classes: int) -> np.ndarray | None:
    if mode is None:
        return None
    numbers = np.asarray(labels)
    if mode == "binary":
        return numbers.astype("float32")[:, None]
    return np.eye(classes, dtype="float32")[numbers] if mode == "categorical" else numbers.astype("int32")


def _dataset(
    paths: list[str], labels: np.ndarray | None, length: int | None, batch_size: int | None, seed: int | None
) -> Dataset:
    rng = None if seed is None else np.random.default_rng(seed)

    def texts() -> Iterator[Any]:
        order = np.arange(len(paths)) if rng is None else rng.permutation(len(paths))
        for k in order:
            text = Path(paths[k]).read_bytes()[:length]
            yield text if labels is None else (text, labels[k])

    found = Dataset(texts, len(paths))
    return found if batch_size is None else found.batch(batch_size)
