"""``python -m benchmarks``: measures kcompile beside its peers; ``--help`` lists the options."""

from __future__ import annotations

import argparse
import datetime
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import environment, profiles, readme, report
from benchmarks.contenders import CONTENDERS, OURS
from benchmarks.exports import run as exports
from benchmarks.exports.exporters import EXPORTERS
from benchmarks.harness import Outcome, Pace, Say, measure_task
from benchmarks.kernel_cases import CASES
from benchmarks.layer_cases import LAYERS
from benchmarks.memory import measure_memory
from benchmarks.results import Results, merged
from benchmarks.scaled import AXES, SCALED
from benchmarks.startup import Runner, measure_startup
from benchmarks.workloads import WORKLOADS
from tests.parity.layer_cases import CASES as PARITY_CASES

FOLDER = Path(__file__).resolve().parent / "results"
PARTS = ("models", "startup", "memory", "kernels")
ALONE = ("scaling", "layers", "export", "profile")  # parts that run only when asked for by name
STARTS = [name for name, work in WORKLOADS.items() if work.trains]
IMPORTS_WITH = "cnn"  # the row that tells the time of the import, which is that of all


EXPORTED = sorted({case.layer for case in PARITY_CASES})  # names that `--only` takes for the exports


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description="Measures kcompile beside its peers."
    )
    add = parser.add_argument
    add("part", nargs="?", choices=PARTS + ALONE, help="measure this part alone")
    add(
        "--only",
        type=_names([*WORKLOADS, *CASES, *AXES, *LAYERS, *EXPORTED]),
        metavar="TASK,...",
        help="workloads, kernels, axes of scaling or layers to measure",
    )
    add(
        "--peers",
        type=_names([*(name for rows in CONTENDERS.values() for name in rows), *EXPORTERS]),
        metavar="NAME,...",
    )
    add("--rounds", type=int, help="blocks of each contender (9; 3 if quick)")
    add("--seconds", type=float, help="length of a block (0.3; 0.1 if quick)")
    add("--quick", action="store_true", help="few short rounds: to see that all works, not to quote")
    add("--threads", type=int, default=2)
    add("--python", action="append", default=[], metavar="PATH", help="an interpreter that has other peers")
    add(
        "--from",
        dest="sources",
        type=Path,
        action="append",
        metavar="JSON",
        help="report earlier runs together; of exports: go on where that run was stopped",
    )
    add("--out", type=Path, default=FOLDER, help="folder of the JSON and the plot")
    add("--readme", action="store_true", help="write the comparison into README.md and docs/benchmarks.md")
    return parser.parse_args(arguments)


