"""Integers known only at run time: dimensions (`batch`) and loop axes, with exact polynomial arithmetic.

`Int` is a polynomial with integer coefficients over atoms. An atom is a named symbol with bounds, or a floor
division that could not be simplified, or a dynamic value (an index read from memory). Results that are
constant come back as plain `int`, so a dimension is always `int | Int`. `x % d` is kept as
`x - d * (x // d)`, which makes re-joined splits cancel by themselves: (j // 64) * 64 + j % 64 is j.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from kcompile.core import comparisons

Dim = "int | Int"
Monomial = tuple["Atom", ...]


class Atom:
    """A named non-negative integer. `extent` (exclusive upper bound, if known) lets divisions simplify."""

    __slots__ = ("extent", "is_signed", "low", "name")

    def __init__(self, name: str, low: int = 0, extent: int | Int | None = None):
        self.name, self.low, self.extent = name, low, extent
        self.is_signed = False  # may it be negative after all, so that `low` says nothing?

    def __repr__(self) -> str:
        return self.name

    def key(self) -> str:
        return self.name

    def parts(self) -> tuple[object, ...]:
        """What else tells atoms of one name apart: another trace may know other bounds."""
        return self.low, self.extent

    def __eq__(self, other: object) -> bool:
        same = type(other) is type(self) and self.key() == other.key()
        return self is other or (same and self.parts() == other.parts())  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash(self.key())

    def substitute(self, env: Mapping[Atom, int | Int]) -> int | Int:
        return env.get(self, Int.of(self))

    def atoms(self) -> Iterable[Atom]:
        yield self


class FloorDiv(Atom):
    """numerator // divisor, where nothing more is known."""

    __slots__ = ("divisor", "numerator")

    def __init__(self, numerator: Int, divisor: int | Int):
        super().__init__(f"(({numerator})//({divisor}))")
        self.numerator, self.divisor = numerator, divisor
        self.is_signed = not is_nonnegative(numerator)

    def parts(self) -> tuple[object, ...]:
        return self.numerator, self.divisor

    def substitute(self, env: Mapping[Atom, int | Int]) -> int | Int:
        return substitute(self.numerator, env) // substitute(self.divisor, env)

    def atoms(self) -> Iterable[Atom]:
        yield self
        yield from self.numerator.atoms()
        if isinstance(self.divisor, Int):
            yield from self.divisor.atoms()


class Min(Atom):
    """The smaller of two integers, where it is not known which."""

    __slots__ = ("first", "second")

    def __init__(self, first: int | Int, second: int | Int):
        super().__init__(f"min({first}, {second})")
        self.first, self.second = first, second
        self.is_signed = not (is_nonnegative(first) and is_nonnegative(second))

    def parts(self) -> tuple[object, ...]:
        return self.first, self.second

    def substitute(self, env: Mapping[Atom, int | Int]) -> int | Int:
        return minimum(substitute(self.first, env), substitute(self.second, env))

    def atoms(self) -> Iterable[Atom]:
        yield self
        for one in (self.first, self.second):
            if isinstance(one, Int):
                yield from one.atoms()


