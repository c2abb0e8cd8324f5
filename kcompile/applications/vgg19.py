"""VGG with 19 layers that have weights."""

from kcompile.applications import vgg
from kcompile.applications.building import standard
from kcompile.applications.imagenet_utils import decode_predictions as decode_predictions
from kcompile.applications.imagenet_utils import preprocessing
from kcompile.applications.trained import tf_kernels
from kcompile.core import public_names

_FILES = tf_kernels("vgg19", "vgg19/", "cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6")
VGG19 = standard(
    "VGG19",
    "vgg19",
    lambda options: vgg.network(options, (2, 2, 4, 4, 4), _FILES),
    "VGG with 19 layers (Simonyan and Zisserman, 2014), 144 million parameters.",
)
preprocess_input = preprocessing("caffe")

__all__ = public_names.of(__name__)
