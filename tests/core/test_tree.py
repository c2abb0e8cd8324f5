"""`keras.tree` against what Keras 3.15 (with optree) returns and raises for the same calls."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple

import pytest

from kcompile import tree
from kcompile.core import tree as core_tree

Point = namedtuple("Point", "x y")


def add(a, b):
    return a + b


@pytest.mark.parametrize(
    "structure, leaves",
    [
        (3, [3]),
        (None, [None]),
        ([], []),
        ({100: "b", 6: "a"}, ["a", "b"]),
        ({"b": 1, 2: 2, "a": 3}, [2, 3, 1]),
        (OrderedDict(b=1, a=2), [1, 2]),
        (deque([1, (2,)]), [1, 2]),
        (Point(1, [None]), [1, None]),
    ],
)
def test_leaves_and_back(structure, leaves):
    assert tree.flatten(structure) == leaves
    again = tree.pack_sequence_as(structure, leaves)
    assert again == structure
    assert type(again) is type(structure)


@pytest.mark.parametrize("map_structure", [tree.map_structure, core_tree.map_structure])
def test_mapping_visits_leaves_in_the_order_of_flatten(map_structure):
    leaves = iter([1, 2, 3])
    found = map_structure(lambda _: next(leaves), {"b": 0, "a": [0, 0]})
    assert list(found.items()) == [("b", 3), ("a", [1, 2])]


def test_what_is_nested():
    nested = [[], {}, (), Point(1, 2), deque()]
    assert all(map(tree.is_nested, nested))
    assert not any(map(tree.is_nested, [1, None, "a", {1}, range(3)]))


def test_paths():
    assert tree.flatten_with_path([{"foo": 42}, Point(1, 2)]) == [
        ((0, "foo"), 42),
        ((1, 0), 1),
        ((1, 1), 2),
    ]
    assert tree.flatten_with_path(None) == [((), None)]


def test_mapping():
    assert tree.map_structure(add, {"a": 1, "b": 2}, OrderedDict(b=10, a=20)) == {"a": 21, "b": 12}
    found = tree.map_structure(abs, defaultdict(int, a=-1))
    assert (type(found), found) == (defaultdict, {"a": 1})
    assert found["unknown"] == 0
    assert list(tree.map_structure(abs, OrderedDict(b=1, a=2))) == ["b", "a"]
    assert tree.map_structure(lambda x: x is None, [None]) == [True]
    assert tree.map_structure(abs, [-1, None], none_is_leaf=False) == [1, None]
    assert tree.map_structure(add, [1, None], [1, None], none_is_leaf=False) == [2, None]


@pytest.mark.parametrize(
    "a, b",
    [
        ([1], (1,)),
        (Point(1, 2), (1, 2)),
        ([1], [(1,)]),
        ([(1,)], [1]),
        ([1, 2], [1]),
        ({"a": 1}, {"b": 1}),
        (deque([1]), [1]),
        (1, [1]),
    ],
)
def test_structures_that_differ(a, b):
    with pytest.raises(ValueError, match="the same nested structure"):
        tree.map_structure(lambda *_: 0, a, b)
    with pytest.raises(ValueError, match="the same nested structure"):
        tree.assert_same_structure(a, b)


def test_other_errors_of_mapping():
    with pytest.raises(ValueError, match="at least one structure"):
        tree.map_structure(abs)
    with pytest.raises(ValueError, match="the same nested structure"):
        tree.map_structure(add, [1, None], [1, 2], none_is_leaf=False)
    with pytest.warns(DeprecationWarning, match="check_types"):
        tree.assert_same_structure([1], [2], check_types=False)


def test_mapping_up_to():
    assert tree.map_structure_up_to([None, [None, None]], str, [[1, 1], [2, 2]]) == ["[1, 1]", ["2", "2"]]
    assert tree.map_structure_up_to([0, (0,)], lambda a, b: (a, b), [1, (2,)], [3, ([4],)]) == [
        (1, 3),
        ((2, [4]),),
    ]
    with pytest.raises(ValueError, match="the same nested structure"):
        tree.map_structure_up_to([0, [0]], str, [[1, 1], 2])


def test_same_paths():
    tree.assert_same_paths([1, (2,)], (3, [4]))
    with pytest.raises(ValueError, match=r"in `b` missing in `a`: \{\(0, 0\)\}"):
        tree.assert_same_paths([1], [[3]])


@pytest.mark.parametrize("leaves", [[1], [1, 2, 3]])
def test_packing_needs_as_many_leaves(leaves):
    with pytest.raises(ValueError, match="2 leaves"):
        tree.pack_sequence_as([0, 0], leaves)
    with pytest.raises(TypeError):
        tree.pack_sequence_as([0], 3)


def test_traversal():
    seen = []
    structure = [(1, 2), {"a": 4}]
    assert tree.traverse(seen.append, structure) == structure
    assert seen == [structure, (1, 2), 1, 2, {"a": 4}, 4]
    seen.clear()
    tree.traverse(seen.append, structure, top_down=False)
    assert seen == [1, 2, (1, 2), 4, {"a": 4}, structure]
    assert tree.traverse(lambda x: tree.MAP_TO_NONE if x == 2 else None, structure) == [(1, None), {"a": 4}]
    assert tree.traverse(lambda x: "pair" if isinstance(x, tuple) else None, structure) == ["pair", {"a": 4}]


def test_lists_and_shapes():
    assert tree.lists_to_tuples([1, {"a": [2]}, Point([1], 2)]) == (1, {"a": (2,)}, Point((1,), 2))
    found = tree.map_shape_structure(tuple, {"a": [1, None], "b": ((1, 2), [3])})
    assert found == {"a": (1, None), "b": ((1, 2), (3,))}