class Int(comparisons.Watched):
    """An immutable polynomial; `terms` maps a sorted tuple of atoms to its coefficient."""

    __slots__ = ("_atoms", "_hash", "terms")

    def __init__(self, terms: tuple[tuple[Monomial, int], ...]):
        self.terms = terms
        self._hash = hash(terms)
        self._atoms: tuple[Atom, ...] | None = None

    @staticmethod
    def of(atom: Atom) -> Int:
        return Int((((atom,), 1),))

    def __hash__(self) -> int:
        if comparisons.watchers:
            comparisons.look()
        return self._hash

    def __eq__(self, other: object) -> bool:
        same = type(other) is Int and self._hash == other._hash and self.terms == other.terms
        if not same:
            comparisons.look()
        return same

    def __repr__(self) -> str:
        comparisons.look()
        return " + ".join(_term_text(m, c) for m, c in self.terms) or "0"

    def __add__(self, other: int | Int) -> int | Int:
        return _collect([*self.terms, *_terms(other)])

    __radd__ = __add__

    def __neg__(self) -> int | Int:
        return self * -1

    def __sub__(self, other: int | Int) -> int | Int:
        return self + (-1 * other)

    def __rsub__(self, other: int | Int) -> int | Int:
        return -1 * self + other

    def __mul__(self, other: int | Int) -> int | Int:
        if isinstance(other, int):
            return 0 if other == 0 else Int(tuple((m, c * other) for m, c in self.terms))
        if not isinstance(other, Int):
            return NotImplemented
        return _collect([(_product(a, b), c * d) for a, c in self.terms for b, d in other.terms])

    __rmul__ = __mul__

    def __floordiv__(self, other: int | Int) -> int | Int:
        return floordiv(self, other)

    def __rfloordiv__(self, other: int) -> int | Int:
        return floordiv(other, self)

    def __mod__(self, other: int | Int) -> int | Int:
        return self - other * floordiv(self, other)

    def __rmod__(self, other: int) -> int | Int:
        return other - self * floordiv(other, self)

    def __bool__(self) -> bool:
        if not (is_nonnegative(self - 1) or is_nonnegative(-1 - self)):
            comparisons.look()
        return True

    def __index__(self) -> int:
        comparisons.look()
        raise TypeError(
            f"dimension {self} is known only at run time; "
            "use it in shapes, or ops.shape(x), but not as a Python number"
        )

    def atoms(self) -> tuple[Atom, ...]:
        if self._atoms is None:
            found = (a for monomial, _ in self.terms for atom in monomial for a in atom.atoms())
            self._atoms = tuple(dict.fromkeys(found))
        return self._atoms

    def evaluate(self, env: Mapping[str, int]) -> int:
        """The value when every symbol `name` is env[name]."""
        total = 0
        for monomial, coefficient in self.terms:
            product = coefficient
            for atom in monomial:
                product *= _atom_value(atom, env)
            total += product
        return total


def _atom_value(atom: Atom, env: Mapping[str, int]) -> int:
    if isinstance(atom, FloorDiv):
        return evaluate(atom.numerator, env) // evaluate(atom.divisor, env)
    if isinstance(atom, Min):
        return min(evaluate(atom.first, env), evaluate(atom.second, env))
    return env[atom.name]


def _term_text(monomial: Monomial, coefficient: int) -> str:
    names = [a.name for a in monomial]
    return "*".join(names if coefficient == 1 and names else [*names, str(coefficient)])


def _terms(x: int | Int) -> tuple[tuple[Monomial, int], ...]:
    if isinstance(x, Int):
        return x.terms
    return (((), x),) if x else ()


def _product(a: Monomial, b: Monomial) -> Monomial:
    return tuple(sorted(a + b, key=Atom.key))


def _order(term: tuple[Monomial, int]) -> tuple[int, tuple[str, ...]]:
    return -len(term[0]), tuple(a.name for a in term[0])


def _collect(terms: list[tuple[Monomial, int]]) -> int | Int:
    total: dict[Monomial, int] = {}
    for monomial, coefficient in terms:
        total[monomial] = total.get(monomial, 0) + coefficient
    kept = [(m, c) for m, c in total.items() if c]
    if not kept:
        return 0
    if len(kept) == 1 and kept[0][0] == ():
        return kept[0][1]
    return Int(tuple(sorted(kept, key=_order)))


def symbol(name: str, low: int = 1, extent: int | Int | None = None) -> Int:
    """A dimension known only at run time, at least `low`."""
    return Int.of(Atom(name, low, extent))


def floordiv(x: int | Int, d: int | Int) -> int | Int:
    """x // d, simplified with the bounds of the atoms."""
    if isinstance(x, int) and isinstance(d, int):
        return x // d
    if isinstance(d, int) and d < 0:  # so that a remainder is never negative
        x, d = -1 * x, -d
    if d == 1:
        return x
    quotient, rest = _split(x, d)
    if rest == 0 or lies_in(rest, d):
        return quotient
    if isinstance(rest, Int) and isinstance(d, int) and len(rest.terms) == 1:
        (monomial, coefficient) = rest.terms[0]
        if coefficient == 1 and len(monomial) == 1 and isinstance(monomial[0], FloorDiv):
            inner = monomial[0]
            if isinstance(inner.divisor, int):  # (a // b) // d is a // (b d)
                return quotient + floordiv(inner.numerator, inner.divisor * d)
    rest = Int((((), rest),)) if isinstance(rest, int) else rest
    return quotient + Int.of(FloorDiv(rest, d))


def minimum(a: int | Int, b: int | Int) -> int | Int:
    """The smaller of two integers.

    >>> batch = symbol("batch")
    >>> minimum(batch, 1), minimum(batch, 5)
    (1, min(batch, 5))
    """
    if is_nonnegative(b - a):
        return a
    return b if is_nonnegative(a - b) else Int.of(Min(a, b))


