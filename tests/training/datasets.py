"""Data sets that worker processes can import."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from kcompile.utils import PyDataset


class Shifted(PyDataset):
    """Batch `index` is full of `index + shift`; the second array tells which process made it."""

    def __init__(self, count: int = 5, **settings: Any):
        super().__init__(**settings)
        self.count, self.shift = count, 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return np.full((2, 1), index + self.shift), np.full((2, 1), os.getpid())

    def on_epoch_end(self) -> None:
        self.shift += 10


class Failing(Shifted):
    def __getitem__(self, index: int) -> Any:
        if index == 2:
            raise OSError(f"disk of batch {index}")
        return super().__getitem__(index)


class Dying(Shifted):
    def __getitem__(self, index: int) -> Any:
        if index == 2:
            os._exit(1)
        return super().__getitem__(index)
