"""Writes docs/onnx-networks.md: whole networks in ONNX, how large their files are, and how exact.

Run from the root of the repository: ``python docs/make_onnx_networks.py [NAME ...] [--resume]``; with names
(or parts of them) it prints their rows only. All take some half an hour and 6 GB of memory; a run that was
stopped goes on with --resume where it was.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import kcompile  # noqa: E402
from benchmarks.peers import keras_layers  # noqa: E402
from benchmarks.workloads import WORKLOADS  # noqa: E402
from kcompile import applications, layers  # noqa: E402
from kcompile.export.onnx import apart  # noqa: E402
from kcompile.export.onnx.compare import difference  # noqa: E402
from kcompile.export.onnx.emit import UnsupportedOps  # noqa: E402
from tests.export.networks import NETWORKS, Network, floats, one_by_one, tokens  # noqa: E402
from tests.export.onnx_tools import LATEST, inferred, opsets_for  # noqa: E402

TABLE = ROOT / "docs/onnx-networks.md"
BATCHES = (1, 3, 17)
SIDE = {"Inception": 75, "Xception": 71}  # what they need at least; others take 32
LARGE = 60_000_000  # numbers in weights: from here on two opsets instead of three


@dataclass(frozen=True)
class Row:
    """A network: numbers in its weights, opsets, nodes and bytes of the newest file, largest difference."""

    name: str
    numbers: int
    opsets: list[int]
    nodes: int
    bytes: int
    difference: float


def row_of(network: Network) -> Row:
    """Write it for some opsets, and run each file. Old opsets may lack an operator, the newest must not."""
    model = network.model()
    numbers, worst = model.count_params(), 0.0
    given = [network.arrays(rows, extent) for rows in BATCHES for extent in network.extents]
    wanted = [one_by_one(model, arrays) for arrays in given]
    opsets = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.onnx"
        for opset in opsets_for(network.name)[1 if numbers > LARGE else 0 :]:
            try:
                model.export(path, format="onnx", opset_version=opset, verbose=False)
            except UnsupportedOps:
                if opset == LATEST:
                    raise
                continue
            opsets.append(opset)
            nodes = len(inferred(path).graph.node)
            worst = max([worst, *_differences(path, given, wanted)])
        size = path.stat().st_size
    return Row(network.name, numbers, opsets, nodes, size, worst)


def _differences(path: Path, given: Sequence[Any], wanted: Sequence[Any]) -> Iterator[float]:
    with apart.session(path) as session:
        for arrays, expected in zip(given, wanted, strict=True):
            found = session.run(arrays)
            if len(found) != len(expected):
                yield float("inf")
            yield from map(difference, found, expected)


# --- what there is ------------------------------------------------------------------------------------------


def networks() -> Iterator[Network]:
    """All networks: those of the tests, of the benchmarks, of the examples, and of `keras.applications`."""
    yield from NETWORKS
    for name, work in WORKLOADS.items():
        yield Network(
            f"benchmark: {name}", lambda w=work: keras_layers.network(kcompile, w)[0], _of_work(work)
        )
    yield from examples()
    for name in sorted(applications._NAMES):
        side = next((size for word, size in SIDE.items() if word in name), 32)
        yield Network(name, lambda n=name, s=side: _application(n, s), floats(side, side, 3))


def _of_work(work: Any) -> Any:
    if not work.vocabulary:
        return floats(*work.input_shape)
    make = tokens(1, work.vocabulary)
    return lambda rng, rows, _: make(rng, rows, work.input_shape[0])


def _application(name: str, side: int) -> Any:
    return getattr(applications, name)(weights=None, input_shape=(side, side, 3), classes=5)


def _example(name: str) -> Any:
    sys.path.insert(0, str(ROOT / "examples"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


# Programs in examples/ without a network of their own here, and why.
NOT_EXPORTED = {"pretrained_digits": "it is run by Keras, and makes the file that transfer_learning reads"}


def examples() -> Iterator[Network]:
    """The networks that the programs in examples/ build."""

    def network(name: str, make: Any, inputs: Any) -> Network:
        return Network(f"example: {name}", lambda: make(_example(name.split()[0])), inputs)

    image = floats(28, 28, 1)
    yield network("mnist_cnn", lambda m: m.build_model(), image)
    yield network("gan generator", lambda m: m.build_generator(), _together(floats(32), floats(10)))
    yield network("gan discriminator", lambda m: m.build_discriminator(), _together(image, floats(10)))
    yield network("image_augmentation", lambda m: m.build_model(True), image)
    calculator = _together(
        floats(8, 8, 1), floats(8, 8, 1), lambda rng, n, _: [rng.integers(0, 3, n, "int32")]
    )
    yield network("multi_input", lambda m: m.build_model(), calculator)
    yield network("siamese_network", lambda m: m.build_model(m.build_encoder()), _together(image, image))
    yield network("tabular_preprocessing", _tabular, _tabular_inputs)
    yield network("text_classification classifier", lambda m: m.build_classifier(), _words)
    yield network("text_classification", _classifier_of_text, _texts)
    yield network("transfer_learning", _transferred, image)
    codes = tokens(1, 60)
    language = lambda rng, rows, _: codes(rng, rows, _example("transformer_language_model").LENGTH)  # noqa: E731
    yield network("transformer_language_model", lambda m: m.build_model(60, 128, 2), language)
    yield network("variational_autoencoder encoder", lambda m: m.build_encoder(), image)
    yield network("variational_autoencoder decoder", lambda m: m.build_decoder(), floats(8))
    yield network("variational_autoencoder", _autoencoder, image)
    yield network("weather_forecast", _forecast, floats(48, 10))


def _together(*parts: Any) -> Any:
    return lambda rng, rows, n: [array for part in parts for array in part(rng, rows, n)]


def _words(rng: np.random.Generator, rows: int, _: int) -> list[np.ndarray]:
    return [rng.integers(0, 5000, (rows, 100), "int64")]


def _classifier_of_text(module: Any) -> Any:
    vectorize = layers.TextVectorization(module.MOST_WORDS, output_sequence_length=module.LONGEST)
    vectorize.adapt(np.array([module.__doc__], object))
    return kcompile.Sequential(
        [kcompile.Input((), dtype="string"), vectorize, module.build_classifier()], name="text"
    )


def _texts(rng: np.random.Generator, rows: int, _: int) -> list[np.ndarray]:
    words = (_example("text_classification").__doc__ or "").split()
    return [np.array([" ".join(rng.choice(words, 9)) for _ in range(rows)], object)]


def _tabular(module: Any) -> Any:
    return module.build_model(module.make_table(module.load_places(), 3)[0])


def _tabular_inputs(rng: np.random.Generator, rows: int, _: int) -> list[np.ndarray]:
    """By name: continent, day, latitude, longitude, month, year."""
    place = rng.choice(np.array(["Europe", "Asia", "nowhere"], object), (rows, 1))
    day, latitude, longitude = (
        rng.uniform(low, high, (rows, 1)) for low, high in ((1, 28), (-60, 70), (-180, 180))
    )
    month, year = rng.integers(1, 13, (rows, 1), "int32"), rng.integers(1970, 2026, (rows, 1))
    return [
        place, *(x.astype("float32") for x in (day, latitude, longitude)), month, year.astype("float32"),
    ]  # fmt: skip


def _transferred(module: Any) -> Any:
    digits = kcompile.models.load_model(ROOT / "examples/pretrained_digits.keras")
    return module.with_new_head(digits.get_layer("body"))


def _autoencoder(module: Any) -> Any:
    model = module.VariationalAutoencoder(module.build_encoder(), module.build_decoder())
    model(np.zeros((1, 28, 28, 1), "float32"))
    return model


def _forecast(module: Any) -> Any:
    return module.build_model(10, layers.Normalization(mean=[0.5] * 10, variance=[2.0] * 10))


# --- writing ------------------------------------------------------------------------------------------------

INTRODUCTION = """# Networks in ONNX

