"""The part "export" of ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import datetime
import sys

from rich.console import Console

from benchmarks import environment
from benchmarks.exports.cases import LAYERS, MODELS, NAMES
from benchmarks.exports.compare import Comparison, compare, load, save
from benchmarks.exports.report import print_report


def main(options: argparse.Namespace) -> int:
    """Export, compare, print, and write the figures as JSON."""
    progress = Console(stderr=True)

    def say(text: str) -> None:
        progress.print(text, style="dim", markup=False, highlight=False, soft_wrap=True)

    environment.pin(options.threads)
    pythons = environment.interpreters(options.python)
    date = datetime.datetime.now().astimezone().isoformat(timespec="minutes")
    path = options.out / f"export-{date.replace(':', '')}.json"
    about = {"machine": environment.machine(), "threads": options.threads, "date": date}

    def keep(found: list[Comparison]) -> None:
        save(found, path, about)

    done = [one for source in options.sources or () for one in load(source)]
    found = compare(chosen(options.only), pythons, options.threads, say, options.peers, done, keep)
    keep(found)
    say(f"raw figures: {path}")
    print_report(found, Console() if sys.stdout.isatty() else Console(width=170))
    return 0


def chosen(only: list[str] | None) -> list[str]:
    """The cases of the workloads and layers named; all, if none is."""
    if only is None:
        return NAMES
    models = [f"model {name}" for name in only if f"model {name}" in MODELS]
    return models + [name for name, case in LAYERS.items() if case.layer in only]
