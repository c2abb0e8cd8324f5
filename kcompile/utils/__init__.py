"""Utilities, as in ``keras.utils``."""

from kcompile.utils.downloads import get_file as get_file
