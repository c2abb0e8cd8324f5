"""Image files and arrays, as in `keras.preprocessing.image`: other names of functions of `utils`."""

from kcompile.core import public_names
from kcompile.utils.images import array_to_img as array_to_img
from kcompile.utils.images import img_to_array as img_to_array
from kcompile.utils.images import load_img as load_img
from kcompile.utils.images import save_img as save_img
from kcompile.utils.images import smart_resize as smart_resize

__all__ = public_names.of(__name__)
