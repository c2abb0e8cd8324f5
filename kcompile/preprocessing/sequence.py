"""Sequences, as in `keras.preprocessing.sequence`."""

from kcompile.utils.sequences import pad_sequences as pad_sequences
