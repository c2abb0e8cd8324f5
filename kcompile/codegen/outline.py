"""What kernels have in common that differ in whole numbers only: one pass through Numba serves all of them.

The layers of a network repeat each other at other sizes. Where kernels need constants, for speed, they do not
share a source (`codegen/sharing.py`), but what Numba makes of them differs in the constants alone. So a text
is lowered with marks in the place of its whole numbers, and the numbers take the marks' places in the IR.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from types import CodeType

_MARK = 7_300_000_000_000_000_000  # marks are numbers from here on, which no kernel has
_MARKED = re.compile(r"(?<!\d)73\d{17}(?!\d)")
_MOST_DIGITS = 9  # of a number that gets a mark; from ten on it may not be an int64
# Slots of arguments and scopes of buffers decide types, so they stay.
_BUFFER = r"buffer_\w+\(scratch \+ (\d+), \d+\)|buffer_[^\n]*"
_KEPT = r'args\[\d+\]|"[^"]*"|[A-Za-z_]\w*|\d+\.\d*(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+'
_TOKEN = re.compile(rf"{_BUFFER}|{_KEPT}|(\d+)")


@dataclass(frozen=True)
class Outline:
    """A kernel's text with marks, and the numbers that they stand for, in their order.

    >>> kernel = "def kernel(x):\\n    x[2 * 8] = x[8 + x[0] * 64]\\n"
    >>> Outline.of(kernel).numbers  # Python computes 2 * 8
    (8, 0, 64)
    """

    text: str
    numbers: tuple[int, ...]
    places: tuple[int, ...]  # where they stand in the kernel's text

    @classmethod
    def of(cls, text: str) -> Outline:
        """The outline of a text that defines one function."""
        outline, without = cls._with_marks(text, ()), []
        while computed := outline._computed():
            without += [outline.places[k] for k in computed]
            outline = cls._with_marks(text, without)
        return outline

    def _computed(self) -> list[int]:
        """Which numbers Python itself computes with: their marks are no constants of the function."""
        left = set(_whole_numbers(compile(self.text, "<outline>", "exec")))
        return [k for k in range(len(self.numbers)) if _MARK + k not in left]

    @classmethod
    def _with_marks(cls, text: str, without: Collection[int]) -> Outline:
        """without: positions in the text of numbers that stay."""
        numbers: list[int] = []
        places: list[int] = []
        parts: list[str] = []
        end = 0
        for found in _TOKEN.finditer(text):
            if found.lastindex is None:
                continue
            place, past = found.span(found.lastindex)
            if past - place > _MOST_DIGITS or place in without:
                continue
            parts += [text[end:place], str(_MARK + len(numbers))]
            numbers.append(int(text[place:past]))
            places.append(place)
            end = past
        return cls("".join([*parts, text[end:]]), tuple(numbers), tuple(places))

    def filled(self, ir: str) -> str:
        """LLVM IR of the marks -> of the numbers."""
        return _MARKED.sub(lambda found: str(self.numbers[int(found[0]) - _MARK]), ir)


def _whole_numbers(code: CodeType) -> Iterator[int]:
    """Of the constants of code and of the functions that it defines, without their signs."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _whole_numbers(constant)
        elif type(constant) is int:
            yield abs(constant)
