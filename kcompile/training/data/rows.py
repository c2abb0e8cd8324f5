"""Arrays too large to be read at once (HDF5, Zarr, sparse matrices): rows are read when they are due."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kcompile.core import dtypes

READ_WHOLE = 64 << 20  # bytes up to which such an array is read at once, and then trained on without loading


class Rows:
    """Rows `start` to `stop` of something that is read in parts: an array to slice, not to compute with.

    source: an array of h5py or Zarr, or a sparse matrix of SciPy.
    """

    def __init__(self, source: Any, start: int = 0, stop: int | None = None):
        self._source, self._start = source, start
        stop = source.shape[0] if stop is None else stop
        self.shape: tuple[int, ...] = (max(0, stop - start), *source.shape[1:])
        self.dtype = np.dtype(source.dtype)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Rows:
        """The rows of a slice, still not read."""
        start, stop, step = rows.indices(len(self))
        if step != 1:
            raise ValueError("Rows that are not read yet can only be cut without steps.")
        return Rows(self._source, self._start + start, self._start + max(start, stop))

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.read(np.arange(len(self))).astype(dtype or self.dtype, copy=False)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """These rows, int64 (n,), as a contiguous array."""
        at = rows + self._start
        if len(at) and at[-1] - at[0] == len(at) - 1 and np.all(np.diff(at) == 1):
            return _dense(self._source[int(at[0]) : int(at[-1]) + 1])
        # HDF5 wants increasing positions, each once.
        places, order = np.unique(at, return_inverse=True)
        return np.ascontiguousarray(_dense(self._source[places])[order])


def _dense(part: Any) -> np.ndarray:
    return np.ascontiguousarray(part.toarray() if hasattr(part, "toarray") else part)


def is_stored(x: Any) -> bool:
    """Is it something that is better read in parts, and too large to be read at once?"""
    if isinstance(x, np.ndarray) or not (hasattr(x, "shape") and hasattr(x, "dtype")):
        return False
    if not (hasattr(x, "chunks") or hasattr(x, "tocsr")) or not x.shape:
        return False
    return math.prod(x.shape) * np.dtype(x.dtype).itemsize > READ_WHOLE


def rows_of(x: Any) -> Rows:
    """The rows of what `is_stored` says yes to.

    Raises:  ValueError for a dtype without numbers.
    """
    dtypes.standardize(np.dtype(x.dtype))
    return Rows(x.tocsr() if hasattr(x, "tocsr") else x)


def first_row(x: Any) -> Any:
    """For a look at dtype and shape: of what is not read yet, the first row; anything else as it is."""
    if is_stored(x):
        x = Rows(x.tocsr() if hasattr(x, "tocsr") else x)
    return x[:1] if isinstance(x, Rows) else x


def take_rows(array: Any, rows: np.ndarray) -> np.ndarray:
    """Rows of an array or of `Rows`."""
    return array.read(rows) if isinstance(array, Rows) else array[rows]
