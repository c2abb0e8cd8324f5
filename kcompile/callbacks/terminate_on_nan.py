"""Stops training when the loss is no number any more."""

from __future__ import annotations

import math
from typing import Any

from kcompile.callbacks.callback import Callback
from kcompile.core.console import print_msg


class TerminateOnNaN(Callback):
    """Stops at the first batch whose loss is NaN or infinite; with `raise_error` by a RuntimeError."""

    def __init__(self, raise_error: bool = False):
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(
                f"NaN or Inf loss encountered at batch {batch}. Loss value: {loss}. "
                "Terminating training immediately."
            )
        print_msg(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
