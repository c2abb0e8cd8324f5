"""The addresses in A of a block of output rows, as Numba source: images are read without im2col."""

from __future__ import annotations

from kcompile.codegen.expressions import Statements
from kcompile.codegen.writer import Writer
from kcompile.schedule.contraction import Contraction


def write_row_table(c: Contraction, w: Writer, s: Statements, item: int, beyond: int) -> None:
    """Fill `table` with the block's rows, the last one repeated `beyond` times: whole register tiles read on.

    The text around it defines a0 (where A of this tile begins), row0 (the block's first row) and rows.
    item: bytes of an element.
    """
    if not c.m:
        w.line("table[0] = a0")
        w.line("filled = 1")
    elif len(c.m) == 1:
        with w.block("for r in range(rows):"):
            w.line(f"table[r] = a0 + (row0 + r) * {s.integer(c.m[0].a * item)}")
        w.line("filled = rows")
    else:
        _odometer(c, w, s, item)
        w.line("filled = rows")
    with w.block(f"for r in range(filled, filled + {beyond}):"):
        w.line("table[r] = table[filled - 1]")


def _odometer(c: Contraction, w: Writer, s: Statements, item: int) -> None:
    """Rows that cross image lines: the position is counted up, not divided, for each row."""
    names = [f"i{k}" for k in range(len(c.m))]
    w.line("quotient = row0")
    for name, r in reversed(list(zip(names, c.m, strict=True))[1:]):
        w.line(f"{name} = quotient % {s.integer(r.extent)}")
        w.line(f"quotient = index_div(quotient, {s.integer(r.extent)})")
    w.line(f"{names[0]} = quotient")
    start = " + ".join(f"{n} * {s.integer(r.a * item)}" for n, r in zip(names, c.m, strict=True))
    w.line(f"at = a0 + {start}")
    with w.block("for r in range(rows):"):
        w.line("table[r] = at")
        _step(c, w, s, item, names, len(c.m) - 1)


def _step(c: Contraction, w: Writer, s: Statements, item: int, names: list[str], k: int) -> None:
    """The next position along axis k; where the axis ends, back to its start and on along the one before."""
    r = c.m[k]
    w.line(f"at += {s.integer(r.a * item)}")
    if k == 0:
        return
    w.line(f"{names[k]} += 1")
    with w.block(f"if {names[k]} == {s.integer(r.extent)}:"):
        w.line(f"{names[k]} = 0")
        w.line(f"at -= {s.integer(r.a * r.extent * item)}")
        _step(c, w, s, item, names, k - 1)
