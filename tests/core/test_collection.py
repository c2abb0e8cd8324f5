"""The garbage collector rests while large structures are built; what they leave is looked at later."""

import gc
import weakref

import pytest

from kcompile.core import collection
from kcompile.core.collection import paused_collection


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self):
        self.me = self


@pytest.fixture(autouse=True)
def enabled(monkeypatch):
    gc.enable()
    monkeypatch.setattr(collection, "_is_owed", False)
    yield
    gc.enable()


def left_behind(long):
    """A reference to garbage of a building, when new objects have been made since."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collection, "LONG", 0 if long else 1e9)
        with paused_collection():
            ring = weakref.ref(Ring())
            kept = [[] for _ in range(5000)]
    kept += [[] for _ in range(5000)]  # more than the youngest generation holds
    return ring


def test_it_rests_inside_only():
    with paused_collection():
        with paused_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_little_building_left_is_collected_with_the_next_objects():
    assert left_behind(long=False)() is None


def test_what_much_building_left_is_collected_before_the_next_building():
    ring = left_behind(long=True)
    assert ring() is not None and gc.isenabled()
    with paused_collection():
        assert ring() is None
    assert not collection._is_owed


def test_what_the_user_froze_stays_frozen(monkeypatch):
    monkeypatch.setattr(collection, "LONG", 0)
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        with paused_collection():
            pass
        assert gc.get_freeze_count() == frozen > 0
    finally:
        gc.unfreeze()


@pytest.mark.parametrize("long", [0, 1e9])
def test_what_the_user_switched_off_stays_off(monkeypatch, long):
    monkeypatch.setattr(collection, "LONG", long)
    gc.disable()
    with paused_collection():
        assert not gc.isenabled()
    assert not gc.isenabled()


@pytest.mark.parametrize("long", [0, 1e9])
def test_an_error_inside_ends_the_rest(monkeypatch, long):
    monkeypatch.setattr(collection, "LONG", long)
    with pytest.raises(ValueError, match="inside"), paused_collection():
        raise ValueError("inside")
    assert gc.isenabled()
