"""Audio files of a folder as a data set."""

from __future__ import annotations

import os
import wave
from typing import Any

import numpy as np

from kcompile.training.data.dataset import Dataset
from kcompile.utils.folder_datasets import Files, Folder

FORMATS = (".wav",)
FILES = Files("audio", FORMATS, "audio files", f"Allowed format(s): {FORMATS}")


def audio_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Any = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """The .wav files of a folder, whose subfolders are classes; they are read while one iterates.

    Args:    labels, label_mode, class_names, validation_split, subset: as of `image_dataset_from_directory`.
             batch_size: None for single recordings. output_sequence_length: all are cut, or filled with
             zeros, to so many samples; by default those of a batch are filled up to its longest. ragged,
             sampling_rate: not supported.
    Returns: a Dataset of (audio, labels), audio float32 (batch, samples, channels) from -1 to 1; a tuple of
             two for the subset "both".
    Raises:  ValueError for arguments that do not go together, where there is no recording, and for a file
             that is none or whose numbers are no integers of 8, 16, 24 or 32 bits; NotImplementedError for
             `ragged`, and for a `sampling_rate`: resample the files beforehand.

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp(), "bell")
    >>> folder.mkdir()
    >>> with wave.open(str(folder / "a.wav"), "wb") as file:
    ...     file.setparams((1, 2, 8000, 0, "NONE", ""))
    ...     file.writeframes(np.array([0, 16384, -32768], "<i2").tobytes())
    >>> [(audio, label)] = audio_dataset_from_directory(folder.parent, verbose=False)
    >>> audio.tolist(), label.tolist()
    ([[[0.0], [0.5], [-1.0]]], [0])
    """
    folder = Folder(
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset,
        follow_links, verbose,
    )  # fmt: skip
    folder.check(FILES)
    if ragged and output_sequence_length is not None:
        raise ValueError("Cannot set both `ragged` and `output_sequence_length`")
    _check_rate(sampling_rate)
    if ragged:
        raise NotImplementedError("There are no ragged arrays; leave out `ragged` to fill up with zeros.")

    def read(path: str) -> np.ndarray:
        return read_wav(path, output_sequence_length)

    batched = Dataset.padded_batch if output_sequence_length is None else Dataset.batch
    found = folder.datasets(FILES, read, batched)
    return tuple(found) if isinstance(found, list) else found


def _check_rate(sampling_rate: Any) -> None:
    if sampling_rate is None:
        return
    if not isinstance(sampling_rate, int):
        raise ValueError(
            f"`sampling_rate` should have an integer value. Received: sampling_rate={sampling_rate}"
        )
    if sampling_rate <= 0:
        raise ValueError(f"`sampling_rate` should be higher than 0. Received: sampling_rate={sampling_rate}")
    raise NotImplementedError("Audio is not resampled; leave out `sampling_rate`.")


def read_wav(path: str, length: int | None = None) -> np.ndarray:
    """A recording as float32 (samples, channels) from -1 to 1.

    Args:    length: the number of samples to cut or to fill up to.
    Raises:  ValueError for what is no such file.
    """
    try:
        with wave.open(path, "rb") as file:
            width, channels, count = file.getsampwidth(), file.getnchannels(), file.getnframes()
            wanted = count if length is None else min(count, length)
            data = file.readframes(wanted)
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path} is not a WAV file of integers, or is damaged: {error}") from error
    samples = _numbers(data, width).reshape(-1, channels)
    if length is not None and len(samples) < length:
        samples = np.pad(samples, ((0, length - len(samples)), (0, 0)))
    return samples


def _numbers(data: bytes, width: int) -> np.ndarray:
    """Little-endian integers as shares of their range; those of one byte have no sign."""
    if width == 1:
        return (np.frombuffer(data, np.uint8).astype("float32") - 128) / 128
    rows = np.frombuffer(data, np.uint8).reshape(-1, width)
    wide = np.zeros((len(rows), 4), np.uint8)
    wide[:, 4 - width :] = rows  # the low bytes are 0
    return wide.view("<i4")[:, 0].astype("float32") / 2.0**31
