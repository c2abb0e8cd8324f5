"""What is taken out of a layer's lists, dicts and sets is its no more; nothing comes in after it is built."""

from __future__ import annotations

import collections
import copy
import pickle

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers


class Holder(layers.Layer):
    def __init__(self, value):
        super().__init__()
        self.held = value

    def call(self, x):
        return x


def dense(count):
    return [layers.Dense(1) for _ in range(count)]


def test_lists_forget_what_is_taken_out():
    a, b, c, d, e = dense(5)
    holder = Holder([a, b, c, d, e])
    assert holder.held.pop() is e and holder.held.pop(0) is a
    holder.held.remove(c)
    assert holder._layers == [b, d]
    del holder.held[0]
    assert holder._layers == [d]
    with pytest.raises(ValueError):
        holder.held.remove(a)
    holder.held.extend([a, b])
    del holder.held[1:]
    holder.held.clear()
    assert holder._layers == [] and holder.held == []


@pytest.mark.parametrize("kind", [dict, collections.OrderedDict])
def test_dicts_forget_what_is_taken_out(kind):
    a, b, c, d = dense(4)
    holder = Holder(kind(x=a, y=b, z=c))
    assert isinstance(holder.held, kind)
    assert holder.held.pop("y") is b and holder.held.pop("y", 3) == 3
    with pytest.raises(KeyError):
        holder.held.pop("y")
    assert holder.held.popitem() == ("z", c)
    holder.held.update(w=d)
    assert holder._layers == [a, d]
    del holder.held["x"]
    assert holder._layers == [d]
    holder.held.clear()
    assert holder._layers == []
    with pytest.raises(KeyError):
        holder.held.popitem()


def test_sets_are_looked_into():
    a, b, c = dense(3)
    holder = Holder({a})
    holder.held.update([b], [c])
    assert set(holder._layers) == {a, b, c}
    holder.held.discard(b)
    holder.held.remove(c)
    assert holder._layers == [a]
    assert holder.held.pop() is a and holder._layers == []
    holder.held.add(b)
    holder.held.clear()
    assert holder._layers == []


def test_lists_inside_of_tuples():
    Pair = collections.namedtuple("Pair", "first rest")
    a, b, c, d = dense(4)
    holder = Holder((Pair(a, [b]), [c]))
    holder.held[0].rest.append(d)
    assert holder._layers == [a, b, c, d] and isinstance(holder.held[0], Pair)


def test_copies_are_plain():
    holder = Holder([{"a": {1}}, collections.OrderedDict(b=2)])
    for made in (copy.deepcopy(holder.held), pickle.loads(pickle.dumps(holder.held))):
        assert [type(part) for part in made] == [dict, collections.OrderedDict] and type(made) is list
        assert made == [{"a": {1}}, {"b": 2}] and type(made[0]["a"]) is set


def test_nothing_is_added_after_a_model_was_built_by_a_call():
    class Stack(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = [layers.Dense(2)]

        def call(self, x):
            return self.inner[0](x)

    model = Stack()
    model.inner.append(layers.Dense(3))
    model(np.ones((2, 3), "float32"))
    with pytest.raises(ValueError, match="already built"):
        model.inner.append(layers.Dense(3))
    with pytest.raises(ValueError, match="already built"):
        model.more = layers.Dense(3)
    assert len(model.layers) == 2


def test_nested_layers_are_listed_as_in_keras():
    """Below the first level the last come first."""

    class Block(layers.Layer):
        def __init__(self, name):
            super().__init__(name=name)
            self.inner = [layers.Dense(1, name=f"{name}{k}") for k in range(3)]

        def call(self, x):
            for layer in self.inner:
                x = layer(x)
                self.add_loss(keras.ops.sum(x))
            return x

    model = keras.Sequential([keras.Input((2,)), Block("a"), Block("b")])
    names = ["a", "a2", "a1", "a0", "b", "b2", "b1", "b0"]
    assert [x.name for x in model._flatten_layers(include_self=False)][1:] == names
