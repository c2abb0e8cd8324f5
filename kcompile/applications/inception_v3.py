"""InceptionV3 (Szegedy et al., 2016, https://arxiv.org/abs/1512.00567)."""

from __future__ import annotations

from typing import Any

from kcompile.applications import building
from kcompile.applications.branching import averaged, chain, conv, joined, shrunk, stem
from kcompile.applications.building import Options, standard
from kcompile.applications.imagenet_utils import decode_predictions as decode_predictions
from kcompile.applications.imagenet_utils import preprocessing
from kcompile.applications.trained import tf_kernels
from kcompile.core import public_names
from kcompile.models import Functional

_FILES = tf_kernels(
    "inception_v3", "inception_v3/", "9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63"
)


def network(options: Options) -> Functional:
    building.check(options)
    start = x = building.image(options, building.check_size(options, 299, 75))
    x = stem(x)
    for k, pooled in enumerate((32, 64, 64)):
        x = grid_35(x, pooled, f"mixed{k}")
    wide, narrow = chain(x, (384, 3, 3, 2)), chain(x, (64, 1, 1), (96, 3, 3), (96, 3, 3, 2))
    x = joined([wide, narrow, shrunk(x)], "mixed3")
    for k, width in enumerate((128, 160, 160, 192), 4):
        x = grid_17(x, width, f"mixed{k}")
    short = chain(x, (192, 1, 1), (320, 3, 3, 2))
    long = chain(x, (192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3, 2))
    x = joined([short, long, shrunk(x)], "mixed8")
    for k in range(2):
        x = grid_8(x, f"mixed9_{k}", f"mixed{9 + k}")
    x = building.classified(x, options) if options.include_top else building.pooled(x, options)
    return building.finished(start, x, options, _FILES)


def grid_35(x: Any, pooled: int, name: str) -> Any:
    point = conv(x, 64, 1, 1)
    five = chain(x, (48, 1, 1), (64, 5, 5))
    three = chain(x, (64, 1, 1), (96, 3, 3), (96, 3, 3))
    return joined([point, five, three, conv(averaged(x), pooled, 1, 1)], name)


def grid_17(x: Any, width: int, name: str) -> Any:
    """7x7 windows as 1x7 and 7x1."""
    point = conv(x, 192, 1, 1)
    once = chain(x, (width, 1, 1), (width, 1, 7), (192, 7, 1))
    twice = chain(x, (width, 1, 1), (width, 7, 1), (width, 1, 7), (width, 7, 1), (192, 1, 7))
    return joined([point, once, twice, conv(averaged(x), 192, 1, 1)], name)


def grid_8(x: Any, inner: str, name: str) -> Any:
    """3x3 windows as 1x3 beside 3x1."""
    point = conv(x, 320, 1, 1)
    three = conv(x, 384, 1, 1)
    three = joined([conv(three, 384, 1, 3), conv(three, 384, 3, 1)], inner)
    double = chain(x, (448, 1, 1), (384, 3, 3))
    double = joined([conv(double, 384, 1, 3), conv(double, 384, 3, 1)])
    return joined([point, three, double, conv(averaged(x), 192, 1, 1)], name)


InceptionV3 = standard(
    "InceptionV3", "inception_v3", network, "InceptionV3 (Szegedy et al., 2016) for images of 299 pixels."
)
preprocess_input = preprocessing("tf")

__all__ = public_names.of(__name__)
