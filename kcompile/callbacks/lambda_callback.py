"""A callback made of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcompile.callbacks.callback import Callback

Function = Callable[..., Any]


class LambdaCallback(Callback):
    """Functions in place of methods: on_epoch_begin(epoch, logs), on_train_batch_end(batch, logs), ...

    >>> seen = []
    >>> callback = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    >>> callback.on_epoch_end(3, {}); seen
    [3]
    """

    def __init__(
        self,
        on_epoch_begin: Function | None = None,
        on_epoch_end: Function | None = None,
        on_train_begin: Function | None = None,
        on_train_end: Function | None = None,
        on_train_batch_begin: Function | None = None,
        on_train_batch_end: Function | None = None,
        **kwargs: Any,
    ):
        super().__init__()
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        self.__dict__.update(kwargs)
        self.__dict__.update({name: function for name, function in given.items() if function is not None})
