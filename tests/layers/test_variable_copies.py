"""Copies of variables, and variables in another dtype than their own."""

from __future__ import annotations

import copy
import pickle

import numpy as np

import kcompile as keras
from kcompile.trace.variable import autocast_scope, name_scope


def test_a_copy_is_another_variable():
    with name_scope("inside"):
        variable = keras.Variable(np.ones(2), dtype="float32", trainable=False, name="v")
    for copied in (copy.deepcopy(variable), pickle.loads(pickle.dumps(variable))):
        assert (copied.path, copied.trainable, copied.dtype) == ("inside/v", False, "float32")
        assert copied.uid != variable.uid and copied.leaf is not variable.leaf
        copied.assign([5.0, 6.0])
        assert variable.numpy().tolist() == [1, 1]


def test_autocast():
    kernel = keras.Variable(np.ones(2), dtype="float32")
    statistic = keras.Variable(np.ones(2), dtype="float32", autocast=False)
    counter = keras.Variable(np.ones(2), dtype="int32")
    with autocast_scope("float16"):
        assert [v.value.dtype.name for v in (kernel, statistic, counter)] == ["float16", "float32", "int32"]
        with autocast_scope(None):
            assert kernel.value.dtype == "float32"
    assert kernel.value.dtype == "float32"
