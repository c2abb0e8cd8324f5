"""Files of a folder whose subfolders are classes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import console


def index_directory(
    directory: str | os.PathLike[str],
    labels: Any,
    formats: tuple[str, ...],
    class_names: Any = None,
    shuffle: bool = True,
    seed: int | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> tuple[list[str], Any, list[str] | None]:
    """Paths of files with these endings, the label of each, and the names of the classes.

    Args:    labels: "inferred" from the subfolders, None, or a list in the order of the paths.
    Raises:  ValueError for class_names that are no subfolders, and for another number of labels than files.
    """
    directory = os.fspath(directory)
    inferred = labels == "inferred" if isinstance(labels, str) else False
    names = _class_names(directory, labels, inferred, class_names)
    paths: list[str] = []
    numbers: list[int] = []
    for number, name in enumerate(names if inferred else [""]):
        found = list(_files(os.path.join(directory, name), formats, follow_links))
        paths += found
        numbers += [number] * len(found)
    if inferred:
        labels = np.array(numbers, "int32")
    elif labels is not None:
        if len(labels) != len(paths):
            raise ValueError(
                "Expected the lengths of `labels` to match the number of files in the target directory. "
                f"len(labels) is {len(labels)} while we found {len(paths)} files in directory {directory}."
            )
        names = [str(label) for label in sorted(set(labels))]
        labels = list(labels)
    if verbose:
        classes = "" if labels is None else f" belonging to {len(names)} classes"
        console.print_msg(f"Found {len(paths)} files{classes}.")
    if shuffle:
        seed = int(np.random.randint(10**6)) if seed is None else seed
        for items in (paths, labels):  # both into the same order
            if items is not None:
                np.random.RandomState(seed).shuffle(items)
    return paths, labels, None if labels is None else names


def _class_names(directory: str, labels: Any, inferred: bool, given: Any) -> Any:
    if not inferred:
        if given is not None:
            raise ValueError(
                f"You can only pass `class_names` if `labels` are inferred. Received: labels={labels}, and "
                f"class_names={given}"
            )
        return []
    found = sorted(
        name
        for name in os.listdir(directory)
        if os.path.isdir(os.path.join(directory, name)) and not name.startswith(".")
    )
    if given is None:
        return found
    if not set(given) <= set(found):
        raise ValueError(
            "The `class_names` passed did not match the names of the subdirectories of the target directory. "
            f"Expected: {found} (or a subset of it), but received: class_names={given}"
        )
    return given  # as it was given, a tuple too


def _files(folder: str, formats: tuple[str, ...], follow_links: bool) -> Iterator[str]:
    """Files below a folder, folder by folder, each in the order of names."""
    for root, _, files in sorted(os.walk(folder, followlinks=follow_links), key=lambda found: found[0]):
        for name in sorted(files):
            if name.lower().endswith(formats):
                yield os.path.join(root, name)


def check_validation_split(split: Any, subset: Any, shuffle: bool, seed: int | None) -> None:
    """Raise ValueError for arguments that do not go together."""
    if split and not 0 < split < 1:
        raise ValueError(f"`validation_split` must be between 0 and 1, received: {split}")
    if (split or subset) and not (split and subset):
        raise ValueError("If `subset` is set, `validation_split` must be set, and inversely.")
    if subset not in ("training", "validation", "both", None):
        raise ValueError(
            '`subset` must be either "training", "validation" or "both", received: ' + str(subset)
        )
    if split and shuffle and seed is None:
        raise ValueError(
            "If using `validation_split` and shuffling the data, you must provide a `seed` argument, to make "
            "sure that there is no overlap between the training and validation subset."
        )


def part_of(paths: list[str], labels: Any, split: float | None, subset: str | None) -> tuple[list[str], Any]:
    """The samples for training, or the last ones for validation."""
    if not split:
        return paths, labels
    count = int(split * len(paths))
    used = len(paths) - count if subset == "training" else count
    console.print_msg(f"Using {used} files for {subset}.")
    rows = slice(0, len(paths) - count) if subset == "training" else slice(len(paths) - count, None)
    return paths[rows], None if labels is None else labels[rows]
