"""Images with boxes, masks and labels, as in `keras.visualization`. Needs pillow; galleries, matplotlib."""

from kcompile.core import public_names
from kcompile.visualization.drawing import draw_bounding_boxes as draw_bounding_boxes
from kcompile.visualization.drawing import draw_segmentation_masks as draw_segmentation_masks
from kcompile.visualization.galleries import plot_bounding_box_gallery as plot_bounding_box_gallery
from kcompile.visualization.galleries import plot_image_gallery as plot_image_gallery
from kcompile.visualization.galleries import plot_segmentation_mask_gallery as plot_segmentation_mask_gallery

__all__ = public_names.of(__name__)
