"""Rows and columns of images, drawn by matplotlib."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kcompile.core import config
from kcompile.visualization.drawing import draw_bounding_boxes, draw_segmentation_masks


def _pyplot(function: str) -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError(
            f"The `{function}` function requires the `matplotlib` package. Please install it with "
            "`pip install matplotlib`."
        ) from None
    return plt


def _channels_last(images: Any, data_format: str | None) -> np.ndarray:
    if len(np.shape(images)) != 4:
        raise ValueError(f"`images` must be batched 4D tensor. Received: images.shape={np.shape(images)}")
    first = (data_format or config.image_data_format()) == "channels_first"
    return np.moveaxis(np.asarray(images), 1, -1) if first else np.asarray(images)


def plot_image_gallery(
    images: Any,
    y_true: Any = None,
    y_pred: Any = None,
    label_map: dict[Any, str] | None = None,
    rows: int | None = None,
    cols: int | None = None,
    value_range: Any = (0, 255),
    scale: float = 2,
    path: Any = None,
    show: bool | None = None,
    transparent: bool = True,
    dpi: float = 60,
    legend_handles: Any = None,
    data_format: str | None = None,
) -> None:
    """Show images in rows and columns, or write them to a file.

    Shapes:  images (n, h, w, c).
    Args:    y_true, y_pred: a label for each image, shown by its name in `label_map`. rows, cols: about a
             square by default. value_range: (black, white). scale: inches of an image. path: the file;
             without it the figure is shown, unless show=False. legend_handles: matplotlib's, for a legend.
    Raises:  ValueError for a path together with show=True, labels without `label_map`, and other shapes;
             ImportError without matplotlib.
    """
    plt = _pyplot("plot_image_gallery")
    if path is not None and show:
        raise ValueError("plot_gallery() expects either `path` to be set, or `show` to be true.")
    if (y_true is not None or y_pred is not None) and label_map is None:
        raise ValueError("If `y_true` or `y_pred` are provided, a `label_map` must also be provided.")
    pixels = _channels_last(images, data_format)
    rows = rows or math.ceil(math.sqrt(len(pixels)))
    cols = cols or math.ceil(len(pixels) / rows)
    least, most = value_range
    pixels = ((pixels.astype("float32") - least) * (255 / (most - least))).astype("uint8")
    figure, axes = plt.subplots(
        nrows=rows, ncols=cols, figsize=(cols * scale, rows * scale), frameon=False, layout="tight",
        squeeze=False, sharex="row", sharey="col",
    )  # fmt: skip
    if legend_handles is not None:
        figure.legend(handles=legend_handles, loc="lower center")
    labels = [(name, np.asarray(y)) for name, y in (("Label", y_true), ("Pred", y_pred)) if y is not None]
    for k, axis in enumerate(axes.flat):
        axis.axis("off")
        if k >= len(pixels):
            continue
        axis.imshow(pixels[k])
        axis.margins(x=0, y=0)
        known = [(name, y[k].item()) for name, y in labels if k < len(y)]
        if known:
            title = "  ".join(f"{name}: {(label_map or {}).get(label, 'Unknown')}" for name, label in known)
            axis.set_title(title, fontsize=8)
    if path is not None:
        plt.savefig(path, pad_inches=0, bbox_inches="tight", transparent=transparent, dpi=dpi)
        plt.close(figure)
    elif show or show is None:
        plt.show()
        plt.close(figure)


def plot_bounding_box_gallery(
    images: Any,
    bounding_box_format: str,
    y_true: Any = None,
    y_pred: Any = None,
    value_range: Any = (0, 255),
    true_color: Any = (0, 188, 212),
    pred_color: Any = (255, 235, 59),
    line_thickness: int = 2,
    font_scale: float = 1.0,
    text_thickness: int | None = None,
    class_mapping: dict[int, str] | None = None,
    ground_truth_mapping: dict[int, str] | None = None,
    prediction_mapping: dict[int, str] | None = None,
    legend: bool = False,
    legend_handles: Any = None,
    rows: int | None = None,
    cols: int | None = None,
    data_format: str | None = None,
    **kwargs: Any,
) -> None:
    """Images with true and predicted boxes, as `plot_image_gallery` shows them.

    Args:    y_true, y_pred: as `draw_bounding_boxes` takes boxes. class_mapping: names of labels, unless
             ground_truth_mapping and prediction_mapping say. legend: say which color is which.
    Raises:  as `draw_bounding_boxes` and `plot_image_gallery`; ValueError for legend with legend_handles.
    """
    _pyplot("plot_bounding_box_gallery")
    from matplotlib import patches

    drawn = _channels_last(images, data_format)
    for boxes, color, names in (
        (y_true, true_color, ground_truth_mapping or class_mapping),
        (y_pred, pred_color, prediction_mapping or class_mapping),
    ):
        if boxes is not None:
            drawn = draw_bounding_boxes(
                drawn, boxes, bounding_box_format, names, color, line_thickness, text_thickness, font_scale,
                "channels_last",
            )  # fmt: skip
    if legend and legend_handles:
        raise ValueError(
            "Only pass `legend` OR `legend_handles` to `keras.visualization.plot_bounding_box_gallery()`."
        )
    if legend:
        legend_handles = [
            patches.Patch(color=np.array(color) / 255.0, label=label)
            for color, label in ((true_color, "Ground Truth"), (pred_color, "Prediction"))
        ]
    plot_image_gallery(
        drawn, value_range=value_range, legend_handles=legend_handles, rows=rows, cols=cols,
        data_format="channels_last", **kwargs,
    )  # fmt: skip


def plot_segmentation_mask_gallery(
    images: Any,
    num_classes: int,
    value_range: Any = (0, 255),
    y_true: Any = None,
    y_pred: Any = None,
    color_mapping: dict[int, Any] | None = None,
    blend: bool = True,
    alpha: float = 0.8,
    ignore_index: int = -1,
    data_format: str | None = None,
    **kwargs: Any,
) -> None:
    """A row for each image: itself, with true masks and with predicted ones, as far as they are given.

    Args:    as `draw_segmentation_masks` and `plot_image_gallery` take them.
    Raises:  as they.
    """
    first = (data_format or config.image_data_format()) == "channels_first"
    pixels = _channels_last(images, data_format)
    columns = [pixels]
    for masks in (y_true, y_pred):
        if masks is None:
            continue
        ints = np.asarray(masks).astype("int32")
        ints = np.moveaxis(ints, 1, -1) if first else ints
        columns.append(
            draw_segmentation_masks(
                pixels, ints, num_classes, color_mapping, alpha, blend, ignore_index, "channels_last"
            )
        )
    joined = np.stack(columns, axis=1).reshape(-1, *pixels.shape[1:])
    plot_image_gallery(
        joined, value_range=value_range, rows=len(pixels), cols=len(columns), data_format="channels_last",
        **kwargs,
    )  # fmt: skip
