"""Text files of a folder as a data set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kcompile.training.data.dataset import Dataset
from kcompile.utils.folder_datasets import Files, Folder

FILES = Files("text", (".txt",), "text files", "Allowed format: .txt")


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
    folder = Folder(
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset,
        follow_links, verbose,
    )  # fmt: skip
    folder.check(FILES)
    if format not in ("tf", "grain"):
        raise ValueError(f'`format` should be either "tf" or "grain". Received: format={format}')
    length = None if max_length is None or max_length < 0 else max_length

    def read(path: str) -> bytes:
        return Path(path).read_bytes()[:length]

    return folder.datasets(FILES, read, Dataset.batch)
