"""Data sets of image and audio files, and of windows: functions of `keras` and a folder that return them."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Case = Callable[[Any, Path], Any]
CASES: dict[str, Case] = {}
SIZES = [(7, 5), (5, 8), (9, 9)]


def write(folder: Path) -> None:
    """Images of three shapes in two classes, one of 16 bits, and recordings of several lengths."""
    from PIL import Image

    for number, (height, width) in enumerate(SIZES):
        path = folder / "images" / ("ant", "bee")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(height, width, number)).save(path)
    (folder / "deep" / "one").mkdir(parents=True)
    Image.fromarray(pixels(4, 6, 3)[..., 0].astype("uint16") * 257).save(folder / "deep" / "one" / "a.png")
    for number, count in enumerate((5, 9, 6)):
        path = folder / "audio" / ("hum", "zip")[number % 2] / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, (np.arange(count) * 7919 - 20000).astype("<i2"), channels=1)
    (folder / "stereo" / "one").mkdir(parents=True)
    write_wav(folder / "stereo" / "one" / "a.wav", np.arange(-4, 4).astype("<i2") * 8000, channels=2)


def pixels(height: int, width: int, number: int) -> np.ndarray:
    y, x, c = np.mgrid[:height, :width, :3]
    return (127 + 120 * np.sin(x * 1.3 + y * y * 0.7 + c + number)).astype("uint8")


def write_wav(path: Path, samples: np.ndarray, channels: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(samples.dtype.itemsize)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())


def images(name: str, below: str = "images", **how: Any) -> None:
    options = {"image_size": (6, 4), "shuffle": False, "batch_size": 2, "verbose": False, **how}

    def case(keras: Any, folder: Path) -> Any:
        return keras.utils.image_dataset_from_directory(folder / below, **options)

    CASES[f"images {name}"] = case


for _kind in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5", "area", "gaussian", "mitchellcubic"):
    for _fit in ("stretch", "crop", "pad"):
        _more = {} if _fit == "stretch" else {f"{_fit}_to_aspect_ratio": True}
        images(f"{_kind} {_fit}", interpolation=_kind, **_more)
    images(f"{_kind} larger", interpolation=_kind, image_size=(13, 11))
images("padded to odd sizes", pad_to_aspect_ratio=True, image_size=(12, 5))
images("padded, channels first", pad_to_aspect_ratio=True, data_format="channels_first")
for _color in ("rgb", "rgba", "grayscale"):
    images(f"of 16 bits as {_color}", "deep", color_mode=_color)
images("listed", labels=[2, 0, 2])
images("listed, tuple of names", class_names=("bee", "ant"))
images("listed categories", labels=[2, 0, 2], label_mode="categorical")
images("listed floats", labels=[0.5, 0.0, 1.0])
images("binary", label_mode="binary")
images("single", batch_size=None, label_mode=None)
images("no class names without labels", labels=None, class_names=["ant"])


def audio(name: str, below: str = "audio", **how: Any) -> None:
    options = {"shuffle": False, "batch_size": 2, "verbose": False, **how}

    def case(keras: Any, folder: Path) -> Any:
        return keras.utils.audio_dataset_from_directory(folder / below, **options)

    CASES[f"audio {name}"] = case


for _mode in ("int", "binary", "categorical", None):
    audio(f"mode {_mode}", label_mode=_mode)
for _length in (1, 6, 20):
    audio(f"of {_length} samples", output_sequence_length=_length)
audio("stereo", "stereo")
audio("single", batch_size=None)
audio("training", validation_split=0.4, subset="training")
audio("both", validation_split=0.4, subset="both")
audio("in another order", class_names=["zip", "hum"])
audio("of images", "images")
audio("ragged and long", ragged=True, output_sequence_length=3)
audio("of half a rate", sampling_rate=0.5)
audio("of no rate", sampling_rate=0)
audio("strange labels", labels="x")


def windows(name: str, data: Any, targets: Any, **how: Any) -> None:
    CASES[f"windows {name}"] = lambda keras, folder: keras.utils.timeseries_dataset_from_array(
        data, targets, **{"sequence_length": 3, "batch_size": 4, **how}
    )


windows("of lists of ints", list(range(9)), list(range(9)))
windows("of lists of floats", [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]], None)
windows("of arrays", np.arange(9.0), np.arange(9, dtype="int16"))


def arrays_of(dataset: Any) -> list[np.ndarray]:
    """What a data set gives, batch by batch."""
    batches = [batch if isinstance(batch, tuple) else (batch,) for batch in dataset]
    return [np.asarray(part) for batch in batches for part in batch]


def outcome(keras: Any, name: str, folder: Path) -> tuple[Any, list[np.ndarray]]:
    """The names of classes, or the exception's name; and all arrays."""
    try:
        found = CASES[name](keras, folder)
        several = found if isinstance(found, (list, tuple)) else [found]
        arrays = [array for one in several for array in arrays_of(one)]
    except (ValueError, ImportError, NotImplementedError) as error:
        return type(error).__name__, []
    names = [getattr(one, "class_names", None) for one in several]
    return [None if n is None else list(n) for n in names], arrays
