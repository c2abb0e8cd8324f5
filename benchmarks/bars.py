"""What kcompile is meant to reach beside its peers: one row each, and whether a run reached it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from benchmarks.contenders import KERAS_PEERS, MODELS, OURS
from benchmarks.kernel_cases import CASES
from benchmarks.results import Results, ratio

PEERS = tuple(one.name for one in MODELS if one.name != OURS)
TRAINERS = tuple(name for name in PEERS if name != "onnxruntime")
STEPWISE = tuple(name for name in TRAINERS if name != "jax-scan")

Reading = Callable[[Results], float | None]


@dataclass(frozen=True)
class Bar:
    """Upper limits (lower ones if ``at_least``) on what ``read`` gives: None if not measured."""

    what: str
    unit: str
    goal: float | None
    beyond: float | None
    read: Reading
    at_least: bool = False

    def verdict(self, value: float | None) -> str:
        """ "beyond", "reached", "not reached" or "not measured"."""
        if value is None:
            return "not measured"
        if self.beyond is not None and self._holds(value, self.beyond):
            return "beyond"
        return "reached" if self.goal is not None and self._holds(value, self.goal) else "not reached"

    def _holds(self, value: float, limit: float) -> bool:
        return value >= limit if self.at_least else value <= limit

    def show(self, value: float | None) -> str:
        """A value in the bar's unit.

        >>> Bar("", "x", 0.5, None, lambda results: None).show(0.25)
        '0.250x'
        """
        return "-" if value is None else _FORMATS[self.unit](value)


_FORMATS: dict[str, Callable[[float], str]] = {
    "x": lambda value: f"{value:.3f}x",
    "us": lambda value: f"{value:.1f} us",
    "s": lambda value: f"{value:.2f} s",
    "%": lambda value: f"{value:.0f}%",
}


def against(task: str, measure: str, peers: Iterable[str]) -> Reading:
    """kcompile's time by that of the fastest of the peers: median over the rounds."""
    peers = tuple(peers)

    def read(results: Results) -> float | None:
        ours = results.fastest(task, measure, [OURS])
        theirs = results.fastest(task, measure, peers)
        return ratio(ours, theirs).median if ours and theirs else None

    return read


def ours(task: str, measure: str, factor: float) -> Reading:
    """kcompile's median in ms, times ``factor``."""

    def read(results: Results) -> float | None:
        series = results.fastest(task, measure, [OURS])
        return series.median * factor if series else None

    return read


def share_of_peak(case: str) -> Reading:
    """A kernel's speed in percent of the machine's measured multiply-add peak."""

    def read(results: Results) -> float | None:
        series = results.fastest(case, "kernel", [OURS])
        if series is None or "gflops" not in results.peak:
            return None
        return 100 * CASES[case].flops / (series.median * 1e6) / results.peak["gflops"]

    return read


BARS = (
    Bar("MLP, batch 128: step, by the fastest peer's", "x", 0.67, 0.5, against("mlp128", "train", TRAINERS)),
    Bar("MLP, batch 32: step, by the fastest peer's", "x", 0.67, 0.5, against("mlp32", "train", TRAINERS)),
    Bar("MNIST CNN: step, by the fastest peer's", "x", 0.67, 0.45, against("cnn", "train", TRAINERS)),
    Bar("digits: step, by the fastest Keras's", "x", 0.05, None, against("digits", "train", KERAS_PEERS)),
    Bar(
        "digits: step, by the fastest peer's (a step a call)",
        "x",
        0.25,
        None,
        against("digits", "train", STEPWISE),
    ),
    Bar(
        "digits: step, by that of JAX with an epoch a call",
        "x",
        0.25,
        None,
        against("digits", "train", ["jax-scan"]),
    ),
    Bar("digits: step", "us", None, 10.0, ours("digits", "train", 1e3)),
    Bar(
        "digits: predict(), by the fastest Keras's",
        "x",
        0.03,
        None,
        against("digits", "predict", KERAS_PEERS),
    ),
    Bar("digits: model(x)", "us", 20.0, None, ours("digits", "call", 1e3)),
    Bar("MNIST CNN: model(x), by the fastest peer's call", "x", 0.6, None, against("cnn", "call", TRAINERS)),
    Bar("MNIST CNN: model(x), by onnxruntime's", "x", 1.0, 0.7, against("cnn", "call", ["onnxruntime"])),
    Bar("import", "s", 0.25, None, ours("cnn", "import", 1e-3)),
    Bar("first step of the MNIST CNN, cold", "s", 4.0, None, ours("cnn", "first_cold", 1e-3)),
    Bar(
        "first step, cold, by the fastest Keras's", "x", 1.0, None, against("cnn", "first_cold", KERAS_PEERS)
    ),
    Bar("first step of the MNIST CNN, warm", "s", 0.7, 0.4, ours("cnn", "first_warm", 1e-3)),
    Bar(
        "first step, warm, by the fastest Keras's", "x", 1.0, None, against("cnn", "first_warm", KERAS_PEERS)
    ),
    *(
        Bar(f"{case.title}: share of peak", "%", 80, 90, share_of_peak(name), at_least=True)
        for name, case in CASES.items()
    ),
)


def judged(results: Results) -> list[tuple[Bar, float | None, str]]:
    """Every bar with its value and its verdict."""
    values = [(bar, bar.read(results)) for bar in BARS]
    return [(bar, value, bar.verdict(value)) for bar, value in values]
