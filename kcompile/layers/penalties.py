"""The losses of a layer: what calls add, and the penalties on weights and outputs."""

from __future__ import annotations

from typing import Any

from kcompile.core import tree
from kcompile.ir.graph import HAS_NUMBERS, Value
from kcompile.layers.call_spec import is_tensor
from kcompile.layers.quantizing import Quantizable
from kcompile.trace import tracer


class Penalized(Quantizable):
    """A layer's own losses, and those of the layers inside it."""

    activity_regularizer: Any
    _losses: list[Any]

    def add_loss(self, loss: Any) -> None:
        """Add 0-d losses, usually computed in `call`; a call of an outermost layer starts anew."""
        for item in tree.flatten(loss):
            if not is_tensor(item):
                raise ValueError(
                    "`add_loss` can only be called from inside `build()` or `call()`, on a tensor input. "
                    f"Received invalid value: {item}"
                )
            self._losses.append(item)

    def add_metric(self, *args: Any, **kwargs: Any) -> None:
        """Gone in Keras 3, which says what to do instead."""
        raise NotImplementedError(
            "Layer `add_metric()` method is deprecated. Add your metric in `Model.compile(metrics=[...])`, "
            "or create metric trackers in init() or build() when subclassing the layer or model, then call "
            "`metric.update_state()` whenever necessary."
        )

    def _activity_loss(self, output: Any) -> Any:
        from kcompile import ops

        loss = ops.convert_to_tensor(self.activity_regularizer(output))
        return loss / ops.cast(ops.shape(output)[0], loss.dtype) if output.shape else loss

    def _clear_losses(self) -> None:
        for layer in self._flatten_layers():
            layer._losses.clear()

    @property
    def losses(self) -> list[Any]:
        """Losses added in the last call, then the regularization losses of the trainable weights."""
        added = [loss for layer in self._flatten_layers() for loss in layer._losses]
        if not tracer.is_tracing():  # what a finished trace left behind has no numbers
            added = [x for x in added if not isinstance(x, Value) or x.node.standing == HAS_NUMBERS]
        return added + [v.regularizer(v.value) for v in self.trainable_weights if v.regularizer is not None]
