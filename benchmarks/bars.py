"""What kcompile is meant to reach beside its peers: one row each, and whether a run reached it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import geometric_mean

from benchmarks.contenders import KERAS_PEERS, MODELS, OURS
from benchmarks.kernel_cases import CASES
from benchmarks.results import Results, ratio
from benchmarks.workloads import WORKLOADS, step_flops

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


def step_share(task: str) -> Reading:
    """The speed of a whole training step in percent of the same peak."""

    def read(results: Results) -> float | None:
        series = results.fastest(task, "train", [OURS])
        if series is None or "gflops" not in results.peak:
            return None
        return 100 * step_flops(WORKLOADS[task]) / (series.median * 1e6) / results.peak["gflops"]

    return read


def overall(tasks: Iterable[str], measure: str, peers: Iterable[str]) -> Reading:
    """The geometric mean of ``against`` over tasks: None unless every one was measured."""
    readings = [against(task, measure, peers) for task in tasks]

    def read(results: Results) -> float | None:
        values = [value for reading in readings if (value := reading(results)) is not None]
        return geometric_mean(values) if len(values) == len(readings) else None

    return read


def memory_against_fastest(task: str, measure: str = "memory") -> Reading:
    """kcompile's peak memory by that of the peer whose step is the fastest."""

    def read(results: Results) -> float | None:
        peer = results.fastest(task, "train", TRAINERS)
        return against(task, measure, [peer.contender])(results) if peer else None

    return read


TRAINED = tuple(name for name, work in WORKLOADS.items() if work.trains)
DENSE_AND_IMAGES = ("mlp32", "mlp128", "cnn", "resnet32", "resnet128", "mobilenet")
PREDICTED = (
    "mlp128",
    "cnn",
    "resnet128",
    "mobilenet",
    "lstm",
    "gru",
    "bilstm",
    "transformer",
    "mobilenetv2",
    "resnet50",
)
LEAN = ("cnn", "resnet32", "resnet128", "transformer")


MEMORY = {"memory": "peak memory", "memory_beyond": "peak memory beyond the import"}


def _row(task: str, words: str) -> str:
    return f"{WORKLOADS[task].title}: {words}"


def _training() -> list[Bar]:
    rows = [
        Bar(_row(task, "step, by the fastest peer's"), "x", 0.67, 0.5, against(task, "train", TRAINERS))
        for task in TRAINED
    ]
    shares = [
        Bar(_row(task, "share of peak over a step"), "%", 60, None, step_share(task), at_least=True)
        for task in DENSE_AND_IMAGES
    ]
    means = [
        Bar("all steps, geometric mean", "x", 0.5, None, overall(TRAINED, "train", TRAINERS)),
        Bar("all steps, by the fastest Keras's", "x", 0.33, None, overall(TRAINED, "train", KERAS_PEERS)),
    ]
    return [*rows, *means, *shares]


def _digits() -> list[Bar]:
    """The row where a step is hardly any work: what is left is the way to the kernels."""
    return [
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
    ]


def _predicting() -> list[Bar]:
    """Latency must be lower, throughput at least equal: both as times."""
    ort = ["onnxruntime"]
    calls = [
        Bar(_row(task, "one sample, by onnxruntime's"), "x", 1.0, 0.7, against(task, "call", ort))
        for task in PREDICTED
    ]
    many = [
        Bar(
            _row(task, f"{WORKLOADS[task].many} samples, by onnxruntime's"),
            "x",
            1.0,
            0.7,
            against(task, "throughput", ort),
        )
        for task in PREDICTED
    ]
    own = Bar(
        "MNIST CNN: model(x), by the fastest peer's call", "x", 0.6, None, against("cnn", "call", TRAINERS)
    )
    return [own, *calls, *many]


def _starting() -> list[Bar]:
    bars = [Bar("import", "s", 0.25, None, ours("cnn", "import", 1e-3))]
    for task in TRAINED:
        for state, goal, beyond in (("cold", 6.0, 4.0), ("warm", 0.7, 0.4)):
            measure = f"first_{state}"
            bars += [
                Bar(_row(task, f"first step, {state}"), "s", goal, beyond, ours(task, measure, 1e-3)),
                Bar(
                    _row(task, f"first step, {state}, by the fastest Keras's"),
                    "x",
                    1.0,
                    None,
                    against(task, measure, KERAS_PEERS),
                ),
            ]
    return bars


BARS = (
    *_training(),
    *_digits(),
    *_predicting(),
    *_starting(),
    *(
        Bar(
            _row(task, f"{words}, by the fastest peer's"),
            "x",
            0.7,
            None,
            memory_against_fastest(task, measure),
        )
        for measure, words in MEMORY.items()
        for task in LEAN
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
