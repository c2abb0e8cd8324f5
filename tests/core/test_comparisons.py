"""Who looks at what an open dimension is."""

from __future__ import annotations

import weakref

from kcompile.core import comparisons
from kcompile.core.symbolic import symbol


class Thing:
    pass


def test_the_module_that_asks_is_noted():
    batch = symbol("batch")
    with comparisons.watched() as asking:
        assert batch != 3
    assert asking == {"tests"}


def test_a_hash_is_asked_for_by_whoever_uses_a_dictionary():
    table = {}
    with comparisons.watched() as asking:
        table[symbol("batch"), 3] = 1
    assert asking == {"tests"}


def test_an_entry_that_dies_is_nobodys_question():
    """Nodes and expressions are dropped from their tables while any code runs."""
    thing = Thing()
    table = weakref.WeakValueDictionary({(symbol("batch"), 3): thing})
    with comparisons.watched() as asking:
        del thing
    assert not table and not asking
