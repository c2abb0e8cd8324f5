"""Constructors that share arguments: what is shown, taken by position and by name, and refused."""

from __future__ import annotations

import inspect

import pytest

from kcompile import layers, optimizers
from kcompile.core.signatures import arguments_of, named_parameters, shares, with_defaults


class Base:
    def __init__(self, rate=0.1, decay=None, name="base", **kwargs):
        self.given = {"rate": rate, "decay": decay, "name": name, **kwargs}


class Sharing(Base):
    @shares(Base.__init__)
    def __init__(self, momentum, rate=0.2, **kwargs):
        super().__init__(rate, **kwargs)
        self.momentum = momentum


class Between(Base):
    @shares(Base.__init__, without=("rate",), before="last")
    def __init__(self, first, last=3, **kwargs):
        super().__init__(**kwargs)
        self.first, self.last = first, last


def shown(cls):
    return str(inspect.signature(cls))


def test_shared_arguments_follow_the_classes_own():
    assert shown(Sharing) == "(momentum, rate=0.2, decay=None, name='base', **kwargs)"
    assert shown(Between) == "(first, decay=None, name='base', last=3, **kwargs)"


def test_arguments_are_taken_by_position_and_by_name():
    made = Sharing(0.5, 0.3, 0.01, "mine", other=1)
    assert made.momentum == 0.5
    assert made.given == {"rate": 0.3, "decay": 0.01, "name": "mine", "other": 1}
    assert Sharing(momentum=1).given == {"rate": 0.2, "decay": None, "name": "base"}
    between = Between(1, 2, "b", 4)
    assert (between.first, between.last, between.given["decay"], between.given["name"]) == (1, 4, 2, "b")


@pytest.mark.parametrize(
    "args, kwargs, said",
    [
        ((), {}, "momentum"),
        ((1, 2, 3, "n", 5), {}, "too many positional"),
        ((1,), {"momentum": 2}, "multiple values"),
    ],
)
def test_what_does_not_fit_names_the_class(args, kwargs, said):
    with pytest.raises(TypeError, match=f"Sharing: .*{said}"):
        Sharing(*args, **kwargs)


def test_a_subclass_may_share_what_its_base_shares():
    class Third(Sharing):
        @shares(Sharing.__init__)
        def __init__(self, third, **kwargs):
            super().__init__(**kwargs)
            self.third = third

    assert shown(Third) == "(third, momentum, rate=0.2, decay=None, name='base', **kwargs)"
    made = Third(1, 2, 3, 4)
    assert (made.third, made.momentum, made.given["rate"], made.given["decay"]) == (1, 2, 3, 4)


def test_a_subclass_without_a_constructor_names_itself():
    class Plain(Sharing):
        pass

    with pytest.raises(TypeError, match="Plain: "):
        Plain()


def test_other_defaults():
    init = with_defaults(Base.__init__, rate=0.9)
    child = type("Child", (Base,), {"__init__": init})
    assert shown(child) == "(rate=0.9, decay=None, name='base', **kwargs)"
    assert child().given["rate"] == 0.9 and child(0.5).given["rate"] == 0.5
    assert child(decay=2).given == {"rate": 0.9, "decay": 2, "name": "base"}


def test_named_parameters_leave_variadic_ones_out():
    def function(self, a, *args, b=1, **kwargs): ...

    assert [p.name for p in named_parameters(function)] == ["a", "b"]


def test_arguments_of_a_scope():
    class Scope:
        def __init__(self, a, b=2, **kwargs):
            super().__init__()
            self.found = arguments_of(locals())

    assert Scope(1, c=3).found == {"a": 1, "b": 2}


def test_optimizers_take_what_they_share_by_position():
    made = optimizers.SGD(0.1, 0.9, True, 0.01, 1.0)
    assert (made.momentum, made.nesterov, made.weight_decay, made.clipnorm) == (0.9, True, 0.01, 1.0)
    assert optimizers.Muon().weight_decay == optimizers.AdamW().weight_decay == 0.004


def test_a_recurrent_layer_takes_what_its_cell_and_rnn_take():
    names = list(inspect.signature(layers.GRU).parameters)
    assert names[:2] == ["units", "activation"] and names[-3:] == ["reset_after", "use_cudnn", "kwargs"]
    made = layers.SimpleRNN(3, None, False, return_sequences=True, implementation=1)
    assert made.cell.use_bias is False and made.return_sequences and made.cell.implementation == 1
    with pytest.raises(TypeError, match="LSTM: missing a required argument: 'units'"):
        layers.LSTM()
    with pytest.raises(ValueError, match="use_cudnn"):
        layers.GRU(3, use_cudnn="maybe")


def test_a_users_recurrent_layer():
    class Mine(layers.LSTM):
        def __init__(self, units, **kwargs):
            super().__init__(units, return_sequences=True, **kwargs)

    made = Mine(4, activation="relu", name="mine")
    assert made.return_sequences and made.get_config()["activation"] == "relu" and made.name == "mine"
