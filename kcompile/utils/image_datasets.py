"""Image files of a folder as a data set."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.layers.arguments import data_format_name
from kcompile.training.data.dataset import Dataset
from kcompile.utils.directories import check_validation_split, index_directory, part_of
from kcompile.utils.images import load_img, pillow

FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
CHANNELS = {"rgb": 3, "rgba": 4, "grayscale": 1}
INTERPOLATIONS = (
    "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic",
)  # fmt: skip
READERS = 4  # files that are read and decoded at once


def image_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Any = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """The image files of a folder, whose subfolders are classes; they are read while one iterates.

    Args:    labels: "inferred", None, or a list of ints in the order of the paths. label_mode: "int" for
             (batch,) int32, "binary" for (batch, 1) float32, "categorical" for one-hot rows, None for images
             alone. class_names: the order of the classes. color_mode: "rgb", "rgba" or "grayscale".
             batch_size: None for single images. image_size: (height, width). validation_split: the share kept
             for validation; subset: "training", "validation", or "both" for a list of two data sets.
             interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio: as of `layers.Resizing`. format:
             accepted.
    Returns: a Dataset of (images, labels), images float32 in [0, 255] (uint8 with "nearest");
             `class_names` has the names and `file_paths` the files.
    Raises:  ValueError for arguments that do not go together, and where there is no image; ImportError
             without Pillow.
    """
    _check(labels, label_mode, class_names, color_mode, interpolation, format)
    if labels is None or label_mode is None:
        labels = label_mode = None
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("Only one of `pad_to_aspect_ratio`, `crop_to_aspect_ratio` can be set to `True`.")
    size = _size(image_size)
    check_validation_split(validation_split, subset, shuffle, seed)
    pillow("image_dataset_from_directory")
    seed = int(np.random.randint(10**6)) if seed is None else seed
    paths, labels, names = index_directory(
        directory, labels, FORMATS, class_names, shuffle, seed, follow_links, verbose
    )
    if label_mode == "binary" and len(names or []) != 2:
        raise ValueError(
            'When passing `label_mode="binary"`, there must be exactly 2 class_names. Received: '
            f"class_names={names}"
        )
    fit = "crop" if crop_to_aspect_ratio else "pad" if pad_to_aspect_ratio else "stretch"
    first = data_format_name(data_format) == "channels_first"

    def read(path: str) -> np.ndarray:
        image = read_image(path, size, color_mode, interpolation.lower(), fit)
        return image.transpose(2, 0, 1) if first else image

    def made(which: str | None, shuffled: bool) -> Dataset:
        own_paths, own_labels = part_of(paths, labels, validation_split, which)
        if not own_paths:
            kind = f"{which} " if subset == "both" else ""
            raise ValueError(f"No {kind}images found in directory {directory}. Allowed formats: {FORMATS}")
        encoded = _encoded(own_labels, label_mode, len(names or []))
        found = _dataset(own_paths, encoded, read, batch_size, seed if shuffled else None)
        found.class_names, found.file_paths = names, own_paths
        return found

    if subset == "both":
        return [made("training", shuffle), made("validation", False)]
    return made(subset, shuffle)


def _check(
    labels: Any, label_mode: Any, class_names: Any, color_mode: str, interpolation: str, format: str
) -> None:
    given = labels is not None and not (isinstance(labels, str) and labels == "inferred")
    if given and not isinstance(labels, (list, tuple)):
        raise ValueError(
            "`labels` argument should be a list/tuple of integer labels, of the same size as the number of "
            f'image files in the target directory; or "inferred" or None. Received: labels={labels}'
        )
    if given and class_names:
        raise ValueError(
            'You can only pass `class_names` if `labels="inferred"`. Received: '
            f"labels={labels}, and class_names={class_names}"
        )
    for name, value, known in (
        ("label_mode", label_mode, ("int", "categorical", "binary", None)),
        ("color_mode", color_mode, tuple(CHANNELS)),
        ("interpolation", interpolation.lower(), INTERPOLATIONS),
        ("format", format, ("tf", "grain")),
    ):
        if value not in known:
            raise ValueError(f"`{name}` argument must be one of {known}. Received: {name}={value}")
    if interpolation.lower() in ("area", "gaussian", "mitchellcubic"):
        raise NotImplementedError(
            f"interpolation={interpolation!r} is not supported. Use 'bilinear', 'nearest', 'bicubic', "
            "'lanczos3' or 'lanczos5'."
        )


def _size(image_size: Any) -> tuple[int, int]:
    if isinstance(image_size, int):
        return image_size, image_size
    if not isinstance(image_size, (list, tuple)) or len(image_size) != 2:
        raise ValueError(
            f"Invalid `image_size` value. Expected a tuple of 2 integers. Received: image_size={image_size}"
        )
    return int(image_size[0]), int(image_size[1])


def read_image(path: str, size: tuple[int, int], color_mode: str, interpolation: str, fit: str) -> np.ndarray:
    """An image file as an array (height, width, c). fit: "stretch", "crop" or "pad" to the new shape."""
    image = np.asarray(load_img(path, color_mode))
    image = image[:, :, None] if image.ndim == 2 else image
    if interpolation != "nearest":
        image = image.astype("float32")
    if fit == "pad":
        return _padded(image, size, interpolation)
    return ops.image.resize(image, size, interpolation, crop_to_aspect_ratio=fit == "crop")


def _padded(image: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    """The whole image in the middle of zeros."""
    (height, width), (rows, columns) = image.shape[:2], size
    ratio = max(width / columns, height / rows)
    inner = (max(1, int(height / ratio)), max(1, int(width / ratio)))
    image = ops.image.resize(image, inner, interpolation)
    top, left = (rows - inner[0]) // 2, (columns - inner[1]) // 2
    return ops.image.pad_images(image, top, left, target_height=rows, target_width=columns)


def _encoded(labels: Any, mode: str | None, classes: int) -> np.ndarray | None:
    if mode is None:
        return None
    numbers = np.asarray(labels)
    if mode == "binary":
        return numbers.astype("float32")[:, None]
    return np.eye(classes, dtype="float32")[numbers] if mode == "categorical" else numbers.astype("int32")


def _dataset(
    paths: list[str],
    labels: np.ndarray | None,
    read: Callable[[str], np.ndarray],
    batch_size: int | None,
    seed: int | None,
) -> Dataset:
    rng = None if seed is None else np.random.default_rng(seed)

    def images() -> Iterator[Any]:
        order = np.arange(len(paths)) if rng is None else rng.permutation(len(paths))
        for k, image in zip(order, ahead(read, (paths[k] for k in order)), strict=True):
            yield image if labels is None else (image, labels[k])

    found = Dataset(images, len(paths))
    return found if batch_size is None else found.batch(batch_size)


def ahead(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """function(item) for each, in order; threads compute the next ones meanwhile."""
    source = iter(items)
    pool = ThreadPoolExecutor(READERS, thread_name_prefix="images")
    try:
        waiting = deque(pool.submit(function, item) for item in islice(source, 4 * READERS))
        while waiting:
            result = waiting.popleft().result()  # an error in a thread is raised here
            waiting.extend(pool.submit(function, item) for item in islice(source, 1))
            yield result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
