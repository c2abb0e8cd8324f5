"""Built-in data sets, as in ``keras.datasets``."""

from kcompile.datasets import mnist as mnist
