"""The progress bar, as in ``keras.utils``."""

from kcompile.callbacks.progbar import Progbar as Progbar