def bound(k: int | Int, d: int | Int) -> int | Int:
    """A bound of a slice of d elements as a position from 0 to d, as Python takes it.

    >>> bound(-2, 5), bound(7, 5), bound(-9, 5)
    (3, 5, 0)
    """
    if isinstance(k, Int) or k >= 0:
        return minimum(k, d)
    return d - minimum(-k, d)


def _split(x: int | Int, d: int | Int) -> tuple[int | Int, int | Int]:
    """x = quotient * d + rest, moving whole terms."""
    if isinstance(d, Int) and len(d.terms) != 1:
        return (1, 0) if x == d else (0, x)
    d_monomial, d_coefficient = d.terms[0] if isinstance(d, Int) else ((), d)
    quotient: list[tuple[Monomial, int]] = []
    rest: list[tuple[Monomial, int]] = []
    for monomial, coefficient in _terms(x):
        left = _without(monomial, d_monomial)
        if left is None:
            rest.append((monomial, coefficient))
            continue
        q, r = (
            divmod(coefficient, d_coefficient)
            if monomial == ()
            else ((coefficient // d_coefficient, 0) if coefficient % d_coefficient == 0 else (0, coefficient))
        )
        if q:
            quotient.append((left, q))
        if r:
            rest.append((monomial, r))
    return _collect(quotient), _collect(rest)


def _without(monomial: Monomial, part: Monomial) -> Monomial | None:
    left = list(monomial)
    for atom in part:
        if atom not in left:
            return None
        left.remove(atom)
    return tuple(left)


def lies_in(x: int | Int, d: int | Int) -> bool:
    """Is 0 <= x < d sure?"""
    return is_nonnegative(x) and (top := upper(x)) is not None and is_nonnegative(d - 1 - top)


def upper(x: int | Int) -> int | Int | None:
    """A largest value of x over its axes, perhaps symbolic in dimensions; None where it is not known."""
    total: int | Int = 0
    for monomial, coefficient in _terms(x):
        product: int | Int = coefficient
        for atom in monomial:
            if atom.extent is None and atom.low >= 1:
                product = product * Int.of(atom)  # a dimension stands for itself
            elif atom.extent is None:
                return None
            else:
                product = product * ((atom.extent - 1) if coefficient > 0 else atom.low)
        total = total + product
    return total


def is_nonnegative(x: int | Int) -> bool:
    """Is x >= 0 sure, given that atoms are at least their `low`?"""
    if isinstance(x, int):
        return x >= 0
    low = 0
    for monomial, coefficient in x.terms:
        bound = 1
        for atom in monomial:
            bound *= atom.low
        if monomial and (coefficient < 0 or any(atom.is_signed for atom in monomial)):
            return False
        low += coefficient * bound
    return low >= 0


def substitute(x: int | Int, env: Mapping[Atom, int | Int]) -> int | Int:
    """x with atoms replaced."""
    if isinstance(x, int):
        return x
    total: int | Int = 0
    for monomial, coefficient in x.terms:
        product: int | Int = coefficient
        for atom in monomial:
            product = product * atom.substitute(env)
        total = total + product
    return total


def evaluate(x: int | Int, env: Mapping[str, int]) -> int:
    return x if isinstance(x, int) else x.evaluate(env)


def coefficient_of(x: int | Int, atom: Atom) -> int | Int | None:
    """The coefficient of a linear `atom` in x; 0 where absent; None where x is not linear in it (inside a
    division, say).
    """
    total: int | Int = 0
    for monomial, c in _terms(x):
        if atom in monomial:
            rest = _without(monomial, (atom,))
            assert rest is not None
            if atom in rest or any(atom in set(a.atoms()) for a in rest):
                return None
            total = total + _collect([(rest, c)])
        elif any(atom in set(a.atoms()) for a in monomial):
            return None
    return total


def code(x: int | Int, atom_code: Callable[[Atom], str]) -> str:
    """Source text of x."""
    if isinstance(x, int):
        return str(x)
    parts = []
    for monomial, coefficient in x.terms:
        factors = [atom_code(a) for a in monomial]
        if coefficient != 1 or not factors:
            factors.append(str(coefficient) if coefficient >= 0 else f"({coefficient})")
        parts.append(" * ".join(factors))
    return " + ".join(parts) or "0"


def product(dims: Iterable[int | Int]) -> int | Int:
    total: int | Int = 1
    for dim in dims:
        total = total * dim
    return total
