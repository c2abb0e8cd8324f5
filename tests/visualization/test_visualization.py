"""Boxes and masks in images, pixel by pixel; galleries where matplotlib is installed."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import visualization as v

RED = (255, 0, 0)


def framed(x1, y1, x2, y2, size=(12, 16)):
    """A black image with a red frame of one pixel."""
    image = np.zeros((*size, 3), "uint8")
    image[y1, x1 : x2 + 1] = image[y2, x1 : x2 + 1] = RED
    image[y1 : y2 + 1, x1] = image[y1 : y2 + 1, x2] = RED
    return image


@pytest.mark.parametrize(
    "form, box",
    [
        ("xyxy", [2, 3, 9, 8]),
        ("yxyx", [3, 2, 8, 9]),
        ("xywh", [2, 3, 7, 5]),
        ("rel_xyxy", [2 / 16, 3 / 12, 9 / 16, 8 / 12]),
    ],
)
def test_a_box_in_every_format(form, box):
    images = np.zeros((1, 12, 16, 3), "uint8")
    boxes = {"boxes": np.array([[box]], "float32"), "labels": np.array([[0]])}
    drawn = v.draw_bounding_boxes(images, boxes, form, color=RED, line_thickness=1)
    np.testing.assert_array_equal(drawn, [framed(2, 3, 9, 8)])
    assert not images.any()


def test_lines_grow_to_both_sides_and_unlabelled_boxes_are_left_out():
    images = np.zeros((2, 12, 16, 3), "float32")
    images[1] = 0.5
    boxes = {
        "boxes": np.array([[[4, 4, 8, 7], [0, 0, 2, 2]]] * 2, "float32"),
        "labels": np.array([[3, -1], [-1, -1]]),
    }
    drawn = v.draw_bounding_boxes(images, boxes, "xyxy", color=RED, line_thickness=3)
    wide = sum(framed(4 - d, 4 - d, 8 + d, 7 + d).astype(int) for d in (-1, 0, 1)).clip(0, 255)
    np.testing.assert_array_equal(drawn[0], wide)
    np.testing.assert_array_equal(drawn[1], np.full((12, 16, 3), 127))


def test_names_and_confidences_are_written_in_the_color():
    boxes = {"boxes": np.array([[[4, 40, 60, 60]]], "float32"), "labels": np.array([[1]])}
    blank = np.zeros((1, 64, 200, 3), "uint8")
    plain = v.draw_bounding_boxes(blank, boxes, "xyxy", color=RED)
    named = v.draw_bounding_boxes(blank, boxes, "xyxy", {1: "cat"}, color=RED)
    more = v.draw_bounding_boxes(blank, {**boxes, "confidences": np.array([[0.5]])}, "xyxy", {1: "cat"}, RED)
    counts = [int((image[..., 0] > 0).sum()) for image in (plain, named, more)]
    assert counts[0] < counts[1] < counts[2]
    assert not named[..., 1:].any()


def test_channels_first():
    boxes = {"boxes": np.array([[[2, 3, 9, 8]]], "float32"), "labels": np.array([[0]])}
    first = np.zeros((1, 3, 12, 16), "uint8")
    drawn = v.draw_bounding_boxes(
        first, boxes, "xyxy", color=RED, line_thickness=1, data_format="channels_first"
    )
    np.testing.assert_array_equal(drawn, [np.moveaxis(framed(2, 3, 9, 8), -1, 0)])


def test_wrong_boxes():
    with pytest.raises(ValueError, match="batched 4D"):
        v.draw_bounding_boxes(np.zeros((4, 4, 3)), {}, "xyxy")
    with pytest.raises(TypeError, match="dict"):
        v.draw_bounding_boxes(np.zeros((1, 4, 4, 3)), np.zeros((1, 1, 4)), "xyxy")
    with pytest.raises(ValueError, match="'labels'"):
        v.draw_bounding_boxes(np.zeros((1, 4, 4, 3)), {"boxes": np.zeros((1, 1, 4))}, "xyxy")


def test_masks():
    images = np.full((1, 2, 2, 3), 100, "uint8")
    masks = np.array([[[[0], [1]], [[2], [-1]]]])
    colors = {0: (0, 0, 0), 1: (200, 0, 0), 2: (0, 50, 0)}
    drawn = v.draw_segmentation_masks(images, masks, 3, colors, alpha=0.5)
    np.testing.assert_array_equal(drawn[0], [[[50] * 3, [150, 50, 50]], [[50, 75, 50], [100] * 3]])
    bare = v.draw_segmentation_masks(images, masks, 3, colors, blend=False)
    assert bare.dtype == "float32" and bare[0, 0, 1].tolist() == [200, 0, 0]
    kept = v.draw_segmentation_masks(images, masks, 3, colors, alpha=0.5, ignore_index=1)
    assert kept[0, 0, 1].tolist() == [100, 100, 100]
    default = v.draw_segmentation_masks(images, masks, 3, alpha=1.0)
    palette = [2**25 - 1, 2**15 - 1, 2**21 - 1]
    assert default[0, 0, 1].tolist() == [c % 255 for c in palette]
    assert default[0, 1, 0].tolist() == [2 * c % 255 for c in palette]
    first = v.draw_segmentation_masks(
        np.moveaxis(images, -1, 1), np.moveaxis(masks, -1, 1), 3, colors, 0.5, data_format="channels_first"
    )
    np.testing.assert_array_equal(first, drawn)


def test_masks_are_ints():
    with pytest.raises(TypeError, match="integer dtype"):
        v.draw_segmentation_masks(np.zeros((1, 2, 2, 3)), np.zeros((1, 2, 2, 1)))


def test_galleries_say_what_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        v.plot_image_gallery(np.zeros((1, 2, 2, 3)))


def test_galleries_are_written(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    images = np.random.default_rng(0).uniform(0, 255, (5, 8, 8, 3))
    v.plot_image_gallery(images, [0, 1, 0, 1, 2], label_map={0: "a", 1: "b"}, path=tmp_path / "a.png")
    boxes = {"boxes": np.array([[[1, 1, 5, 5]]] * 5, "float32"), "labels": np.zeros((5, 1), int)}
    v.plot_bounding_box_gallery(images, "xyxy", boxes, boxes, legend=True, path=tmp_path / "b.png")
    masks = np.ones((5, 8, 8, 1), int)
    v.plot_segmentation_mask_gallery(images, 2, y_true=masks, y_pred=masks, path=tmp_path / "c.png")
    assert all((tmp_path / f"{name}.png").stat().st_size > 500 for name in "abc")
    with pytest.raises(ValueError, match="label_map"):
        v.plot_image_gallery(images, y_true=[1] * 5)
    with pytest.raises(ValueError, match="`show`"):
        v.plot_image_gallery(images, path=tmp_path / "d.png", show=True)
