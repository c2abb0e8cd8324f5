"""Applications of `ops.image`, run by Keras (make_image_fixtures.py) and here (ops/test_image_parity.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Case = Callable[[Any, dict[str, np.ndarray]], Any]

FORMS = ("n", "1", "nf", "1f")  # a batch, one image; "f": channels first
MAPS = np.array([[1.1, 0.2, -0.7, -0.1, 0.9, 0.4, 0, 0], [0.8, -0.3, 2.2, 0.25, 1.2, -1.3, 0, 0]], "float32")
CORNERS = np.array([[0, 0], [6, 0], [0, 8], [6, 8]], "float32")


def inputs() -> dict[str, np.ndarray]:
    """Small images of several dtypes and forms."""
    rng = np.random.default_rng(1509)
    images = rng.uniform(0, 1, (2, 9, 7, 3)).astype("float32")
    other = np.clip(images + rng.normal(0, 0.1, images.shape), 0, 1).astype("float32")
    arrays = {"f": images, "o": other, "h": images.astype("float16")}
    arrays["u"] = rng.integers(0, 256, (2, 9, 7, 3)).astype("uint8")
    arrays["i"] = rng.integers(-90, 90, (2, 9, 7, 3)).astype("int32")
    forms = {}
    for name, array in arrays.items():
        first = np.ascontiguousarray(np.moveaxis(array, -1, 1))
        forms |= {name + "n": array, name + "1": array[0], name + "nf": first, name + "1f": first[0]}
    large = rng.uniform(0, 1, (2, 14, 13, 2)).astype("float32")
    return forms | {
        "large": large,
        "large_other": np.clip(large + rng.normal(0, 0.2, large.shape), 0, 1).astype("float32"),
        "volume": rng.uniform(0, 1, (2, 4, 5, 6, 2)).astype("float32"),
        "volume_first": rng.uniform(0, 1, (2, 4, 5, 6)).astype("float32"),
        "points": rng.uniform(-6, 14, (3, 5, 4)).astype("float32"),
        "moved": (CORNERS + rng.uniform(-1.5, 1.5, (2, 4, 2))).astype("float32"),
    }


def data_format(form: str) -> str:
    return "channels_first" if form.endswith("f") else "channels_last"


def resize_cases() -> dict[str, Case]:
    found: dict[str, Case] = {}

    def add(name: str, key: str, size: Any, **how: Any) -> None:
        form = data_format(key[1:])
        found[f"resize-{name}-{key}"] = lambda ops, a: ops.image.resize(a[key], size, data_format=form, **how)

    for method in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"):
        for antialias in (False, True):
            how = {"interpolation": method, "antialias": antialias}
            for size in ((5, 11), (18, 3), (9, 7)):
                add(f"{method}-{antialias}-{size}", "fn", size, **how)
            for key in ("un", "in", "hn", "f1", "fnf", "f1f", "u1f"):
                add(f"{method}-{antialias}", key, (6, 10), **how)
    for key in ("fn", "f1", "fnf", "f1f", "un", "u1f"):
        for size in ((4, 6), (6, 3), (12, 12)):
            add(f"crop-{size}", key, size, crop_to_aspect_ratio=True)
            add(f"pad-{size}", key, size, pad_to_aspect_ratio=True, fill_value=0.5)
            add(f"pad-nearest-{size}", key, size, pad_to_aspect_ratio=True, interpolation="nearest")
    return found


def sampling_cases() -> dict[str, Case]:
    found: dict[str, Case] = {}
    for mode in ("constant", "nearest", "wrap", "mirror", "reflect"):
        for order, interpolation in ((0, "nearest"), (1, "bilinear")):
            for key in ("f1", "u1", "i1"):
                found[f"map_coordinates-{mode}-{order}-{key}"] = (
                    lambda ops, a, mode=mode, order=order, key=key: ops.image.map_coordinates(
                        a[key], a["points"], order, fill_mode=mode, fill_value=3
                    )
                )
            for key in ("fn", "un", "fnf", "f1", "f1f", "hn"):
                maps = MAPS if "n" in key[1:] else MAPS[0]
                found[f"affine_transform-{mode}-{interpolation}-{key}"] = (
                    lambda ops, a, mode=mode, how=interpolation, key=key, maps=maps: (
                        ops.image.affine_transform(a[key], maps, how, mode, 0.25, data_format(key[1:]))
                    )
                )
    for interpolation in ("nearest", "bilinear"):
        for key in ("fn", "un", "fnf", "f1", "f1f"):
            one = "n" not in key[1:]
            found[f"perspective_transform-{interpolation}-{key}"] = (
                lambda ops, a, how=interpolation, key=key, one=one: ops.image.perspective_transform(
                    a[key],
                    CORNERS if one else np.stack([CORNERS, CORNERS]),
                    a["moved"][0] if one else a["moved"],
                    how,
                    0.5,
                    data_format(key[1:]),
                )
            )
    return found


def color_cases() -> dict[str, Case]:
    found: dict[str, Case] = {}
    for form in FORMS:
        how = {"data_format": data_format(form)}
        for name in ("rgb_to_grayscale", "rgb_to_hsv", "hsv_to_rgb"):
            found[f"{name}-{form}"] = lambda ops, a, name=name, form=form, how=how: getattr(ops.image, name)(
                a["f" + form], **how
            )
            found[f"{name}-half-{form}"] = lambda ops, a, name=name, form=form, how=how: getattr(
                ops.image, name
            )(a["h" + form], **how)
        found[f"rgb_to_grayscale-uint8-{form}"] = lambda ops, a, form=form, how=how: (
            ops.image.rgb_to_grayscale(a["u" + form], **how)
        )
    found["rgb_to_hsv-grey"] = lambda ops, a: ops.image.rgb_to_hsv(np.ones((2, 2, 3), "float32") * 0.3)
    found["rgb_to_hsv-black"] = lambda ops, a: ops.image.rgb_to_hsv(np.zeros((2, 2, 3), "float32"))
    return found


def border_cases() -> dict[str, Case]:
    found: dict[str, Case] = {}
    pads = [(1, 2, 3, 0, None, None), (None, None, 1, 1, 12, 12), (1, 2, None, None, 12, 12)]
    crops = [(1, 2, 3, 0, None, None), (None, None, 1, 1, 6, 5), (1, 2, None, None, 4, 4)]
    for form in FORMS:
        for kind in ("f", "u"):
            for k, (pad, crop) in enumerate(zip(pads, crops, strict=True)):
                found[f"pad_images-{k}-{kind}{form}"] = lambda ops, a, pad=pad, key=kind + form, form=form: (
                    ops.image.pad_images(a[key], *pad, data_format(form))
                )
                found[f"crop_images-{k}-{kind}{form}"] = (
                    lambda ops, a, crop=crop, key=kind + form, form=form: ops.image.crop_images(
                        a[key], *crop, data_format(form)
                    )
                )
    return found


def patch_cases() -> dict[str, Case]:
    found: dict[str, Case] = {}
    options = [
        {"size": 3}, {"size": (2, 3), "strides": (2, 1)}, {"size": 2, "strides": 2, "padding": "same"},
        {"size": 2, "strides": 1, "dilation_rate": 2}, {"size": (3, 2), "strides": 3, "padding": "same"},
    ]  # fmt: skip
    for form in FORMS:
        for k, how in enumerate(options):
            found[f"extract_patches-{k}-{form}"] = lambda ops, a, how=how, form=form: (
                ops.image.extract_patches(a["f" + form], data_format=data_format(form), **how)
            )
    found["extract_patches_3d-last"] = lambda ops, a: ops.image.extract_patches_3d(a["volume"], 2)
    found["extract_patches_3d-strided"] = lambda ops, a: ops.image.extract_patches(
        a["volume"], (2, 3, 2), strides=(1, 2, 2), padding="same"
    )
    found["extract_patches_3d-first"] = lambda ops, a: ops.image.extract_patches_3d(
        a["volume_first"], (2, 2, 3), data_format="channels_first"
    )
    return found


def filter_cases() -> dict[str, Case]:
    found: dict[str, Case] = {}
    for form in FORMS:
        how = data_format(form)
        for k, (size, sigma) in enumerate((((3, 3), (1.0, 1.0)), ((5, 3), (0.7, 2.0)), ((4, 1), (1.5, 1.0)))):
            found[f"gaussian_blur-{k}-{form}"] = lambda ops, a, size=size, sigma=sigma, how=how, form=form: (
                ops.image.gaussian_blur(a["f" + form], size, sigma, how)
            )
    found["gaussian_blur-half"] = lambda ops, a: ops.image.gaussian_blur(
        a["hn"], (3, 3), (1.0, 1.0), "channels_last"
    )
    for key in ("fn", "fnf", "hn", "in"):
        found[f"sobel_edges-{key}"] = lambda ops, a, key=key: ops.image.sobel_edges(
            a[key], data_format(key[1:])
        )
    found["ssim"] = lambda ops, a: ops.image.ssim(a["large"], a["large_other"])
    found["ssim-one"] = lambda ops, a: ops.image.ssim(
        a["large"][0], a["large_other"][0], max_val=2.0, filter_size=5, filter_sigma=1.0, k1=0.02, k2=0.05
    )
    found["ssim-first"] = lambda ops, a: ops.image.ssim(
        a["fnf"], a["onf"], filter_size=7, data_format="channels_first"
    )
    found["ssim-half"] = lambda ops, a: ops.image.ssim(a["hn"], a["on"].astype("float16"), filter_size=3)
    for method in ("linear", "cubic", "lanczos3", "lanczos5"):
        for antialias in (False, True):
            found[f"scale_and_translate-{method}-{antialias}"] = (
                lambda ops, a, method=method, antialias=antialias: ops.image.scale_and_translate(
                    a["fn"],
                    (2, 6, 9, 3),
                    np.array([0.55, 1.4], "float32"),
                    np.array([0.6, -1.1], "float32"),
                    (1, 2),
                    method,
                    antialias,
                )
            )
    return found


def cases() -> dict[str, Case]:
    """Every case by its name, which begins with the op's."""
    groups = (resize_cases, sampling_cases, color_cases, border_cases, patch_cases, filter_cases)
    return {name: case for group in groups for name, case in group().items()}
