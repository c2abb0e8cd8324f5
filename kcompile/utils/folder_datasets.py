"""What data sets of files in a folder have in common, whatever the files hold."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from kcompile.training.data.dataset import Dataset
from kcompile.training.data.iterations import drawn_from
from kcompile.utils.directories import check_validation_split, index_directory, part_of

READERS = 4  # files that are read and decoded at once


@dataclass(frozen=True)
class Files:
    """A kind of files: its name, the endings of their names, and how an error names both."""

    kind: str
    formats: tuple[str, ...]
    plural: str
    allowed: str


@dataclass(frozen=True)
class Folder:
    """The arguments that all `..._dataset_from_directory` functions take."""

    directory: str | os.PathLike[str]
    labels: Any
    label_mode: str | None
    class_names: Any
    batch_size: int | None
    shuffle: bool
    seed: int | None
    validation_split: float | None
    subset: str | None
    follow_links: bool
    verbose: bool

    def check(self, files: Files) -> None:
        """Raise for labels of another kind, and names of classes that labels do not need."""
        given = self.labels is not None and not (isinstance(self.labels, str) and self.labels == "inferred")
        if given and not isinstance(self.labels, (list, tuple)):
            raise ValueError(
                "`labels` argument should be a list/tuple of integer labels, of the same size as the number "
                f'of {files.kind} files in the target directory; or "inferred" or None. Received: '
                f"labels={self.labels}"
            )
        if given and self.class_names:
            raise ValueError(
                'You can only pass `class_names` if `labels="inferred"`. Received: '
                f"labels={self.labels}, and class_names={self.class_names}"
            )
        if self.label_mode not in ("int", "categorical", "binary", None):
            raise ValueError(
                '`label_mode` argument must be one of "int", "categorical", "binary", or None. Received: '
                f"label_mode={self.label_mode}"
            )

    def datasets(
        self, files: Files, read: Callable[[str], Any], batched: Callable[[Dataset, int], Dataset]
    ) -> Any:
        """The data set of one subset, or a list of two for "both".

        Args:    read: the sample in a file. batched: the data set of samples as one of batches.
        Raises:  ValueError where there is no file of the kind.
        """
        mode = None if self.labels is None else self.label_mode
        check_validation_split(self.validation_split, self.subset, self.shuffle, self.seed)
        seed = int(np.random.randint(10**6)) if self.seed is None else self.seed
        paths, labels, names = self._indexed(files, mode, seed)

        def made(which: str | None, shuffled: bool) -> Dataset:
            own_paths, own_labels = part_of(paths, labels, self.validation_split, which)
            if not own_paths:
                part = f"{which} " if self.subset == "both" else ""
                raise ValueError(
                    f"No {part}{files.plural} found in directory {self.directory}. {files.allowed}"
                )
            numbers = _encoded(own_labels, mode, len(names or []))
            found = _samples(own_paths, numbers, read, seed if shuffled else None)
            found = found if self.batch_size is None else batched(found, self.batch_size)
            found.class_names, found.file_paths = names, own_paths
            return found

        if self.subset == "both":
            return [made("training", self.shuffle), made("validation", False)]
        return made(self.subset, self.shuffle)

    def _indexed(self, files: Files, mode: str | None, seed: int) -> tuple[list[str], Any, Any]:
        """Paths, labels and names of classes."""
        labels = None if mode is None else self.labels
        found = index_directory(
            self.directory, labels, files.formats, self.class_names, self.shuffle, seed, self.follow_links,
            self.verbose,
        )  # fmt: skip
        if mode == "binary" and len(found[2] or []) != 2:
            raise ValueError(
                'When passing `label_mode="binary"`, there must be exactly 2 class_names. Received: '
                f"class_names={found[2]}"
            )
        return found


def _encoded(labels: Any, mode: str | None, classes: int) -> np.ndarray | None:
    if mode is None:
        return None
    numbers = np.asarray(labels)
    if mode == "binary":
        return numbers.astype("float32")[:, None]
    if mode == "categorical":  # a number that is no class has a row of zeros
        return (numbers[:, None] == np.arange(classes)).astype("float32")
    return numbers.astype("float32" if numbers.dtype.kind == "f" else "int32")


def _samples(
    paths: list[str], labels: np.ndarray | None, read: Callable[[str], Any], seed: int | None
) -> Dataset:
    rng = None if seed is None else np.random.default_rng(seed)

    def samples() -> Iterator[Any]:
        order = np.arange(len(paths)) if rng is None else drawn_from(rng).permutation(len(paths))
        for k, sample in zip(order, ahead(read, (paths[k] for k in order)), strict=True):
            yield sample if labels is None else (sample, labels[k])

    return Dataset(samples, len(paths))


def ahead(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """function(item) for each, in order; threads compute the next ones meanwhile."""
    source = iter(items)
    pool = ThreadPoolExecutor(READERS, thread_name_prefix="files")
    try:
        waiting = deque(pool.submit(function, item) for item in islice(source, 4 * READERS))
        while waiting:
            result = waiting.popleft().result()  # an error in a thread is raised here
            waiting.extend(pool.submit(function, item) for item in islice(source, 1))
            yield result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
