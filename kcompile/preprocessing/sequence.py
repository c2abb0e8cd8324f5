"""Sequences, as in `keras.preprocessing.sequence`."""

from kcompile.core import public_names
from kcompile.utils.sequences import pad_sequences as pad_sequences

__all__ = public_names.of(__name__)
