"""How weights start: constants and random draws with the distributions of Keras.

An initializer is called as `initializer(shape, dtype=None)` and returns an array. A random one draws from its
seed alone: called twice, it gives the same numbers twice, unless its seed is a `SeedGenerator`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import objects, public_names
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.initializers.constant import Constant, Identity, Ones, Zeros
from kcompile.initializers.constant import Initializer as Initializer
from kcompile.initializers.random import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)
from kcompile.initializers.random import RandomInitializer as RandomInitializer
from kcompile.initializers.random import compute_fans as compute_fans
from kcompile.initializers.stft import STFT

zeros, ones, constant, identity = Zeros, Ones, Constant, Identity
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling, orthogonal = VarianceScaling, Orthogonal
glorot_normal, glorot_uniform, lecun_normal, lecun_uniform = (
    GlorotNormal,
    GlorotUniform,
    LecunNormal,
    LecunUniform,
)
he_normal, he_uniform = HeNormal, HeUniform
IdentityInitializer, OrthogonalInitializer, STFTInitializer = Identity, Orthogonal, STFT
stft = STFT

_CLASSES = [
    Zeros, Ones, Constant, Identity, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling,
    Orthogonal, GlorotUniform, GlorotNormal, LecunNormal, LecunUniform, HeNormal, HeUniform, STFT,
]  # fmt: skip
_MODULE = "keras.initializers"
_NAMES = objects.publish(_MODULE, _CLASSES) | {
    "one": Ones,
    "zero": Zeros,
    "uniform": RandomUniform,
    "normal": RandomNormal,
    "IdentityInitializer": Identity,
    "OrthogonalInitializer": Orthogonal,
    "STFTInitializer": STFT,
}


def get(identifier: Any) -> Any:
    """An initializer from a name, a config, a class, an array or a callable; None stays None.

    >>> type(get("he_normal")).__name__
    'HeNormal'
    """
    if isinstance(identifier, (np.ndarray, np.generic)):
        given = Constant(identifier)
        given.only_shape = identifier.shape
        return given
    return objects.get("initializer", identifier, _NAMES, _MODULE)


def serialize(initializer: Any) -> Any:
    return serialize_keras_object(initializer)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    return deserialize_keras_object(config, custom_objects, module=_MODULE)


__all__ = public_names.of(__name__)
