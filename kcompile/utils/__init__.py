"""Utilities, as in ``keras.utils``."""

from kcompile.utils.downloads import get_file as get_file
from kcompile.utils.numerical import to_categorical as to_categorical
