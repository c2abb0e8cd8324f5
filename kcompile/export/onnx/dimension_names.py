"""Names of dimensions that say how they go with others, as ours do: 8*height, length//32+1."""

from __future__ import annotations

import ast
import operator
from collections.abc import Iterable, Mapping
from contextlib import suppress

OPERATIONS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}


def sizes(names: Iterable[str], known: Mapping[str, int], extent: int) -> dict[str, int]:
    """What names stand for, where those that are nothing but a name are `extent`; of the multiples of one
    name the smallest is.

    known: what some stand for anyway.

    >>> sizes(["8*height", "8*height-10", "other"], {"batch": 3}, 16)
    {'batch': 3, 'height': 2, 'other': 16, '8*height': 16, '8*height-10': 6}
    >>> sizes(["2*n", "n", "3*n"], {}, 16)
    {'n': 8, '2*n': 16, '3*n': 24}

    Raises:  ValueError if the extent is no such multiple, or nothing would be left.
    """
    found, parsed = dict(known), {name: _parsed(name) for name in names}
    for inner, step in _steps(parsed, known).items():
        if extent % step:
            raise ValueError(f"the dimension {step}*{inner} is no multiple of {step} with a size of {extent}")
        found[inner] = extent // step
    computed = {name: x for name, x in parsed.items() if isinstance(x, (ast.BinOp, ast.Call))}
    found |= {name: extent for name in parsed if name not in found and name not in computed}
    for name, expression in computed.items():
        if name not in found:
            found[name] = _value(expression, found, extent)
        if found[name] < 1:
            raise ValueError(f"nothing is left of the dimension {name} with a size of {extent}")
    return found


def _steps(parsed: Mapping[str, ast.expr | None], known: Mapping[str, int]) -> dict[str, int]:
    """Names of which multiples are dimensions, and the least of these multiples."""
    least: dict[str, int] = {}
    for name, expression in parsed.items():
        match expression:
            case ast.BinOp(ast.Constant(int(step)), ast.Mult(), ast.Name(inner)) if (
                step and not {name, inner} & known.keys()
            ):
                least[inner] = min(step, least.get(inner, step))
    return least


def _parsed(name: str) -> ast.expr | None:
    with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.parse(name, mode="eval").body
    return None


def replaced(dims: Iterable[int | str], named: Mapping[str, int]) -> tuple[int | str, ...]:
    """Dimensions with those known that follow from sizes given by name.

    >>> replaced(["batch", 3, "8*height", "width", "2*width"], {"height": 2, "2*width": 6})
    ('batch', 3, 16, 'width', 6)
    """
    return tuple(named.get(d, _known(d, named)) if isinstance(d, str) else d for d in dims)


def _known(name: str, named: Mapping[str, int]) -> int | str:
    with suppress(LookupError, ArithmeticError):
        return _computed(_parsed(name), named)
    return name


def names_in(dims: Iterable[int | str]) -> dict[str, None]:
    """The names of dimensions, and those that stand in them.

    >>> [*names_in([3, "8*height", "width"])]
    ['8*height', 'height', 'width']
    """
    found: dict[str, None] = {}
    for dim in (d for d in dims if isinstance(d, str)):
        parts = ast.walk(_parsed(dim) or ast.Constant(0))
        found |= dict.fromkeys([dim, *(n.id for n in parts if isinstance(n, ast.Name) and n.id != "min")])
    return found


def _value(expression: ast.expr, known: Mapping[str, int], extent: int) -> int:
    """The number, or `extent` where the expression is none of ours, or something in it is not known."""
    with suppress(LookupError, ArithmeticError):
        return _computed(expression, known)
    return extent


def _computed(node: ast.expr | None, known: Mapping[str, int]) -> int:
    """Raises:  LookupError where it is no expression of ours, or something in it is not known."""
    match node:
        case ast.Constant(int(number)):
            return number
        case ast.Name(name):
            return known[name]
        case ast.BinOp(left, operation, right):
            return int(OPERATIONS[type(operation)](_computed(left, known), _computed(right, known)))
        case ast.Call(ast.Name("min"), arguments):
            return min(_computed(one, known) for one in arguments)
    raise LookupError
