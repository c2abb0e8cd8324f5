"""Image files of a folder as a data set."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.layers.arguments import data_format_name
from kcompile.training.data.dataset import Dataset
from kcompile.utils.folder_datasets import Files, Folder
from kcompile.utils.image_weights import WEIGHTS, resized_by_weights
from kcompile.utils.images import COLOR_MODES, middle_box, open_image, pillow

FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
FILES = Files("image", FORMATS, "images", f"Allowed formats: {FORMATS}")
INTERPOLATIONS = (
    "bilinear", "nearest", "bicubic", "lanczos3", "lanczos5", "area", "gaussian", "mitchellcubic",
)  # fmt: skip


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
             interpolation: "bilinear", "nearest", "bicubic", "lanczos3", "lanczos5", "area", and unless the
             images are cropped "gaussian" and "mitchellcubic"; none of them blurs before shrinking.
             crop_to_aspect_ratio: cut to the new shape first. pad_to_aspect_ratio: surround by zeros instead.
             format: accepted.
    Returns: a Dataset of (images, labels), images float32 in [0, 255] (uint8 with "nearest");
             `class_names` has the names and `file_paths` the files.
    Raises:  ValueError for arguments that do not go together, and where there is no image; ImportError
             without Pillow.
    """
    folder = Folder(
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset,
        follow_links, verbose,
    )  # fmt: skip
    folder.check(FILES)
    _check(color_mode, interpolation, format)
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("Only one of `pad_to_aspect_ratio`, `crop_to_aspect_ratio` can be set to `True`.")
    if crop_to_aspect_ratio and interpolation.lower() in ("gaussian", "mitchellcubic"):
        raise ValueError(
            f"`crop_to_aspect_ratio` does not go together with interpolation={interpolation}. Use one of "
            f"{INTERPOLATIONS[:6]}."
        )
    size = _size(image_size)
    pillow("image_dataset_from_directory")
    fit = "crop" if crop_to_aspect_ratio else "pad" if pad_to_aspect_ratio else "stretch"
    first = data_format_name(data_format) == "channels_first"

    def read(path: str) -> np.ndarray:
        image = read_image(path, size, color_mode, interpolation.lower(), fit)
        return image.transpose(2, 0, 1) if first else image

    return folder.datasets(FILES, read, Dataset.batch)


def _check(color_mode: str, interpolation: str, format: str) -> None:
    for name, value, known in (
        ("color_mode", color_mode, tuple(COLOR_MODES)),
        ("interpolation", interpolation.lower(), INTERPOLATIONS),
        ("format", format, ("tf", "grain")),
    ):
        if value not in known:
            raise ValueError(f"`{name}` argument must be one of {known}. Received: {name}={value}")


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
    image = np.asarray(_eight_bits(open_image(path), color_mode))
    image = image[:, :, None] if image.ndim == 2 else image
    if interpolation != "nearest":
        image = image.astype("float32")
    if fit == "crop":
        left, top, right, bottom = middle_box((image.shape[1], image.shape[0]), (size[1], size[0]))
        image = image[top:bottom, left:right]
    return _padded(image, size, interpolation) if fit == "pad" else resized(image, size, interpolation)


def _eight_bits(image: Any, color_mode: str) -> Any:
    """Pixels of 16 bits keep the upper eight of them, which Pillow's own conversion would not do."""
    if image.mode.startswith("I"):
        image = pillow("image_dataset_from_directory").fromarray((np.asarray(image) >> 8).astype("uint8"))
    wanted = COLOR_MODES[color_mode][0]
    return image if image.mode == wanted else image.convert(wanted)


def resized(image: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    if interpolation in WEIGHTS:
        return resized_by_weights(image, size, interpolation)
    return ops.image.resize(image, size, interpolation)


def _padded(image: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    """The whole image in the middle of zeros. Of a border of odd width the larger part is below and right,
    and what rounding takes off an image counts as image.
    """
    ratio = max(image.shape[k] / size[k] for k in (0, 1))
    exact = [image.shape[k] / ratio for k in (0, 1)]
    inner = (max(1, int(exact[0])), max(1, int(exact[1])))
    image = resized(image, inner, interpolation)
    top, left = (max(0, int((size[k] - exact[k]) / 2)) for k in (0, 1))
    return ops.image.pad_images(image, top, left, target_height=size[0], target_width=size[1])
