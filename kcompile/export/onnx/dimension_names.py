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
    """What names stand for, where those that are nothing but a name, or a multiple of one, are `extent`.

    known: what some stand for anyway.

    >>> sizes(["8*height", "8*height-10", "other"], {"batch": 3}, 16)
    {'batch': 3, '8*height': 16, 'height': 2, 'other': 16, '8*height-10': 6}

    Raises:  ValueError if the extent is no such multiple, or nothing would be left.
    """
    found = dict(known)
    of_others: dict[str, ast.expr] = {}
    for name in dict.fromkeys(names):
        match _parsed(name):
            case ast.BinOp(ast.Constant(int(step)), ast.Mult(), ast.Name(inner)) if (
                step and name not in found
            ):
                if extent % step:
                    raise ValueError(f"the dimension {name} is no multiple of {step} with a size of {extent}")
                found[name] = extent
                found.setdefault(inner, extent // step)
            case (ast.BinOp() | ast.Call()) as computed:
                of_others[name] = computed
            case _:
                found.setdefault(name, extent)
    for name, expression in of_others.items():
        if name not in found:
            found[name] = _value(expression, found, extent)
        if found[name] < 1:
            raise ValueError(f"nothing is left of the dimension {name} with a size of {extent}")
    return found


def _parsed(name: str) -> ast.expr | None:
    with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.parse(name, mode="eval").body
    return None


def _value(expression: ast.expr, known: Mapping[str, int], extent: int) -> int:
    """The number, or `extent` where the expression is none of ours, or something in it is not known."""

    def of(node: ast.expr) -> int:
        match node:
            case ast.Constant(int(number)):
                return number
            case ast.Name(name):
                return known[name]
            case ast.BinOp(left, operation, right):
                return int(OPERATIONS[type(operation)](of(left), of(right)))
            case ast.Call(ast.Name("min"), arguments):
                return min(map(of, arguments))
        raise LookupError

    with suppress(LookupError, ArithmeticError):
        return of(expression)
    return extent
