"""Intersection over union of predicted and true regions, from a confusion matrix."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import config, dtypes
from kcompile.core.callers import users_level
from kcompile.core.symbolic import product
from kcompile.core.wholes import whole
from kcompile.metrics.metric import Metric
from kcompile.ops import elementwise as ew


class _IoUBase(Metric):
    """Adds up a confusion matrix, rows true classes and columns predicted ones."""

    _direction = "up"

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(name=name, dtype=dtype or "int")
        num_classes = whole("num_classes", num_classes)
        self.num_classes, self.ignore_class, self.axis = num_classes, ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred
        shape = (num_classes, num_classes)
        self.total_cm = self.add_variable(shape, dtype=self.dtype, name="total_confusion_matrix")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Count a batch in. Returns the new matrix, as Keras's."""
        y_true = self._classes(y_true, self.sparse_y_true)
        y_pred = self._classes(y_pred, self.sparse_y_pred)
        weight = ops.broadcast_to(self._weights(sample_weight), y_true.shape)
        counted = ops.logical_and(self._is_class(y_true), self._is_class(y_pred))
        if self.ignore_class is not None:
            counted = ops.logical_and(counted, ops.not_equal(y_true, self.ignore_class))
        cell = ops.where(counted, ops.cast(y_true * self.num_classes + y_pred, "int32"), 0)
        counts = ops.segment_sum(ops.where(counted, weight, 0), cell, self.num_classes**2)
        return self.total_cm.assign(self.total_cm.value + ops.reshape(counts, self.total_cm.shape))

    def _classes(self, y: Any, is_sparse: bool) -> Any:
        """Class numbers in one dimension."""
        y = ew.as_tensor(y)
        y = ew.as_tensor(y if is_sparse else ops.argmax(y, axis=self.axis), self.dtype)
        return y if len(y.shape) <= 1 else ops.reshape(y, (product(y.shape),))

    def _is_class(self, y: Any) -> Any:
        return ops.logical_and(ops.greater_equal(y, 0), ops.less(y, self.num_classes))

    def _weights(self, sample_weight: Any) -> Any:
        if sample_weight is None:
            return ew.as_tensor(1, self.dtype)
        given = getattr(sample_weight, "dtype", None)
        if given is not None and dtypes.is_float(dtypes.standardize(given)) and "int" in self.dtype:
            warnings.warn(
                "You are passing weight as `float`, but dtype is `int`. This may result in an incorrect "
                "weight due to type casting Consider using integer weights.",
                stacklevel=users_level(),
            )
        weight = ew.as_tensor(sample_weight, self.dtype)
        return weight if len(weight.shape) <= 1 else ops.reshape(weight, (product(weight.shape),))


class IoU(_IoUBase):
    """true positives / (true positives + false positives + false negatives), mean over some classes.

    Classes that occur neither among labels nor predictions are left out.

    Args:    num_classes: numbers outside of [0, num_classes) are ignored. target_class_ids: the classes of
             the mean. ignore_class: a label whose samples are left out. sparse_y_true, sparse_y_pred: class
             numbers; else scores, whose largest along `axis` counts. dtype: int by default, so float
             weights are cut off.
    Raises:  ValueError for a target class that is not below num_classes.

    >>> metric = IoU(num_classes=2, target_class_ids=[0])
    >>> _ = metric.update_state([0, 0, 1, 1], [0, 1, 0, 1]); round(float(metric.result()), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)
        if max(target_class_ids) >= num_classes:
            raise ValueError(
                f"Target class id {max(target_class_ids)} is out of range, which is [0, {num_classes})."
            )
        self.target_class_ids = list(target_class_ids)

    def result(self) -> Any:
        matrix = self.total_cm.value
        right = ops.diagonal(matrix)
        union = ops.sum(matrix, axis=0) + ops.sum(matrix, axis=1) - right
        targets = np.asarray(self.target_class_ids, "int32")
        right = ops.cast(ops.take(right, targets, axis=0), "float32")
        union = ops.cast(ops.take(union, targets, axis=0), "float32")
        present = ops.greater(union, 1e-9)
        ious = ops.where(present, right / (union + config.epsilon()), 0.0)
        count = ops.sum(ops.cast(present, "float32"))
        return ops.sum(ious) / (count + config.epsilon())

    def get_config(self) -> dict[str, Any]:
        own = {
            "num_classes": self.num_classes,
            "target_class_ids": self.target_class_ids,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }
        return {**super().get_config(), **own}

    def _config_of(self, *names: str) -> dict[str, Any]:
        """Some entries of the config, in this order."""
        return {name: getattr(self, name) for name in names}


class BinaryIoU(IoU):
    """IoU of the classes 0 and 1, where predictions of at least `threshold` are of class 1."""

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        decided = ops.greater_equal(ew.as_tensor(y_pred, "float32"), self.threshold)
        return super().update_state(y_true, ops.cast(decided, self.dtype), sample_weight)

    def get_config(self) -> dict[str, Any]:
        return self._config_of("target_class_ids", "threshold", "name", "dtype")


class MeanIoU(IoU):
    """IoU, mean over all classes."""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(
            *(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)
        )

    def get_config(self) -> dict[str, Any]:
        names = ("num_classes", "name", "dtype", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")
        return self._config_of(*names)


class OneHotIoU(IoU):
    """IoU of one-hot labels (and predictions, unless sparse_y_pred), mean over some classes."""

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(
            *(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)
        )

    def get_config(self) -> dict[str, Any]:
        names = ("num_classes", "target_class_ids", "name", "dtype", "ignore_class", "sparse_y_pred", "axis")
        return self._config_of(*names)


class OneHotMeanIoU(MeanIoU):
    """IoU of one-hot labels (and predictions, unless sparse_y_pred), mean over all classes."""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return self._config_of("num_classes", "name", "dtype", "ignore_class", "sparse_y_pred", "axis")
