"""ResNet50V2, 101V2 and 152V2 (He et al., 2016, https://arxiv.org/abs/1603.05027)."""

from __future__ import annotations

from typing import Any

from kcompile.applications import residual
from kcompile.applications.building import standard
from kcompile.applications.imagenet_utils import decode_predictions as decode_predictions
from kcompile.applications.imagenet_utils import preprocessing
from kcompile.core import public_names


def _of(depth: int, counts: tuple[int, ...]) -> Any:
    file = f"resnet{depth}v2"
    return standard(
        f"ResNet{depth}V2",
        file,
        lambda options: residual.network(options, file, counts, preactivated=True),
        f"Residual network of {depth} layers, normalized before each convolution (He et al., 2016).",
    )


ResNet50V2 = _of(50, (3, 4, 6, 3))
ResNet101V2 = _of(101, (3, 4, 23, 3))
ResNet152V2 = _of(152, (3, 8, 36, 3))
preprocess_input = preprocessing("tf")

__all__ = public_names.of(__name__)
