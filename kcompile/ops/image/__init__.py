"""`keras.ops.image`: images in other sizes, places, colours and pieces.

Images are (h, w, c) or batches (n, h, w, c); with data_format "channels_first" (c, h, w) or (n, c, h, w).
"""

from kcompile.core import public_names as _public_names
from kcompile.ops.image import borders as _borders
from kcompile.ops.image import color as _color
from kcompile.ops.image import elastic as _elastic
from kcompile.ops.image import filters as _filters
from kcompile.ops.image import patches as _patches
from kcompile.ops.image import resizing as _resizing
from kcompile.ops.image import sampling as _sampling
from kcompile.ops.public import public as _public

affine_transform = _public(_sampling.affine_transform)
crop_images = _public(_borders.crop_images)
elastic_transform = _public(_elastic.elastic_transform)
extract_patches = _public(_patches.extract_patches)
extract_patches_3d = _public(_patches.extract_patches_3d)
gaussian_blur = _public(_filters.gaussian_blur)
hsv_to_rgb = _public(_color.hsv_to_rgb)
map_coordinates = _public(_sampling.map_coordinates)
pad_images = _public(_borders.pad_images)
perspective_transform = _public(_sampling.perspective_transform)
resize = _public(_resizing.resize)
rgb_to_grayscale = _public(_color.rgb_to_grayscale)
rgb_to_hsv = _public(_color.rgb_to_hsv)
scale_and_translate = _public(_resizing.scale_and_translate)
sobel_edges = _public(_filters.sobel_edges)
ssim = _public(_filters.ssim)

__all__ = _public_names.of(__name__)
