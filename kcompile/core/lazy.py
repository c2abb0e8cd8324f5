"""Attributes that are computed when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class lazy(Generic[T]):
    """A method as an attribute: called once for each object, then the object holds the result.

    `functools.cached_property` of Python 3.11 calls under a lock, one for all objects: a program that is
    compiled would keep every other thread from compiling, and a child that is forked meanwhile forever. Here,
    two threads that ask first may both call the method.

    >>> class Square:
    ...     side = 3
    ...     @lazy
    ...     def area(self):
    ...         print("computed")
    ...         return self.side**2
    >>> square = Square()
    >>> square.area, square.area
    computed
    (9, 9)
    """

    def __init__(self, function: Callable[[Any], T]) -> None:
        self.func, self.__doc__ = function, function.__doc__
        self._name = function.__name__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> lazy[T]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> lazy[T] | T:
        if instance is None:
            return self
        value = self.func(instance)
        return instance.__dict__.setdefault(self._name, value)
