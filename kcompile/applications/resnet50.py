"""Another name for a part of `kcompile.applications.resnet`."""

from kcompile.applications.resnet import ResNet50 as ResNet50
from kcompile.applications.resnet import decode_predictions as decode_predictions
from kcompile.applications.resnet import preprocess_input as preprocess_input
from kcompile.core import public_names

__all__ = public_names.of(__name__)
