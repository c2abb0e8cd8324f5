"""VGG with 16 layers that have weights."""

from kcompile.applications import vgg
from kcompile.applications.building import standard
from kcompile.applications.imagenet_utils import decode_predictions as decode_predictions
from kcompile.applications.imagenet_utils import preprocessing
from kcompile.applications.trained import tf_kernels
from kcompile.core import public_names

_FILES = tf_kernels("vgg16", "vgg16/", "64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc")
VGG16 = standard(
    "VGG16",
    "vgg16",
    lambda options: vgg.network(options, (2, 2, 3, 3, 3), _FILES),
    "VGG with 16 layers (Simonyan and Zisserman, 2014), 138 million parameters.",
)
preprocess_input = preprocessing("caffe")

__all__ = public_names.of(__name__)
