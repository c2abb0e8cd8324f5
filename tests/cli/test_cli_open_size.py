"""``--open-size``: what is no size of the model is a wrong call, in every command alike."""

import onnx
import pytest

import kcompile
from kcompile import layers
from tests.cli.cli_tools import call, json_of


def halved(x):
    """As large again as it was only where it is even."""
    return layers.Add()([x, layers.UpSampling2D()(layers.MaxPooling2D()(x))])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sizes")
    for name, function, shape in (
        ("halved", halved, (None, None, 3)),
        ("window", layers.Conv1D(2, 3), (None, 3)),
        ("closed", layers.Dense(2), (3,)),
    ):
        x = kcompile.Input(shape)
        model = kcompile.Model(x, function(x))
        model.save(folder / f"{name}.keras")
        model.export(folder / f"{name}.onnx", verbose=False)
    return folder


def commands(folder, name):
    """Every command that takes the option, of a model and its file."""
    saved, path = folder / f"{name}.keras", folder / f"{name}.onnx"
    yield from (("check", saved), ("check", path), ("check", saved, path), ("explain", "-b", 2, saved))
    yield ("bench", "-b", 2, "--seconds", 0, saved)
    yield ("export", saved, "-o", folder / "new.onnx", "--check")


def refused(command, *sizes):
    """The line that tells of a wrong call."""
    result = call(*command, *(word for size in sizes for word in ("--open-size", size)))
    assert result.exit_code == 2 and len(result.output.strip().splitlines()) == 1, result.output
    return result.output


@pytest.mark.parametrize(("name", "size"), [("halved", 5), ("window", "sequence=2")])
def test_a_size_that_running_shows_to_be_wrong(name, size, files):
    for command in commands(files, name):
        assert f"{size} is not taken" in refused(command, size)


@pytest.mark.parametrize(
    ("name", "sizes", "said"),
    [
        ("closed", (5,), "is left open"),
        ("window", ("sequence=5", 7), "is left open"),
        ("window", ("sequence=5", "sequence=7"), "a name has one size"),
        ("window", ("step=5",), "is named 'step'"),
    ],
)
def test_a_size_of_nothing(name, sizes, said, files):
    for command in commands(files, name):
        assert said in refused(command, *sizes)


def test_explain_takes_sizes_by_name(files):
    saved = files / "halved.keras"
    for sizes, each in ((("height=4", 6), 6), (("height=4", "width=8"), None)):
        options = [word for size in sizes for word in ("--open-size", size)]
        assert json_of("explain", "-b", 2, saved, *options)["open_size"] == each


def test_a_file_that_no_size_helps_is_at_fault(tmp_path):
    file = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 17]>
        never (float[batch,steps] x) => (float[batch,steps] y)
        <float[2] table = {1.0, 2.0}, int64[1] wrong = {7}>
        { z = Gather(table, wrong)  y = Add(x, z) }""")
    onnx.save(file, path := tmp_path / "never.onnx")
    for size in (3, "steps=3"):
        assert json_of("check", path, "--open-size", size, code=3)["problems"]
