"""ResNet50, 101 and 152 (He et al., 2015, https://arxiv.org/abs/1512.03385)."""

from __future__ import annotations

from typing import Any

from kcompile.applications import residual
from kcompile.applications.building import standard
from kcompile.applications.imagenet_utils import decode_predictions as decode_predictions
from kcompile.applications.imagenet_utils import preprocessing
from kcompile.core import public_names


def _of(depth: int, counts: tuple[int, ...]) -> Any:
    file = f"resnet{depth}"
    return standard(
        f"ResNet{depth}",
        file,
        lambda options: residual.network(options, file, counts, preactivated=False),
        f"Residual network of {depth} layers (He et al., 2015).",
    )


ResNet50 = _of(50, (3, 4, 6, 3))
ResNet101 = _of(101, (3, 4, 23, 3))
ResNet152 = _of(152, (3, 8, 36, 3))
preprocess_input = preprocessing("caffe")

__all__ = public_names.of(__name__)
