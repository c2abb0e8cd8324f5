"""`ops.image` compiled, with unknown extents, its gradients, in functional models, and with bad arguments."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops
from kcompile.autograd.check import gradient_error
from kcompile.core.symbolic import symbol
from kcompile.ops import random as draws
from kcompile.ops.image import elastic, sampling
from tests.parity.image_op_cases import CORNERS, MAPS, cases, inputs
from tests.programs import failures, make_case

INPUTS = inputs()
GROUPS = sorted({name.partition("-")[0] for name in cases()})


def chosen(group: str) -> list[str]:
    """Every fourth case of an op, so that all its options come in turn."""
    return [name for name in cases() if name.partition("-")[0] == group and used_by(name)][::4]


@pytest.mark.parametrize("group", GROUPS)
def test_compiled_as_eager(group):
    found = []
    for name in chosen(group):
        arrays = {key: INPUTS[key] for key in used_by(name)}

        def function(*values, name=name, keys=tuple(arrays)):
            return cases()[name](ops, {**INPUTS, **dict(zip(keys, values, strict=True))})

        found.append(make_case(name, function, list(arrays.values())))
    assert failures(found) == []


def used_by(name: str) -> list[str]:
    """The arrays that a case reads."""

    class Reads(dict):
        def __missing__(self, key):
            self[key] = INPUTS[key]
            return self[key]

    reads = Reads()
    cases()[name](ops, reads)
    return list(reads)


OPEN = {
    "bilinear": lambda x: ops.image.resize(x, (5, 4)),
    "bicubic": lambda x: ops.image.resize(x, (12, 4), "bicubic"),
    "nearest": lambda x: ops.image.resize(x, (12, 4), "nearest"),
    "antialias": lambda x: ops.image.resize(x, (4, 3), "lanczos3", antialias=True),
    "affine": lambda x: ops.image.affine_transform(x, MAPS, fill_mode="reflect"),
    "perspective": lambda x: ops.image.perspective_transform(x, np.stack([CORNERS] * 2), INPUTS["moved"]),
    "grayscale": lambda x: ops.image.rgb_to_grayscale(x),
    "patches": lambda x: ops.image.extract_patches(x, 2, padding="valid"),
    "patches_overlapping": lambda x: ops.image.extract_patches(x, 3, strides=2),
    "pad": lambda x: ops.image.pad_images(x, 1, 2, 3, 0),
    "crop": lambda x: ops.image.crop_images(x, 1, 2, 3, 0),
    "blur": lambda x: ops.image.gaussian_blur(x, (5, 3), (1.5, 0.5)),
}


@pytest.mark.parametrize("name", OPEN)
def test_unknown_height_and_width(name):
    x = INPUTS["fn"]
    shape = (2 if name in ("affine", "perspective") else symbol("batch"), symbol("h"), symbol("w"), 3)
    case = make_case(name, OPEN[name], [x], [shape])
    assert failures([case]) == []
    [expected] = case.expected()
    np.testing.assert_allclose(OPEN[name](x), expected, rtol=2e-5, atol=2e-5)


# --- gradients ----------------------------------------------------------------------------------------------

SMALL = np.random.default_rng(4).uniform(0.1, 0.9, (2, 4, 5, 3))
COLOURS = np.random.default_rng(6).permuted(np.broadcast_to([0.2, 0.5, 0.8], SMALL.shape), axis=-1)
AT = np.random.default_rng(5).uniform(0.2, 2.8, (2, 6)) // 1 + 0.3  # away from whole numbers
DIFFERENTIABLE = {
    "resize": (lambda x: ops.image.resize(x, (3, 9), "bicubic", antialias=True), [SMALL]),
    "map_coordinates": (lambda x, at: ops.image.map_coordinates(x, at, 1, "nearest"), [SMALL[0, ..., 0], AT]),
    "affine_transform": (
        lambda x, t: ops.image.affine_transform(x, t, fill_mode="reflect"),
        [SMALL, MAPS + np.sqrt([2, 3, 5, 7, 11, 13, 0, 0]) / 50],
    ),
    "perspective_transform": (lambda x: ops.image.perspective_transform(x, *POINTS), [SMALL]),
    "scale_and_translate": (
        lambda x, s, t: ops.image.scale_and_translate(x, (2, 3, 6, 3), s, t, (1, 2), "cubic", False),
        [SMALL, np.array([0.81, 1.23]), np.array([0.12, -0.34])],
    ),
    "hsv_to_rgb": (lambda x: ops.image.hsv_to_rgb(x), [SMALL]),
    "rgb_to_hsv": (lambda x: ops.image.rgb_to_hsv(x), [SMALL / 9 + COLOURS]),
    "gaussian_blur": (lambda x, s: ops.image.gaussian_blur(x, (3, 5), s), [SMALL, np.array([0.8, 1.3])]),
    "ssim": (lambda a, b: ops.image.ssim(a, b, filter_size=3), [SMALL, SMALL[::-1].copy()]),
    "extract_patches": (lambda x: ops.image.extract_patches(x, 2, strides=1, padding="same"), [SMALL]),
}
POINTS = (CORNERS / 2, CORNERS / 2 + 0.4)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients_by_finite_differences(name):
    function, arrays = DIFFERENTIABLE[name]
    assert gradient_error(function, *arrays) < 1e-6


# --- perspective --------------------------------------------------------------------------------------------


def test_homography_solves_the_equations_of_its_points():
    start, end = np.stack([CORNERS] * 2), INPUTS["moved"]
    found = sampling.compute_homography_matrix(start, end)
    for k in range(2):
        a, b = [], []
        for (u, v), (x, y) in zip(start[k], end[k], strict=True):
            a += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
            b += [u, v]
        np.testing.assert_allclose(found[k], np.linalg.solve(a, b), rtol=1e-4, atol=1e-6)


# --- elastic ------------------------------------------------------------------------------------------------


def test_elastic_displacement_is_the_blurred_noise():
    key, x = np.array([5, 0], "uint32"), INPUTS["fn"]
    noise = []
    for number in (0, 1):
        drawn = draws.normal(draws.folded(key, number), (2, 9, 7), "float32") * 0.6
        noise.append(ops.image.gaussian_blur(drawn[..., None], (3, 3), (0.6, 0.6))[..., 0])
    rows, columns = np.arange(9)[:, None] + 2 * noise[1], np.arange(7) + 2 * noise[0]
    found = ops.image.elastic_transform(x, alpha=2.0, sigma=0.6, seed=5, fill_mode="nearest")
    for n in range(2):
        for c in range(3):
            at = np.stack([rows[n], columns[n]])
            wanted = ops.image.map_coordinates(x[n, ..., c], at, 1, "nearest")
            np.testing.assert_allclose(found[n, ..., c], wanted, rtol=1e-4, atol=1e-5)


def test_elastic_window_has_the_size_of_its_own_sigma_when_more_room_is_given():
    key, x = np.array([5, 0], "uint32"), INPUTS["fn"]
    exact, roomy = (
        elastic.with_key(key, x, 2.0, 0.6, size, "bilinear", "reflect", 0.0, None) for size in (3, 9)
    )
    np.testing.assert_allclose(exact, roomy, rtol=1e-5, atol=1e-5)


def test_elastic_of_integers_keeps_their_dtype():
    found = ops.image.elastic_transform(INPUTS["un"], seed=keras.random.SeedGenerator(3))
    assert (found.shape, found.dtype) == ((2, 9, 7, 3), np.uint8)
    assert found.std() > 0


# --- functional models --------------------------------------------------------------------------------------


def test_operations_of_functional_models_have_keras_names_and_reload():
    inputs_ = keras.Input((9, 7, 3))
    x = ops.image.resize(inputs_, (6, 6), interpolation="bicubic")
    x = ops.image.rgb_to_grayscale(x)
    x = ops.image.affine_transform(x, MAPS[0])
    x = ops.image.extract_patches(x, 2)
    model = keras.Model(inputs_, x)
    config = model.get_config()
    assert [(layer["class_name"], layer["module"]) for layer in config["layers"][1:]] == [
        ("Resize", "keras.src.ops.image"),
        ("RGBToGrayscale", "keras.src.ops.image"),
        ("AffineTransform", "keras.src.ops.image"),
        ("ExtractPatches", "keras.src.ops.image"),
    ]
    copy = keras.Model.from_config(config)
    np.testing.assert_array_equal(
        copy.predict(INPUTS["fn"], verbose=0), model.predict(INPUTS["fn"], verbose=0)
    )


# --- bad arguments ------------------------------------------------------------------------------------------

X = INPUTS["fn"]
BAD = {
    "rank": (lambda: ops.image.resize(X[0, 0], (2, 2)), "expected rank 3"),
    "size": (lambda: ops.image.resize(X, (2, 2, 2)), "tuple of 2 integers"),
    "size_zero": (lambda: ops.image.resize(X, (2, 0)), "positive height and width"),
    "interpolation": (lambda: ops.image.resize(X, (2, 2), "cubic"), "interpolation=cubic"),
    "both": (
        lambda: ops.image.resize(X, (2, 2), crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
        "Only one of",
    ),
    "data_format": (lambda: ops.image.resize(X, (2, 2), data_format="last"), "data_format=last"),
    "fill_mode": (lambda: ops.image.affine_transform(X, MAPS, fill_mode="edge"), "fill_mode=edge"),
    "transform": (lambda: ops.image.affine_transform(X, MAPS[None]), "Invalid transform rank"),
    "points": (lambda: ops.image.perspective_transform(X, CORNERS[:3], CORNERS), "Invalid start_points"),
    "points_differ": (lambda: ops.image.perspective_transform(X, CORNERS, CORNERS[None]), "same shape"),
    "coordinates": (lambda: ops.image.map_coordinates(X, np.zeros((2, 3)), 1), "First dim of `coordinates`"),
    "coordinates_rank": (lambda: ops.image.map_coordinates(X[0, 0, 0], np.zeros((1,)), 1), "at least rank 2"),
    "order": (lambda: ops.image.map_coordinates(X[0, 0], np.zeros((2, 3)), 2), "order=2"),
    "channels": (lambda: ops.image.rgb_to_grayscale(X[..., :2]), "Invalid channel size"),
    "hsv_ints": (lambda: ops.image.rgb_to_hsv(INPUTS["un"]), "expected float dtype"),
    "pad_three": (lambda: ops.image.pad_images(X, 1, 1, 1, 1, 12), "exactly two of top_padding"),
    "pad_negative": (
        lambda: ops.image.pad_images(X, 1, 1, target_height=4, target_width=9),
        "bottom_padding",
    ),
    "crop_negative": (lambda: ops.image.crop_images(X, 8, 1, 8, 1), "target_height must be >= 0"),
    "crop_outside": (lambda: ops.image.crop_images(X, 8, 0, target_height=4, target_width=2), "inside of"),
    "patch_size": (lambda: ops.image.extract_patches(X, (2, 2, 2, 2)), "length 2 or 3"),
    "sobel_rank": (lambda: ops.image.sobel_edges(X[0]), "expected rank 4"),
    "blur_ints": (lambda: ops.image.gaussian_blur(INPUTS["un"]), "must be floats"),
    "method": (
        lambda: ops.image.scale_and_translate(X, X.shape, [1.0], [0.0], (1,), "nearest"),
        "method=nearest",
    ),
    "output_shape": (
        lambda: ops.image.scale_and_translate(X, (2, 2), [1.0], [0.0], (1,), "linear"),
        "one extent for each",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments(name):
    call, match = BAD[name]
    with pytest.raises(ValueError, match=match):
        call()


def test_a_patch_size_of_another_type():
    with pytest.raises(TypeError, match="Expected an int or a tuple"):
        ops.image.extract_patches(X, 2.5)


@pytest.mark.parametrize("size", [(5, 7), (8, 3), (1, 6)])
@pytest.mark.parametrize("form", ["channels_last", "channels_first"])
def test_projective_maps_divide_by_the_depth(form, size):
    """Pixels come from ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k), k = c0 x + c1 y + 1, as documented.

    So they do in Keras on TensorFlow. Keras on JAX, NumPy and torch adds c0 and c1 times the channel's number
    to the coordinates instead.
    """
    h, w = size
    images = np.random.default_rng(4).uniform(0, 1, (2, h, w, 3)).astype("float32")
    maps = np.array([[1.1, 0.2, -0.7, -0.1, 0.9, 0.4, 0.03, -0.02], [0.9, 0, 0.3, 0.11, 1, 0, -0.04, 0.05]])
    wanted = np.full(images.shape, 0.3, "float32")
    for n, y, x in np.ndindex(2, h, w):
        a0, a1, a2, b0, b1, b2, c0, c1 = maps[n]
        k = c0 * x + c1 * y + 1
        column, row = round((a0 * x + a1 * y + a2) / k), round((b0 * x + b1 * y + b2) / k)
        if 0 <= row < h and 0 <= column < w:
            wanted[n, y, x] = images[n, row, column]
    given, maps = (images if form == "channels_last" else np.moveaxis(images, -1, 1)), maps.astype("float32")
    run = lambda x: ops.image.affine_transform(x, maps, "nearest", "constant", 0.3, form)  # noqa: E731
    for found in (run(given), keras.jit(run)(given)):
        found = found if form == "channels_last" else np.moveaxis(np.asarray(found), 1, -1)
        np.testing.assert_array_equal(found, wanted)
