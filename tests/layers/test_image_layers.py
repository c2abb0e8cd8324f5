"""Image layers in compiled training, in pipelines of data, with dictionaries, and with bad arguments."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from kcompile.layers.preprocessing.image import policies
from kcompile.trace.tracer import trace
from tests.layers.check import parameters, traced

RNG = np.random.default_rng(12)
IMAGES = RNG.uniform(0, 255, (6, 13, 11, 3)).astype("float32")
SHAPE = IMAGES.shape[1:]

GROUPS = {
    "moving": lambda: [
        layers.RandomFlip(seed=1),
        layers.RandomTranslation(0.2, 0.3, seed=2),
        layers.RandomRotation(0.2, fill_mode="constant", seed=3),
        layers.RandomZoom(0.3, fill_mode="nearest", seed=4),
        layers.RandomShear(0.2, 0.1, fill_mode="wrap", seed=5),
    ],
    "cutting": lambda: [
        layers.RandomPerspective(0.9, 0.5, seed=1),
        layers.RandomElasticTransform(seed=2),
        layers.RandomCrop(9, 8, seed=3),
        layers.CenterCrop(8, 7),
        layers.Resizing(6, 9),
    ],
    "color": lambda: [
        layers.RandomBrightness(0.2, seed=1),
        layers.RandomContrast(0.4, seed=2),
        layers.RandomHue(0.3, seed=3),
        layers.RandomColorJitter(brightness_factor=0.1, contrast_factor=0.2, seed=4),
        layers.RandomColorDegeneration(0.4, seed=5),
        layers.RandomGrayscale(0.5, seed=6),
        layers.RandomInvert(0.8, seed=7),
    ],
    "tone": lambda: [
        layers.Equalization(),  # these two first: they round, so that they tell numbers apart that are close
        layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 3)),
        layers.RandomSharpness(0.8, seed=1),
        layers.RandomGaussianBlur(0.8, sigma=0.9, seed=2),
        layers.Solarization(0.3, 0.4, seed=3),
        layers.AutoContrast(),
    ],
    "mixing": lambda: [
        layers.RandomErasing(0.9, seed=1),
        layers.RandomErasing(0.9, fill_value=[1.0, 2.0, 3.0], seed=4),
        layers.CutMix(seed=2),
        layers.MixUp(seed=3),
        layers.RandomPosterization((2, 6), seed=1),
    ],
}


def losses_of(group: str, eagerly: bool) -> list[float]:
    """Losses over some batches, the last one short."""
    keras.utils.set_random_seed(7)
    steps = [layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2, kernel_initializer="glorot_normal")]
    model = keras.Sequential([keras.Input(SHAPE), *GROUPS[group](), *steps])
    model.compile(keras.optimizers.SGD(0.01), "mse", run_eagerly=eagerly)
    targets = np.arange(12).reshape(6, 2) / 5
    history = model.fit(IMAGES, targets, batch_size=4, epochs=2, shuffle=False, verbose=0)
    return history.history["loss"]


@pytest.mark.compiled
@pytest.mark.parametrize("group", GROUPS)
def test_compiled_training_draws_and_computes_as_eager_training(group):
    compiled, eager = losses_of(group, False), losses_of(group, True)
    assert compiled[0] != compiled[1]
    np.testing.assert_allclose(compiled, eager, rtol=2e-4)


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("name", ["RandAugment", "AugMix"])
def test_policies_train_compiled(name):
    random.seed(3)
    model = keras.Sequential(
        [keras.Input(SHAPE), getattr(layers, name)(seed=1), layers.GlobalAveragePooling2D(), layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    model.fit(IMAGES / 255, np.ones((6, 1)), batch_size=3, verbose=0)
    wanted = model.layers[-1](model.layers[-2](IMAGES))
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("steps", [1, 2])
def test_a_step_of_rand_augment_reads_images_for_all_its_moving_layers_together(steps):
    def reads(layer: layers.Layer) -> int:
        graph, _ = trace(lambda x: layer(x, training=True), parameters([IMAGES]))
        return sum(node.op.name == "pick" for node in graph.nodes())

    others = reads(layers.Equalization())
    assert reads(layers.RandAugment(num_ops=steps)) == steps * (reads(layers.RandomShear(0.3)) + others)


@pytest.mark.parametrize("number, name", list(enumerate(policies.MOVING)))
@pytest.mark.parametrize("one", [False, True])
def test_rand_augment_moves_as_the_chosen_layer_does(number, name, one):
    layer = layers.RandAugment(num_ops=1, factor=0.4, seed=3)
    drawn = layer.get_random_transformation(IMAGES[0] if one else IMAGES)
    chosen = {**drawn, "layer_idxes": np.array([number], "int32")}
    images = IMAGES[:1] if one else IMAGES
    own = getattr(layer, name)
    for method in ("transform_images", "transform_segmentation_masks"):
        wanted = getattr(own, method)(images, drawn["transforms"][name])
        assert np.abs(wanted - images).max() > 1
        np.testing.assert_array_equal(getattr(layer, method)(images, chosen), wanted)


# --- distributions ------------------------------------------------------------------------------------------


def test_flips_are_drawn_per_image_and_half_of_the_time():
    x = np.broadcast_to(np.arange(2.0)[None, None, :, None], (400, 1, 2, 1)).astype("float32")
    first, second = (layers.RandomFlip("horizontal", seed=s)(x)[:, 0, 0, 0] for s in (1, 2))
    assert 150 < first.sum() < 250
    assert (first != second).any()


def test_brightness_is_uniform_between_its_bounds():
    layer = layers.RandomBrightness([-0.2, 0.4], seed=3)
    moved = layer(np.full((4000, 1, 1, 1), 100.0, "float32")).ravel() - 100
    assert -51.01 <= moved.min() < -45
    assert 96 < moved.max() <= 102.01
    assert abs(moved.mean() - 25.5) < 3


def test_every_call_draws_again_and_a_seed_repeats_all_calls():
    calls = []
    for _ in range(2):
        layer = layers.RandomRotation(0.3, seed=9)
        calls.append([layer(IMAGES) for _ in range(2)])
    np.testing.assert_array_equal(calls[0], calls[1])
    assert np.abs(calls[0][0] - calls[0][1]).max() > 1


def test_cut_mix_takes_a_box_of_the_size_that_its_labels_say():
    images = np.arange(5, dtype="float32")[:, None, None, None] * np.ones((1, 16, 16, 1), "float32")
    labels = np.eye(5, dtype="float32")
    found = layers.CutMix(seed=4)({"images": images, "labels": labels})
    for number, (image, label) in enumerate(zip(found["images"], found["labels"], strict=True)):
        own = (image == number).mean()
        assert abs(own - label[number]) < 0.2
        assert label.sum() == pytest.approx(1)


def test_masks_move_with_their_images():
    masks = (IMAGES[..., :1] > 100).astype("float32")
    for layer in (
        layers.RandomElasticTransform(interpolation="nearest", seed=1),
        layers.RandomPerspective(interpolation="nearest", seed=2),
        layers.RandomRotation(0.3, interpolation="nearest", seed=3),
        layers.RandomCrop(7, 7, seed=4),
    ):
        found = layer({"images": IMAGES, "segmentation_masks": masks})
        moved = (found["images"][..., :1] > 100).astype("float32")
        np.testing.assert_array_equal(found["segmentation_masks"], moved)


# --- forms of input -----------------------------------------------------------------------------------------


def test_one_image_is_one_of_a_batch():
    for make in (lambda: layers.RandomZoom(0.3, seed=1), lambda: layers.RandomContrast(0.3, seed=1)):
        one, many = make()(IMAGES[0]), make()(IMAGES[:1])
        np.testing.assert_allclose(one, many[0], rtol=1e-6)


def test_integers_become_floats():
    pixels = IMAGES.astype("uint8")
    for layer in (layers.RandomFlip(), layers.RandomErasing(), layers.MixUp()):
        assert layer(pixels).dtype == np.float32
    for layer in (layers.Resizing(3, 3), layers.RandomBrightness(0.2)):  # as in Keras
        assert layer(pixels).dtype == np.uint8


def test_boxes_may_be_lists_of_different_lengths():
    boxes = {"boxes": [[[1, 1, 4, 4]], [[0, 0, 2, 2], [3, 3, 6, 6]]], "labels": [[1], [2, 3]]}
    found = layers.Resizing(26, 22, bounding_box_format="xyxy")(
        {"images": IMAGES[:2], "bounding_boxes": boxes}
    )
    np.testing.assert_allclose(found["bounding_boxes"]["boxes"][0], [[2, 2, 8, 8], [0, 0, 0, 0]])
    assert found["bounding_boxes"]["labels"].tolist() == [[1, -1], [2, 3]]


def test_other_entries_of_a_dictionary_stay():
    found = layers.RandomFlip()({"images": IMAGES, "names": np.arange(6)})
    assert found["names"].tolist() == [0, 1, 2, 3, 4, 5]


def test_a_functional_model_with_a_dictionary():
    images, labels = keras.Input(SHAPE, name="images"), keras.Input((3,), name="labels")
    found = layers.MixUp(seed=1)({"images": images, "labels": labels})
    model = keras.Model([images, labels], [found["images"], found["labels"]])
    x, y = model([IMAGES, np.eye(6, 3, dtype="float32")], training=True)
    np.testing.assert_allclose(y.sum(axis=-1), [1, 1, 1, 0, 0, 0], atol=1.01)
    assert x.shape == IMAGES.shape


def test_unknown_height_and_width():
    model = keras.Sequential([keras.Input((None, None, 3)), layers.Resizing(5, 4), layers.CenterCrop(4, 4)])
    wanted = layers.CenterCrop(4, 4)(layers.Resizing(5, 4)(IMAGES))
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0), wanted, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(
        model.predict(IMAGES[:, 2:, 3:], verbose=0),
        layers.CenterCrop(4, 4)(layers.Resizing(5, 4)(IMAGES[:, 2:, 3:])),
        rtol=1e-4,
        atol=1e-3,
    )


def test_pipeline_of_data():
    pipeline = layers.Pipeline([layers.Resizing(4, 4), layers.RandomFlip(seed=1), layers.Rescaling(1 / 255)])
    data = ((x, k) for k, x in enumerate(IMAGES))
    rows = [(pipeline(x[None]), k) for x, k in data]
    assert [x.shape for x, _ in rows] == [(1, 4, 4, 3)] * 6
    copy = layers.Pipeline.from_config(pipeline.get_config())
    np.testing.assert_allclose(copy(IMAGES, training=False), pipeline(IMAGES, training=False))
    model = keras.Sequential([keras.Input(SHAPE), pipeline])
    np.testing.assert_allclose(
        model.predict(IMAGES, verbose=0), pipeline(IMAGES, training=False), rtol=1e-4, atol=1e-5
    )
    with pytest.raises(ValueError, match="must contain a `layers` key"):
        layers.Pipeline.from_config({"name": "p"})


def test_traced_clahe_as_eager():
    layer = layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(3, 2), clip_limit=1.5)
    [found] = traced(layer, [IMAGES])
    np.testing.assert_allclose(found, layer(IMAGES), rtol=1e-5, atol=1e-3)


# --- saving -------------------------------------------------------------------------------------------------


def test_a_saved_model_augments_again(tmp_path):
    model = keras.Sequential([keras.Input(SHAPE), layers.RandomShear(0.3, 0.2), layers.RandAugment(seed=1)])
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    configs = [json.dumps([layer.get_config() for layer in m.layers]) for m in (copy, model)]
    assert configs[0] == configs[1]
    np.testing.assert_array_equal(copy(IMAGES, training=False), model(IMAGES, training=False))


# --- bad arguments ------------------------------------------------------------------------------------------

BAD = [
    (ValueError, "does not take a `factor`", lambda: layers.Resizing(2, 2, factor=0.1)),
    (ValueError, "`factor` argument should be a number", lambda: layers.RandomRotation(2.0)),
    (ValueError, "`factor` argument should be a number", lambda: layers.RandomBrightness([0.1, 0.2, 0.3])),
    (ValueError, "height_factor=1.5", lambda: layers.RandomTranslation(1.5, 0.1)),
    (ValueError, "height_factor=-1.0", lambda: layers.RandomZoom(-1.0)),
    (ValueError, "x_factor=-0.1", lambda: layers.RandomShear(-0.1)),
    (
        NotImplementedError,
        "Unknown `fill_mode` mirror",
        lambda: layers.RandomRotation(0.1, fill_mode="mirror"),
    ),
    (NotImplementedError, "Unknown `interpolation`", lambda: layers.RandomZoom(0.1, interpolation="bicubic")),
    (NotImplementedError, "Unknown `interpolation`", lambda: layers.RandomPerspective(interpolation="cubic")),
    (ValueError, "scale=1.5", lambda: layers.RandomPerspective(scale=1.5)),
    (ValueError, "value_range=255", lambda: layers.RandomSaturation(0.1, value_range=255)),
    (ValueError, "factor=1.5", lambda: layers.RandomGrayscale(1.5)),
    (ValueError, "odd number", lambda: layers.RandomGaussianBlur(kernel_size=4)),
    (ValueError, "addition_factor=-1", lambda: layers.Solarization(addition_factor=-1)),
    (ValueError, "rank 3", lambda: layers.RandomFlip()(IMAGES[0, 0])),
    (ValueError, "interpolation=cubic", lambda: layers.Resizing(2, 2, "cubic")(IMAGES)),
    (ValueError, "expected float dtype", lambda: layers.RandomSaturation(0.1)(IMAGES.astype("uint8"))),
    (ValueError, "fill_value", lambda: layers.RandomErasing(fill_value=[1, 2])(IMAGES)),
    (
        ValueError,
        "bounding box format",
        lambda: layers.RandomFlip()({"images": IMAGES, "bounding_boxes": {"boxes": 1, "labels": 1}}),
    ),
    (
        ValueError,
        "'boxes' and 'labels'",
        lambda: layers.RandomFlip(bounding_box_format="xyxy")({"images": IMAGES, "bounding_boxes": {}}),
    ),
]


@pytest.mark.parametrize(("error", "match", "call"), BAD)
def test_bad_arguments(error, match, call):
    with pytest.raises(error, match=match):
        call()
