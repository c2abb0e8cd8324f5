"""Names of Keras 2's optimizers, which Keras 3 keeps for `isinstance` and imports: none can be made."""

from __future__ import annotations

from typing import Any

from kcompile.core import public_names


class Optimizer:
    """No optimizer: it says what to use."""

    def __init__(self, *_: Any, **__: Any):
        raise ImportError(
            "`optimizers.legacy` is not supported, as in Keras 3: use the class of the same name in "
            "`optimizers`, whose `learning_rate` and `weight_decay` take the place of `lr` and `decay`."
        )


Adagrad = Adam = Ftrl = RMSprop = SGD = Optimizer

__all__ = public_names.of(__name__)