def _names(known: Sequence[str]):  # type: ignore[no-untyped-def]
    def split(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(
                f"unknown: {', '.join(unknown)}; known: {', '.join(dict.fromkeys(known))}"
            )
        return names

    return split


class Run:
    """Measures what the options ask for and gathers it in ``results``."""

    def __init__(self, options: argparse.Namespace, say: Say) -> None:
        self.options, self.say = options, say
        self.pythons = environment.interpreters(options.python)
        quick = options.quick
        self.pace = Pace(options.rounds or (3 if quick else 9), options.seconds or (0.1 if quick else 0.3))
        date = datetime.datetime.now().astimezone().isoformat(timespec="minutes")
        self.results = Results(environment.machine(), options.threads, date)
        self.path = options.out / f"{date.replace(':', '')}.json"

    def measure(self) -> None:
        environment.pin(self.options.threads)
        for part in [self.options.part] if self.options.part else PARTS:
            self.measure_peak()
            getattr(self, part)()
        self.measure_peak()
        self.results.save(self.path)

    def models(self) -> None:
        self._tasks("model", list(WORKLOADS))

    def kernels(self) -> None:
        self._tasks("kernel", list(CASES))

    def _tasks(self, kind: str, tasks: list[str]) -> None:
        for task in self._wanted(tasks):
            runners = [one for one in self.runners(kind) if not one[0].tasks or task in one[0].tasks]
            self.add(measure_task(kind, task, runners, self.options.threads, self.pace, self.say))

    def layers(self) -> None:
        self._tasks("layer", list(LAYERS))

    def scaling(self) -> None:
        """A step's time, peak memory, and the time to the first step, cache empty and full, at every size."""
        threads = self.options.threads
        for axis in self._wanted(list(AXES)):
            for task in (work.name for work in AXES[axis].works.values()):
                runners = self.runners("model")
                self.add(measure_task("model", task, runners, threads, self.pace, self.say, ["train"]))
                self.add(measure_memory(task, self._starters(), threads, self.say))
                self.add(measure_startup(task, self._starters(), threads, 1, self.say, imports=False))

    def startup(self) -> None:
        rounds = max(1, self.pace.rounds // 3)
        for task in self._wanted(STARTS):
            imports = task == IMPORTS_WITH
            starters, threads = self._starters(), self.options.threads
            self.add(measure_startup(task, starters, threads, rounds, self.say, imports))

    def memory(self) -> None:
        for task in self._wanted(STARTS):
            self.add(measure_memory(task, self._starters(), self.options.threads, self.say))

    def _starters(self) -> list[Runner]:
        return [runner for runner in self.runners("model") if runner[0].starts]

    def _wanted(self, tasks: list[str]) -> list[str]:
        return [task for task in tasks if self.options.only is None or task in self.options.only]

    def runners(self, kind: str) -> list[Runner]:
        """kcompile and the peers asked for that some interpreter has; the others are noted as missing."""
        asked = self.options.peers
        rows = [row for name, row in CONTENDERS[kind].items() if asked is None or name in (*asked, OURS)]
        found = [(row, environment.find_python(row.requires, self.pythons)) for row in rows]
        missing = [row.name for row, python in found if python is None]
        self.results.missing = list(dict.fromkeys([*self.results.missing, *missing]))
        return [(row, python) for row, python in found if python is not None]

    def add(self, outcome: Outcome) -> None:
        self.results.series += outcome.series
        self.results.versions |= outcome.versions
        self.results.failed |= outcome.failed
        self.results.save(self.path)  # so that a run that is stopped has not been in vain

    def measure_peak(self) -> None:
        """The machine's peak, measured between the parts; kcompile's interpreter does it."""
        python = environment.find_python(CONTENDERS["model"][OURS].requires, self.pythons)
        if python is None:
            return
        command = [python, "-m", "benchmarks.machine_peak", str(self.options.threads)]
        run = subprocess.run(command, cwd=environment.ROOT, capture_output=True, text=True, check=False)
        if run.returncode:
            self.results.failed["peak"] = run.stderr.strip().splitlines()[-1]
            return
        gflops, gbytes = map(float, run.stdout.split())
        self.results.raise_peak({"gflops": gflops, "gbytes": gbytes})


def draw(path: Path, pythons: Sequence[str], say: Say, scaling: bool = False) -> None:
    """The plot beside the JSON, by an interpreter that has matplotlib."""
    python = environment.find_python(("matplotlib", "rich"), pythons)
    if python is None:
        say("no plot: matplotlib is not installed")
        return
    module = "benchmarks.scaling_plot" if scaling else "benchmarks.plot"
    command = [python, "-m", module, str(path), str(path.with_suffix(".svg"))]
    subprocess.run(command, cwd=environment.ROOT, check=True)
    say(f"plot: {path.with_suffix('.svg')}")


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    if options.part == "export":
        return exports.main(options)
    progress = Console(stderr=True)
    console = Console() if sys.stdout.isatty() else Console(width=140)
    if options.part == "profile":
        environment.pin(options.threads)
        profiles.run(options.only or STARTS, console)
        return 0

    def say(text: str) -> None:
        progress.print(text, style="dim", markup=False, highlight=False)

    if options.sources:
        results = merged([Results.load(source) for source in options.sources])
        path = options.out / "merged.json"
        results.save(path)
    else:
        run = Run(options, say)
        run.measure()
        results, path = run.results, run.path
        say(f"raw samples: {path}")
    report.print_report(results, console)
    scaling = any(one.task in SCALED for one in results.series)
    draw(path.resolve(), environment.interpreters(options.python), say, scaling)
    if options.readme:
        readme.write(results, environment.ROOT / "README.md", readme.FIRST_PAGE)
        readme.write(results, environment.ROOT / "docs" / "benchmarks.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
