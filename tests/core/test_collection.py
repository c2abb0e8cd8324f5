"""The garbage collector rests while large structures are built, and for a while after."""

import gc
import os
import time

import pytest

from kcompile.core import collection
from kcompile.core.collection import paused_collection


@pytest.fixture(autouse=True)
def enabled():
    gc.enable()
    yield
    gc.enable()


def wait_until_enabled():
    end = time.monotonic() + 10
    while not gc.isenabled() and time.monotonic() < end:
        time.sleep(0.01)
    return gc.isenabled()


def test_it_rests_inside_only_where_little_is_built():
    with paused_collection():
        with paused_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_rests_on_where_much_was_built(monkeypatch):
    monkeypatch.setattr(collection, "LONG", 0)
    monkeypatch.setattr(collection, "REST", 0.05)
    with paused_collection():
        pass
    assert not gc.isenabled()
    assert wait_until_enabled()


def test_building_again_prolongs_the_rest(monkeypatch):
    monkeypatch.setattr(collection, "LONG", 0)
    monkeypatch.setattr(collection, "REST", 0.05)
    with paused_collection():
        pass
    with paused_collection():
        time.sleep(0.2)
        assert not gc.isenabled()
    assert wait_until_enabled()


def test_what_the_user_switched_off_stays_off(monkeypatch):
    monkeypatch.setattr(collection, "LONG", 0)
    monkeypatch.setattr(collection, "REST", 0.01)
    gc.disable()
    with paused_collection():
        pass
    time.sleep(0.1)
    assert not gc.isenabled()


def test_an_error_inside_ends_the_rest():
    with pytest.raises(ValueError, match="inside"), paused_collection():
        raise ValueError("inside")
    assert gc.isenabled()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("inside", [False, True])
def test_a_fork_meanwhile_collects(monkeypatch, inside):
    monkeypatch.setattr(collection, "LONG", 0)
    with paused_collection():
        child = os.fork() if inside else -1
        if child == 0:
            os._exit(0 if gc.isenabled() else 1)
    if not inside:
        child = os.fork()
        if child == 0:
            os._exit(0 if gc.isenabled() else 1)
    assert os.waitpid(child, 0)[1] == 0
