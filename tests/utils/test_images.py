"""Image files and arrays, and data sets of image files."""

from __future__ import annotations

import builtins
import io

import numpy as np
import pytest

import kcompile as keras
from kcompile.preprocessing.image import smart_resize
from kcompile.utils import array_to_img, image_dataset_from_directory, img_to_array, load_img, save_img
from kcompile.utils.folder_datasets import ahead

PIXELS = np.random.default_rng(8).integers(0, 256, (6, 9, 3)).astype("uint8")


def without_pillow(monkeypatch):
    true_import = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "PIL" or name.startswith("PIL."):
            raise ImportError(name)
        return true_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)


# --- without files ------------------------------------------------------------------------------------------


def test_img_to_array_adds_channels_and_turns():
    assert img_to_array(PIXELS[..., 0]).shape == (6, 9, 1)
    assert img_to_array(PIXELS, data_format="channels_first").shape == (3, 6, 9)
    assert img_to_array(PIXELS, dtype="uint8").dtype == np.uint8
    np.testing.assert_array_equal(img_to_array(PIXELS), PIXELS.astype("float32"))
    with pytest.raises(ValueError, match="Unsupported image shape"):
        img_to_array(PIXELS[0, 0])


@pytest.mark.parametrize("shape", [(6, 9, 3), (2, 6, 9, 3)])
def test_smart_resize_cuts_the_middle_first(shape):
    x = np.random.default_rng(2).uniform(size=shape).astype("float32")
    found = smart_resize(x, (4, 4))
    wanted = keras.ops.image.resize(x[..., 1:7, :], (4, 4))  # 6 of the 9 columns
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_smart_resize_does_not_round_integers():
    x = np.array([[[0], [1]]], np.uint8)
    found = smart_resize(x, (1, 1))
    assert found.dtype == np.float32 and found.ravel().tolist() == [0.0]  # one of the two columns
    assert smart_resize(x, (2, 4)).ravel().tolist() == [0.0, 0.25, 0.75, 1.0] * 2
    assert smart_resize(x, (2, 4), interpolation="nearest").dtype == np.uint8


def test_smart_resize_refuses_other_ranks():
    with pytest.raises(ValueError, match="incorrect rank"):
        smart_resize(PIXELS[0], (2, 2))
    with pytest.raises(ValueError, match="2 integers"):
        smart_resize(PIXELS, (2, 2, 2))


@pytest.mark.parametrize("name", ["load_img", "array_to_img", "image_dataset_from_directory"])
def test_without_pillow_the_remedy_is_named(name, monkeypatch, tmp_path):
    argument = {"load_img": "a.png", "array_to_img": PIXELS, "image_dataset_from_directory": tmp_path}[name]
    without_pillow(monkeypatch)
    with pytest.raises(ImportError, match=f"`{name}` requires Pillow: pip install"):
        getattr(keras.utils, name)(argument)


def test_ahead_keeps_the_order_and_raises_what_a_thread_raised():
    assert list(ahead(lambda k: k * k, range(40))) == [k * k for k in range(40)]

    def broken(k):
        if k == 3:
            raise RuntimeError("file 3")
        return k

    found = ahead(broken, range(40))
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(RuntimeError, match="file 3"):
        next(found)


# --- files --------------------------------------------------------------------------------------------------


@pytest.fixture
def pillow():
    return pytest.importorskip("PIL.Image")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_saved_image_is_loaded_again(channels, tmp_path, pillow):
    pixels = np.random.default_rng(channels).integers(0, 256, (5, 7, channels)).astype("uint8")
    path = tmp_path / "image.png"
    save_img(path, pixels, scale=False)
    mode = {1: "grayscale", 3: "rgb", 4: "rgba"}[channels]
    np.testing.assert_array_equal(img_to_array(load_img(path, mode), dtype="uint8"), pixels)
    np.testing.assert_array_equal(
        img_to_array(load_img(io.BytesIO(path.read_bytes()), mode), dtype="uint8"), pixels
    )


