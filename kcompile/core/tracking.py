"""Finds variables, layers, metrics and seed generators among attributes, in lists and dicts too."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

LOCKED = (
    "You cannot add new elements of state (variables or sub-layers) to a layer that is already built. All "
    "state must be created in the `__init__()` method or in the `build()` method."
)


class Tracker:
    """What was found: `stores` maps a store's name to its list, `tests` tells which things belong into it."""

    def __init__(self, tests: dict[str, Callable[[Any], bool]]):
        self.tests = tests
        self.stores: dict[str, list[Any]] = {name: [] for name in tests}
        self.locked = False

    def add(self, item: Any) -> bool:
        """Put an item into its store; False where it belongs into none."""
        for name, belongs in self.tests.items():
            if belongs(item):
                if not self.knows(item):
                    if self.locked:
                        raise ValueError(LOCKED)
                    self.stores[name].append(item)
                return True
        return False

    def knows(self, item: Any) -> bool:
        """Is it in a store already? A variable stays in its own when it becomes frozen."""
        return any(known is item for store in self.stores.values() for known in store)

    def remove(self, item: Any) -> None:
        for store in self.stores.values():
            store[:] = [known for known in store if known is not item]

    def track(self, value: Any) -> Any:
        """The value, or a container in its place that tracks what is put into it later."""
        if self.add(value):
            return value
        kind = type(value)
        if kind in CONTAINERS:
            return CONTAINERS[kind](value, self)
        if isinstance(value, tuple):
            items = [self.track(item) for item in value]
            same = all(a is b for a, b in zip(items, value, strict=True))
            return value if same else kind(*items) if hasattr(value, "_fields") else kind(items)
        return value


class TrackedList(list):
    """A list whose elements are tracked as attributes of its owner."""

    def __init__(self, items: Iterable[Any] = (), tracker: Tracker | None = None):
        self.tracker = tracker
        super().__init__(items if tracker is None else [tracker.track(x) for x in items])

    def _tracked(self, item: Any) -> Any:
        return item if self.tracker is None else self.tracker.track(item)

    def append(self, item: Any) -> None:
        super().append(self._tracked(item))

    def insert(self, index: Any, item: Any) -> None:
        super().insert(index, self._tracked(item))

    def extend(self, items: Iterable[Any]) -> None:
        super().extend([self._tracked(x) for x in items])

    def __iadd__(self, items: Iterable[Any]) -> TrackedList:  # type: ignore[misc]
        self.extend(items)
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(
            index, [self._tracked(x) for x in value] if isinstance(index, slice) else self._tracked(value)
        )

    def remove(self, value: Any) -> None:
        place = next((k for k, item in enumerate(self) if item is value), None)
        del self[self.index(value) if place is None else place]

    def pop(self, index: Any = -1) -> Any:
        return _untracked(self.tracker, super().pop(index))

    def clear(self) -> None:
        del self[:]

    def __delitem__(self, index: Any) -> None:
        gone = self[index] if isinstance(index, slice) else [self[index]]
        super().__delitem__(index)
        for item in gone:
            _untracked(self.tracker, item)

    def __reduce__(self) -> Any:
        return list, (list(self),)


class TrackedDict(dict):
    """A dict whose values are tracked as attributes of its owner."""

    def __init__(self, items: Any = (), tracker: Tracker | None = None):
        self.tracker = tracker
        found = dict(items)
        super().__init__(found if tracker is None else {k: tracker.track(v) for k, v in found.items()})

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value if self.tracker is None else self.tracker.track(value))

    def pop(self, key: Any, *default: Any) -> Any:
        if key not in self:
            return super().pop(key, *default)
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[Any, Any]:
        if not self:
            raise KeyError("popitem(): dictionary is empty")
        key = next(reversed(self))
        return key, self.pop(key)

    def clear(self) -> None:
        for key in list(self):
            del self[key]

    def __delitem__(self, key: Any) -> None:
        value = self[key]
        super().__delitem__(key)
        _untracked(self.tracker, value)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


class TrackedOrderedDict(TrackedDict, OrderedDict):  # type: ignore[misc]
    """The same, of an OrderedDict."""

    def __reduce__(self) -> Any:
        return OrderedDict, (list(self.items()),)


class TrackedSet(set):
    """A set whose elements are tracked as attributes of its owner."""

    def __init__(self, items: Iterable[Any] = (), tracker: Tracker | None = None):
        self.tracker = tracker
        super().__init__(items if tracker is None else [tracker.track(x) for x in items])

    def add(self, item: Any) -> None:
        super().add(item if self.tracker is None else self.tracker.track(item))

    def update(self, *others: Iterable[Any]) -> None:
        for item in itertools.chain(*others):
            self.add(item)

    def remove(self, item: Any) -> None:
        super().remove(item)
        _untracked(self.tracker, item)

    def discard(self, item: Any) -> None:
        super().discard(item)
        _untracked(self.tracker, item)

    def pop(self) -> Any:
        return _untracked(self.tracker, super().pop())

    def clear(self) -> None:
        for item in list(self):
            self.remove(item)

    def __reduce__(self) -> Any:
        return set, (list(self),)


CONTAINERS: dict[type, Any] = {
    list: TrackedList,
    dict: TrackedDict,
    OrderedDict: TrackedOrderedDict,
    set: TrackedSet,
}


def _untracked(tracker: Tracker | None, item: Any) -> Any:
    """The item, which its owner has no more."""
    if tracker is not None:
        tracker.remove(item)
    return item
