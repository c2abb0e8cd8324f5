"""The progress bar of a single step, printed at once: what `Progbar` prints for one step out of one."""

from __future__ import annotations

from typing import Any

from kcompile.callbacks.progbar import BOLD, GREEN, PLAIN, WHITE, per_step, rewrites_lines
from kcompile.core.console import print_msg

BAR = f"{BOLD}1/1{PLAIN} {GREEN}{'━' * 20}{PLAIN}{WHITE}{PLAIN}"
WIDTH = len("1/1 ") + 20


def print_single_step(seconds: float, verbose: Any) -> None:
    """1/1 ━━━━━━━━━━━━━━━━━━━━ 0s 21us/step: the bar when the step is done and when the run is."""
    duration = per_step(seconds, "step")
    if verbose == 2:
        print_msg(f"1/1 - {seconds:.0f}s -{duration}\n", line_break=False)
        return
    if verbose not in (1, "auto"):  # other numbers are silent, as of `Progbar`
        return
    width = WIDTH + len(" 0s") + len(duration)
    first, again = ("\r", "\b" * width + "\r") if rewrites_lines() else ("\n", "\n")
    done = f"{BAR} {BOLD}0s{PLAIN}{duration}"  # nothing remains
    ended = f"{BAR} {BOLD}{seconds:.0f}s{PLAIN}{duration}"
    print_msg(f"{first}{done}{again}{ended}\n", line_break=False)