def test_array_to_img_stretches_brightness(pillow):
    x = np.array([[[2.0], [4.0]], [[3.0], [2.0]]])
    np.testing.assert_array_equal(np.asarray(array_to_img(x)), [[0, 255], [127, 0]])
    np.testing.assert_array_equal(np.asarray(array_to_img(x, scale=False)), [[2, 4], [3, 2]])
    np.testing.assert_array_equal(np.asarray(array_to_img(np.full((2, 2, 1), 7.0))), 0)
    assert np.asarray(array_to_img(x * 1000, scale=False)).max() == 4000
    first = np.moveaxis(PIXELS, -1, 0)
    np.testing.assert_array_equal(np.asarray(array_to_img(first, "channels_first", scale=False)), PIXELS)
    with pytest.raises(ValueError, match="Unsupported channel number: 2"):
        array_to_img(np.zeros((3, 3, 2)))
    with pytest.raises(ValueError, match="rank 3"):
        array_to_img(np.zeros((3, 3)))


def test_a_jpeg_has_no_transparency(tmp_path, pillow):
    rgba = np.concatenate([PIXELS, PIXELS[..., :1]], axis=-1)
    with pytest.warns(UserWarning, match="converting to RGB"):
        save_img(tmp_path / "image.jpg", rgba)
    assert load_img(tmp_path / "image.jpg").size == (9, 6)


def test_load_img_resizes(tmp_path, pillow):
    save_img(tmp_path / "image.png", PIXELS, scale=False)
    found = load_img(tmp_path / "image.png", target_size=(3, 3), interpolation="box", keep_aspect_ratio=True)
    image = pillow.fromarray(PIXELS).resize((3, 3), pillow.Resampling.BOX, box=(1, 0, 7, 6))
    np.testing.assert_array_equal(np.asarray(found), np.asarray(image))
    assert load_img(str(tmp_path / "image.png"), "grayscale", (2, 4)).size == (4, 2)
    for bad, match in (({"color_mode": "hsv"}, "color_mode=hsv"), ({"interpolation": "cubic"}, "cubic")):
        with pytest.raises(ValueError, match=match):
            load_img(tmp_path / "image.png", target_size=(3, 3), **bad)
    with pytest.raises(TypeError, match="path-like"):
        load_img(3)


# --- data sets ----------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, pillow):
    """Two classes of five and three images of different sizes; the red channel says which it is."""
    rng = np.random.default_rng(0)
    for number, (name, count) in enumerate({"cats": 5, "dogs": 3}.items()):
        (tmp_path / name).mkdir()
        for k in range(count):
            pixels = rng.integers(0, 256, (8 + k, 12 - k, 3)).astype("uint8")
            pixels[..., 0] = 10 * (10 * number + k)
            save_img(tmp_path / name / f"{k}.png", pixels, scale=False)
    (tmp_path / "cats" / "notes.txt").write_text("not an image")
    return tmp_path


def test_images_and_labels_come_in_the_order_of_the_paths(folder, capsys):
    data = image_dataset_from_directory(folder, image_size=(6, 5), batch_size=3, shuffle=False)
    assert "Found 8 files belonging to 2 classes." in capsys.readouterr().out
    assert (data.class_names, len(data), len(data.file_paths)) == (["cats", "dogs"], 3, 8)
    batches = list(data)
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    assert (images.shape, images.dtype, labels.dtype) == ((8, 6, 5, 3), np.float32, np.int32)
    assert labels.tolist() == [0] * 5 + [1] * 3
    np.testing.assert_allclose(images[:, 0, 0, 0], [0, 10, 20, 30, 40, 100, 110, 120], rtol=1e-6)
    for image, path in zip(images, data.file_paths, strict=True):
        wanted = keras.ops.image.resize(img_to_array(load_img(path)), (6, 5))
        np.testing.assert_array_equal(image, wanted)


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [("binary", [[0.0], [1.0]]), ("categorical", [[1.0, 0.0], [0.0, 1.0]]), (None, None)],
)
def test_label_modes(folder, mode, wanted):
    data = image_dataset_from_directory(
        folder, label_mode=mode, image_size=4, batch_size=None, shuffle=False, verbose=False
    )
    rows = list(data)
    assert len(rows) == 8
    if mode is None:
        assert rows[0].shape == (4, 4, 3)
    else:
        assert [rows[0][1].tolist(), rows[-1][1].tolist()] == wanted


