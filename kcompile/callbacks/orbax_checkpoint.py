"""`OrbaxCheckpoint` of Keras: checkpoints in the format of a library of JAX, which are not written here."""

from __future__ import annotations

from typing import Any

from kcompile.callbacks.callback import Callback
from kcompile.core.errors import message


class OrbaxCheckpoint(Callback):
    """Not there: Orbax writes arrays of JAX, and installing it installs JAX.

    Raises:  ImportError, as Keras does without Orbax, naming what does the same.

    >>> OrbaxCheckpoint("checkpoints")
    Traceback (most recent call last):
    ...
    ImportError: OrbaxCheckpoint: checkpoints of Orbax are arrays of JAX, which kcompile does without.
      received  directory='checkpoints'
      hint      use ModelCheckpoint for the best or the last weights, BackupAndRestore to go on after a crash
    """

    def __init__(self, directory: Any, *_: Any, **__: Any):
        raise ImportError(
            message(
                "OrbaxCheckpoint: checkpoints of Orbax are arrays of JAX, which kcompile does without.",
                received=f"directory={directory!r}",
                hint="use ModelCheckpoint for the best or the last weights, BackupAndRestore to go on "
                "after a crash",
            )
        )