Written by `python docs/make_onnx_networks.py` (onnx {onnx}, onnxruntime {runtime}); do not edit. Each network
has random weights, biases and statistics. Its files pass ONNX's checker and strict shape inference, and run
in onnxruntime with batches of 1, 3 and 17 and, where a size is open, two extents. "Difference": from the
operations one by one in NumPy, the largest over the largest output (or 1). Networks of `keras.applications`
take images of 32 by 32 pixels here, or of as few as they can.

| network | weights | opsets | nodes | bytes | difference |
| --- | --- | --- | --- | --- | --- |
"""


def line_of(row: Row) -> str:
    """One line of the table."""
    opsets = ", ".join(map(str, row.opsets))
    return f"| {row.name} | {row.numbers:,} | {opsets} | {row.nodes} | {row.bytes:,} | {row.difference:.0e} |"


def render(known: dict[str, str]) -> str:
    """The table of these lines as Markdown, and which networks are not among them yet."""
    import onnx
    import onnxruntime

    head = INTRODUCTION.format(onnx=onnx.__version__, runtime=onnxruntime.__version__)
    names = [network.name for network in networks()]
    lines = "".join(f"{known[name]}\n" for name in names if name in known)
    rest = ", ".join(name for name in names if name not in known)
    return head + lines + (f"\nNot measured yet: {rest}.\n" if rest else "")


def main(given: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--resume", action="store_true", help="keep the rows that the table has")
    options = parser.parse_args(given)
    done = TABLE.read_text().splitlines() if options.resume and TABLE.exists() else []
    known = {line.split(" | ")[0].removeprefix("| "): line for line in done if line.startswith("| ")}
    for network in networks():
        if options.names and not any(word in network.name for word in options.names):
            continue
        if network.name not in known:
            try:
                known[network.name] = line_of(row_of(network))
            except apart.Crash as error:  # the rows before are written
                sys.exit(f"{network.name}: onnxruntime dies of it, by {error.cause}")
            print(known[network.name], flush=True)
            kcompile.utils.clear_session()
            gc.collect()
            if not options.names or options.resume:
                TABLE.write_text(render(known))


if __name__ == "__main__":
    main(sys.argv[1:])
