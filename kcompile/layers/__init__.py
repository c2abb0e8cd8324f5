"""Layers, as in `keras.layers`."""
