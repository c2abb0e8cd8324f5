"""Constructors that share arguments: each argument is written once, and every signature shows all of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from inspect import Parameter
from typing import Any


def shown_as(function: Callable[..., None], parameters: Iterable[Parameter]) -> Any:
    """A constructor that takes these parameters, by position or name, and calls `function` with names alone.

    Raises (the constructor): TypeError for what does not fit the parameters.
    """
    shown = inspect.Signature(list(parameters))
    variadic = next((p.name for p in shown.parameters.values() if p.kind is p.VAR_KEYWORD), None)

    @functools.wraps(function)
    def constructor(*args: Any, **kwargs: Any) -> None:
        try:
            given = shown.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{type(args[0]).__name__}: {error}") from None
        others = given.pop(variadic, {}) if variadic else {}
        function(**given, **others)

    constructor.__signature__ = shown  # type: ignore[attr-defined]
    return constructor


def shares(
    source: Callable[..., None], *, without: Iterable[str] = (), before: str | None = None
) -> Callable[[Callable[..., None]], Any]:
    """Decorator of a constructor with `**kwargs`: it takes the arguments of `source` too, and gets them so.

    They follow its own arguments, or come before the one that is named, with the defaults that `source` has;
    those that it names itself, or that are left out, do not come twice.

    >>> def base(self, rate=0.1, name=None): ...
    >>> @shares(base)
    ... def init(self, momentum=0.5, rate=0.2, **kwargs): ...
    >>> inspect.signature(init)
    <Signature (self, momentum=0.5, rate=0.2, name=None, **kwargs)>
    """

    def sharing(function: Callable[..., None]) -> Any:
        own = inspect.signature(function).parameters
        variadic = [p for p in own.values() if p.kind is p.VAR_KEYWORD]
        named = [p for p in own.values() if p.kind is not p.VAR_KEYWORD]
        shared = [p for p in named_parameters(source) if p.name not in {*own, *without}]
        at = len(named) if before is None else list(own).index(before)
        return shown_as(function, [*named[:at], *shared, *named[at:], *variadic])

    return sharing


def with_defaults(init: Callable[..., None], **defaults: Any) -> Any:
    """A constructor with other defaults for some parameters: what a class of its rank shows for them."""

    def with_own(**given: Any) -> None:
        init(**{**defaults, **given})

    parameters = inspect.signature(init).parameters.values()
    shown = [p.replace(default=defaults.get(p.name, p.default)) for p in parameters]
    return shown_as(functools.wraps(init)(with_own), shown)


def named_parameters(function: Callable[..., None]) -> list[Parameter]:
    """Parameters of a constructor, without `self`, `*args` and `**kwargs`."""
    variadic = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return [p for p in list(inspect.signature(function).parameters.values())[1:] if p.kind not in variadic]


def arguments_of(scope: dict[str, Any]) -> dict[str, Any]:
    """The named arguments of a constructor, from its `locals()`."""
    return {k: v for k, v in scope.items() if k not in ("self", "__class__", "kwargs")}
