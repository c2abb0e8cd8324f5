"""Windows over a series as a data set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.training.data.dataset import Dataset
from kcompile.training.data.iterations import drawn_from


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Dataset:
    """Windows of a series, and the targets at their first steps.

    Args:    data: the series, its first axis is time. targets: one for each window start, or None.
             sequence_length: steps of a window. sequence_stride: between the starts of windows.
             sampling_rate: between the steps of a window. batch_size: None for single windows.
             start_index, end_index: the part of the series that is used. format: accepted.
    Returns: a Dataset of windows, or of (windows, targets).
    Raises:  ValueError for numbers outside the series.

    >>> windows = timeseries_dataset_from_array(np.arange(6), np.arange(6) * 10, sequence_length=3)
    >>> [(x.tolist(), y.tolist()) for x, y in windows]
    [([[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]], [0, 10, 20, 30])]
    """
    _check_part(start_index, end_index, len(data))
    for name, value in (("sampling_rate", sampling_rate), ("sequence_stride", sequence_stride)):
        if value <= 0:
            raise ValueError(f"`{name}` must be higher than 0. Received: {name}={value}")
        if value >= len(data):
            raise ValueError(
                f"`{name}` must be lower than the length of the data. Received: {name}={value}, for data of "
                f"length {len(data)}"
            )
    if format not in ("tf", "grain"):
        raise ValueError(f'`format` should be either "tf" or "grain". Received: format={format}')
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")
    part = slice(start_index or 0, len(data) if end_index is None else end_index)
    series = _array(data)[part]
    goals = None if targets is None else _array(targets)[part]
    count = part.stop - part.start - (sequence_length - 1) * sampling_rate
    count = count if targets is None else min(count, len(targets))
    starts = np.arange(0, count, sequence_stride)
    if shuffle:
        seed = int(np.random.randint(10**6)) if seed is None else seed
        np.random.RandomState(seed).shuffle(starts)
    steps = np.arange(0, sequence_length * sampling_rate, sampling_rate)
    rng = np.random.default_rng(seed)

    def elements() -> Iterator[Any]:
        order = drawn_from(rng).permutation(starts) if shuffle else starts
        size = batch_size or 1
        for begin in range(0, len(order), size):
            chosen = order[begin : begin + size]
            windows = series[chosen[:, None] + steps]
            found = windows if goals is None else (windows, goals[chosen])
            yield found if batch_size else _single(found)

    return Dataset(elements, -(-len(starts) // (batch_size or 1)), batch_size)


def _array(data: Any) -> np.ndarray:
    """Lists of numbers have 32 bits, as tensors made of them have in TensorFlow."""
    array = np.asarray(data)
    if isinstance(data, (list, tuple)) and array.dtype in (np.int64, np.float64):
        return array.astype("int32" if array.dtype == np.int64 else "float32")
    return array


def _single(batch: Any) -> Any:
    return tuple(part[0] for part in batch) if isinstance(batch, tuple) else batch[0]


def _check_part(start: int | None, end: int | None, length: int) -> None:
    if start and start < 0:
        raise ValueError(f"`start_index` must be 0 or greater. Received: start_index={start}")
    if start and start >= length:
        raise ValueError(
            f"`start_index` must be lower than the length of the data. Received: start_index={start}, for "
            f"data of length {length}"
        )
    if not end:
        return
    if start and end <= start:
        raise ValueError(
            "`end_index` must be higher than `start_index`. Received: "
            f"start_index={start}, and end_index={end}"
        )
    if end >= length:
        raise ValueError(
            f"`end_index` must be lower than the length of the data. Received: end_index={end}, for data of "
            f"length {length}"
        )
    if end <= 0:
        raise ValueError(f"`end_index` must be higher than 0. Received: end_index={end}")
