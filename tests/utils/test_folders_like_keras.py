"""Data sets of image and audio files, and of windows, hold what Keras's do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import kcompile as keras
from tests.parity import folder_cases

KERAS = np.load(Path(folder_cases.__file__).parent / "folders.npz")
NAMES = json.loads(KERAS["names"].tobytes())

# TensorFlow looks bicubic weights up in a table of 1,024, so that a pixel is off by up to 0.2 of 255.
LOOSE = {"bicubic": 0.2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("PIL")
    found = tmp_path_factory.mktemp("folders")
    folder_cases.write(found)
    return found


@pytest.mark.parametrize("name", folder_cases.CASES)
def test_case(name, folder):
    names, arrays = folder_cases.outcome(keras, name, folder)
    assert names == NAMES[name]
    wanted = [KERAS[key] for key in KERAS.files if key.rpartition("/")[0] == name]
    assert len(arrays) == len(wanted)
    tolerance = next((t for kind, t in LOOSE.items() if kind in name), 1e-3)
    for found, expected in zip(arrays, wanted, strict=True):
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=tolerance)  # of 255


def test_fixtures_are_complete():
    assert set(NAMES) == set(folder_cases.CASES)
    assert sum(value == "ValueError" for value in NAMES.values()) >= 6


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_numbers_of_any_width(width, tmp_path):
    from kcompile.utils.audio_datasets import read_wav

    wanted = np.array([-1, -0.5, 0, 0.25, 0.75])
    numbers = (wanted * 2 ** (8 * width - 1)).astype("<i8") + (128 if width == 1 else 0)
    samples = numbers[:, None].view(np.uint8)[:, :width].copy().view(f"V{width}").ravel()
    folder_cases.write_wav(tmp_path / "a.wav", samples, channels=1)
    np.testing.assert_array_equal(read_wav(str(tmp_path / "a.wav"))[:, 0], wanted)


def test_a_file_that_is_no_recording_is_named(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "bad.wav").write_bytes(b"RIFF but nothing else")
    data = keras.utils.audio_dataset_from_directory(tmp_path, verbose=False)
    with pytest.raises(ValueError, match="bad.wav is not a WAV file"):
        list(data)


@pytest.mark.parametrize("how", [{"ragged": True}, {"sampling_rate": 8000}])
def test_what_is_not_supported_is_told(how, folder):
    with pytest.raises(NotImplementedError, match="leave out"):
        keras.utils.audio_dataset_from_directory(folder / "audio", verbose=False, **how)


def test_padded_batches_of_structures():
    rows = [({"a": np.ones((k, 2))}, k) for k in (1, 3, 2)]
    data = keras.utils.split_dataset(np.arange(3.0), 0.5)[0]
    padded = type(data)(lambda: iter(rows), 3).padded_batch(2)
    first, last = padded
    assert len(padded) == 2 and first[0]["a"].shape == (2, 3, 2) and last[0]["a"].shape == (1, 2, 2)
    assert first[0]["a"][:, :, 0].tolist() == [[1, 0, 0], [1, 1, 1]] and first[1].tolist() == [1, 3]
    with pytest.raises(ValueError, match="at least 1"):
        data.batch(0)
