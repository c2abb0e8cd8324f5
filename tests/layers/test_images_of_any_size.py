"""Image and sound layers in models that leave sizes open: each size gets what the layer gives for it."""

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers as L

IMAGES = np.random.default_rng(0).uniform(0, 255, (2, 8, 6, 3)).astype("float32")
SOUND = np.random.default_rng(1).normal(size=(2, 80, 1)).astype("float32")

# name -> layer, shape of the placeholder's result as in Keras
CASES = {
    "a large crop": (lambda: L.CenterCrop(10, 10), (None, 10, 10, 3)),
    "a wide crop": (lambda: L.CenterCrop(4, 9), (None, 4, 9, 3)),
    "a crop": (lambda: L.CenterCrop(4, 3), (None, 4, 3, 3)),
    "resized and cut": (lambda: L.Resizing(4, 5, crop_to_aspect_ratio=True), (None, 4, 5, 3)),
    "resized and padded": (lambda: L.Resizing(4, 5, pad_to_aspect_ratio=True), (None, 4, 5, 3)),
    "equalized": (
        lambda: L.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 2)),
        (None, None, None, 3),
    ),
    "elastic": (lambda: L.RandomElasticTransform(1.0), (None, None, None, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_images_of_any_size(name):
    make, shape = CASES[name]
    layer, x = make(), keras.Input((None, None, 3))
    model = keras.Model(x, layer(x))
    assert model.output_shape == shape
    for images in (IMAGES, IMAGES[:, :7, :5]):
        found, wanted = model.predict(images, verbose=0), layer(images, training=False)
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("length", [80, 50])
def test_sound_of_any_length(length):
    mel = L.MelSpectrogram(fft_length=16, sequence_stride=8, num_mel_bins=4)
    frames = L.STFTSpectrogram(frame_length=16)
    x, y = keras.Input((None,)), keras.Input((None, 1))
    first, second = keras.Model(x, mel(x)), keras.Model(y, frames(y))
    assert first.output_shape == (None, 4, None) and second.output_shape == (None, None, 9)
    sound = SOUND[:, :length]
    np.testing.assert_allclose(
        first.predict(sound[..., 0], verbose=0), mel(sound[..., 0]), rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(second.predict(sound, verbose=0), frames(sound), rtol=1e-4, atol=1e-5)


def test_random_parts_of_any_size():
    x = keras.Input((None, None, 3))
    model = keras.Model(x, L.RandomCrop(5, 4, seed=1)(x))
    assert model.output_shape == (None, 5, 4, 3)
    for images in (IMAGES, IMAGES[:, :7, :5]):
        parts = model(images, training=True)
        rows = [images[:, r : r + 5, c : c + 4] for r in range(4) for c in range(3)]
        assert any(part.shape == parts.shape and np.array_equal(part, parts) for part in rows)
        assert model(images, training=False).shape == images.shape


def test_dtypes_of_images_and_of_what_goes_with_them():
    images = {"images": IMAGES, "labels": np.ones((2,), "float32")}

    def dtypes_of(layer):
        return {name: str(x.dtype) for name, x in layer(images, training=True).items()}

    assert dtypes_of(L.Resizing(4, 5, dtype="uint8")) == {"images": "uint8", "labels": "uint8"}
    assert dtypes_of(L.CenterCrop(3, 4, dtype="uint8")) == {"images": "uint8", "labels": "uint8"}
    assert dtypes_of(L.RandomFlip(dtype="float16")) == {"images": "float16", "labels": "float32"}
    assert dtypes_of(L.RandomCrop(3, 4, dtype="float16")) == {"images": "float16", "labels": "float32"}
    assert L.RandomCrop(3, 4)(IMAGES.astype("float16"), training=False).dtype == "float16"


def test_brightness_keeps_ints():
    images = IMAGES.astype("uint8")
    brighter = L.RandomBrightness((0.2, 0.2))(images, training=True)
    assert brighter.dtype == "uint8"
    np.testing.assert_array_equal(brighter, images + np.uint8(51))  # wraps around, as Keras's on JAX
    darker = L.RandomBrightness((-0.2, -0.2))(images, training=True)
    np.testing.assert_array_equal(darker, images)


def test_the_dtype_of_lookups_is_that_of_their_vocabulary():
    assert L.StringLookup(vocabulary=["a"]).dtype == L.TextVectorization().dtype == "string"
    assert L.IntegerLookup(vocabulary=[1]).dtype == "int64"
    assert L.Dense(1, dtype="mixed_float16").dtype == "float32"


def test_floats_become_the_dtype_of_a_layer_of_ints():
    scaled = L.Rescaling(2, dtype="uint8")(np.array([[-1.5, 1.5, 300]], "float32"))
    assert scaled.dtype == "uint8" and scaled.tolist() == [[0, 2, 254]]  # 255 doubled wraps around


def test_frames_of_no_length_are_refused():
    with pytest.raises(ValueError, match="frame_length=0"):
        L.STFTSpectrogram(frame_length=0)
