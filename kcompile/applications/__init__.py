"""Architectures of published image networks, as in ``keras.applications``: each a function that builds one.

    model = applications.ResNet50(weights=None, input_shape=(64, 64, 3), classes=10)
    features = applications.MobileNetV2(include_top=False, pooling="avg")     # trained on ImageNet

Names, shapes and order of layers and weights are those of Keras, and so are the files of weights. Arguments
that all functions have:

- include_top: with the classifier at the end.
- weights: "imagenet" downloads the weights that Keras publishes (its hash is checked, the file is kept in the
  cache; without a network a ConnectionError says where to put it by hand); a path loads that weights file;
  None draws random ones.
- input_tensor: a placeholder to build the network on. input_shape: (height, width, channels) of the images.
- pooling: without a top, None (the output has four dimensions), "avg" or "max".
- classes: number of outputs of the classifier. classifier_activation: its activation; None for logits.
- name: of the model.

They raise ValueError for arguments that do not go together. Each module of the same family (such as
`kcompile.applications.resnet`) also has `preprocess_input` and `decode_predictions`. Everything is loaded at
first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kcompile.core import public_names

if TYPE_CHECKING:
    from kcompile.applications.convnext import ConvNeXtBase as ConvNeXtBase
    from kcompile.applications.convnext import ConvNeXtLarge as ConvNeXtLarge
    from kcompile.applications.convnext import ConvNeXtSmall as ConvNeXtSmall
    from kcompile.applications.convnext import ConvNeXtTiny as ConvNeXtTiny
    from kcompile.applications.convnext import ConvNeXtXLarge as ConvNeXtXLarge
    from kcompile.applications.densenet import DenseNet121 as DenseNet121
    from kcompile.applications.densenet import DenseNet169 as DenseNet169
    from kcompile.applications.densenet import DenseNet201 as DenseNet201
    from kcompile.applications.efficientnet import EfficientNetB0 as EfficientNetB0
    from kcompile.applications.efficientnet import EfficientNetB1 as EfficientNetB1
    from kcompile.applications.efficientnet import EfficientNetB2 as EfficientNetB2
    from kcompile.applications.efficientnet import EfficientNetB3 as EfficientNetB3
    from kcompile.applications.efficientnet import EfficientNetB4 as EfficientNetB4
    from kcompile.applications.efficientnet import EfficientNetB5 as EfficientNetB5
    from kcompile.applications.efficientnet import EfficientNetB6 as EfficientNetB6
    from kcompile.applications.efficientnet import EfficientNetB7 as EfficientNetB7
    from kcompile.applications.efficientnet_v2 import EfficientNetV2B0 as EfficientNetV2B0
    from kcompile.applications.efficientnet_v2 import EfficientNetV2B1 as EfficientNetV2B1
    from kcompile.applications.efficientnet_v2 import EfficientNetV2B2 as EfficientNetV2B2
    from kcompile.applications.efficientnet_v2 import EfficientNetV2B3 as EfficientNetV2B3
    from kcompile.applications.efficientnet_v2 import EfficientNetV2L as EfficientNetV2L
    from kcompile.applications.efficientnet_v2 import EfficientNetV2M as EfficientNetV2M
    from kcompile.applications.efficientnet_v2 import EfficientNetV2S as EfficientNetV2S
    from kcompile.applications.inception_resnet_v2 import InceptionResNetV2 as InceptionResNetV2
    from kcompile.applications.inception_v3 import InceptionV3 as InceptionV3
    from kcompile.applications.mobilenet import MobileNet as MobileNet
    from kcompile.applications.mobilenet_v2 import MobileNetV2 as MobileNetV2
    from kcompile.applications.mobilenet_v3 import MobileNetV3Large as MobileNetV3Large
    from kcompile.applications.mobilenet_v3 import MobileNetV3Small as MobileNetV3Small
    from kcompile.applications.nasnet import NASNetLarge as NASNetLarge
    from kcompile.applications.nasnet import NASNetMobile as NASNetMobile
    from kcompile.applications.resnet import ResNet50 as ResNet50
    from kcompile.applications.resnet import ResNet101 as ResNet101
    from kcompile.applications.resnet import ResNet152 as ResNet152
    from kcompile.applications.resnet_v2 import ResNet50V2 as ResNet50V2
    from kcompile.applications.resnet_v2 import ResNet101V2 as ResNet101V2
    from kcompile.applications.resnet_v2 import ResNet152V2 as ResNet152V2
    from kcompile.applications.vgg16 import VGG16 as VGG16
    from kcompile.applications.vgg19 import VGG19 as VGG19
    from kcompile.applications.xception import Xception as Xception

_HOMES = {
    "convnext": "ConvNeXtBase ConvNeXtLarge ConvNeXtSmall ConvNeXtTiny ConvNeXtXLarge",
    "densenet": "DenseNet121 DenseNet169 DenseNet201",
    "efficientnet": " ".join(f"EfficientNetB{k}" for k in range(8)),
    "efficientnet_v2": " ".join(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
    "imagenet_utils": "",
    "inception_resnet_v2": "InceptionResNetV2",
    "inception_v3": "InceptionV3",
    "mobilenet": "MobileNet",
    "mobilenet_v2": "MobileNetV2",
    "mobilenet_v3": "MobileNetV3Large MobileNetV3Small",
    "nasnet": "NASNetLarge NASNetMobile",
    "resnet": "ResNet101 ResNet152 ResNet50",
    "resnet50": "",
    "resnet_v2": "ResNet101V2 ResNet152V2 ResNet50V2",
    "vgg16": "VGG16",
    "vgg19": "VGG19",
    "xception": "Xception",
}
_NAMES = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return import_module(f"kcompile.applications.{name}")
    if name in _NAMES:
        return globals().setdefault(
            name, getattr(import_module(f"kcompile.applications.{_NAMES[name]}"), name)
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES, *_HOMES} - {"annotations", "Any", "TYPE_CHECKING", "import_module"})


__all__ = public_names.of(__name__)