def test_shuffled_epochs_differ_and_a_seed_repeats_them(folder):
    def epochs():
        data = image_dataset_from_directory(folder, seed=4, image_size=2, batch_size=8, verbose=False)
        return [next(iter(data))[0][:, 0, 0, 0].tolist() for _ in range(2)]

    first, second = epochs()
    assert sorted(first) == sorted(second)
    assert first != second
    assert epochs() == [first, second]


def test_validation_split_shares_nothing(folder):
    train, validation = image_dataset_from_directory(
        folder, seed=4, validation_split=0.25, subset="both", image_size=2, verbose=False
    )
    assert (len(train.file_paths), len(validation.file_paths)) == (6, 2)
    assert not set(train.file_paths) & set(validation.file_paths)
    again = image_dataset_from_directory(
        folder, seed=4, validation_split=0.25, subset="validation", image_size=2, verbose=False
    )
    assert again.file_paths == validation.file_paths


def test_forms(folder):
    how = {"batch_size": None, "shuffle": False, "verbose": False, "labels": None}
    path = image_dataset_from_directory(folder, image_size=(6, 6), **how).file_paths[0]
    pixels = img_to_array(load_img(path))  # 8 x 12
    first = image_dataset_from_directory(folder, image_size=(6, 6), data_format="channels_first", **how)
    np.testing.assert_allclose(
        next(iter(first)), np.moveaxis(keras.ops.image.resize(pixels, (6, 6)), -1, 0), rtol=1e-6
    )
    cut = image_dataset_from_directory(folder, image_size=(6, 6), crop_to_aspect_ratio=True, **how)
    np.testing.assert_allclose(next(iter(cut)), smart_resize(pixels, (6, 6)), rtol=1e-6)
    padded = next(
        iter(image_dataset_from_directory(folder, image_size=(6, 6), pad_to_aspect_ratio=True, **how))
    )
    np.testing.assert_allclose(padded[1:5], keras.ops.image.resize(pixels, (4, 6)), rtol=1e-6)
    assert not padded[[0, 5]].any()
    nearest = next(iter(image_dataset_from_directory(folder, image_size=3, interpolation="nearest", **how)))
    assert nearest.dtype == np.uint8
    grey = next(iter(image_dataset_from_directory(folder, image_size=3, color_mode="grayscale", **how)))
    assert grey.shape == (3, 3, 1)


def test_fit_takes_it(folder):
    keras.utils.set_random_seed(1)
    data = image_dataset_from_directory(folder, image_size=(6, 6), batch_size=4, seed=1, verbose=False)
    model = keras.Sequential(
        [
            keras.layers.RandomFlip(seed=1),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    history = model.fit(data, epochs=40, verbose=0)
    assert len(history.history["loss"]) == 40
    assert history.history["loss"][-1] < 0.8 * history.history["loss"][0]
    assert model.predict(data.map(lambda x, y: x), verbose=0).shape == (8, 2)


BAD = [
    ({"labels": "all"}, "labels=all"),
    ({"labels": [0] * 8, "class_names": ["a"]}, "class_names"),
    ({"labels": [0] * 7}, "match the number of files"),
    ({"label_mode": "one"}, "label_mode=one"),
    ({"color_mode": "hsv"}, "color_mode=hsv"),
    ({"interpolation": "cubic"}, "interpolation=cubic"),
    ({"image_size": (3, 3, 3)}, "image_size="),
    ({"format": "torch"}, "format=torch"),
    ({"class_names": ["cows"]}, "did not match"),
    ({"validation_split": 2.0, "subset": "training", "seed": 1}, "between 0 and 1"),
    ({"validation_split": 0.2}, "inversely"),
    ({"validation_split": 0.2, "subset": "both"}, "provide a `seed`"),
    ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "Only one of"),
]


@pytest.mark.parametrize(("kwargs", "match"), BAD)
def test_bad_arguments(kwargs, match, folder):
    with pytest.raises(ValueError, match=match):
        image_dataset_from_directory(folder, verbose=False, **kwargs)


def test_a_folder_without_images(tmp_path, pillow):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="No images found"):
        image_dataset_from_directory(tmp_path, verbose=False)
