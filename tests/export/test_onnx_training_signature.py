"""Labels and weights of open lengths and sizes, as a signature says them, in ONNX training steps."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import kcompile
from kcompile import layers, losses
from tests.cli.cli_tools import call
from tests.export.test_onnx_training import Runner

DENSE, SPARSE = losses.CategoricalCrossentropy, losses.SparseCategoricalCrossentropy
SIZES = [(2, 4, 6), (5, 8, 2)]  # of the batch and of open dimensions, of one step after the other


def spec(*shape, dtype="float32"):
    return kcompile.InputSpec(dtype, (None, *shape))


def numbers(*shape):
    return spec(*shape, dtype="int32")


def tagger(loss):
    kcompile.utils.set_random_seed(3)
    x = kcompile.Input((None, 3))
    model = kcompile.Model(x, layers.Dense(2)(layers.LSTM(4, return_sequences=True)(x)))
    model.compile("sgd", loss(from_logits=True))
    return model


def segmenter(loss):
    """It halves the image and doubles it again, so that open sizes must be even."""
    kcompile.utils.set_random_seed(3)
    x = kcompile.Input((None, None, 3))
    half = layers.Conv2D(4, 3, padding="same")(layers.MaxPooling2D(2)(x))
    joined = layers.Concatenate()([layers.UpSampling2D(2)(half), x])
    model = kcompile.Model(x, layers.Conv2D(2, 1)(joined))
    model.compile("sgd", loss(from_logits=True))
    return model


def batch_of(signature, sizes, rng):
    found = []
    for one in signature:
        extents = iter(sizes)
        shape = [next(extents) if d is None else d for d in one.shape]
        ints = one.dtype == "int32"
        found.append(rng.integers(0, 2, shape, "int32") if ints else rng.uniform(0.2, 1, shape).astype("f"))
    return found


def trains_as_the_model(path, model, signature):
    runner, rng = Runner(path), np.random.default_rng(2)
    for sizes in SIZES:
        arrays = batch_of(signature, sizes, rng)
        assert runner.step(*arrays)["loss"] == pytest.approx(model.train_on_batch(*arrays), rel=1e-5)


@pytest.mark.parametrize(
    ("make", "loss", "signature"),
    [
        (tagger, SPARSE, [spec(None, 3), numbers(None)]),
        (tagger, SPARSE, [spec(None, 3), numbers(None), spec(None)]),
        (tagger, DENSE, [spec(None, 3), spec(None, 2), spec(None)]),
        (segmenter, SPARSE, [spec(None, None, 3), numbers(None, None)]),
        (segmenter, SPARSE, [spec(None, None, 3), numbers(None, None), spec(None, None)]),
        (segmenter, DENSE, [spec(None, None, 3), spec(None, None, 2), spec(None, None)]),
    ],
)
def test_open_dimensions_of_labels_and_weights_are_the_outputs(make, loss, signature, tmp_path):
    model = make(loss)
    model.export(tmp_path / "m.onnx", training=True, input_signature=signature, verbose=False)
    trains_as_the_model(tmp_path / "m.onnx", model, signature)


@pytest.mark.parametrize("form", [list, dict])
def test_labels_and_weights_go_with_their_outputs(form, tmp_path):
    """By position or by name, with the input's length in one output only."""
    kcompile.utils.set_random_seed(3)
    x = kcompile.Input((None, 3))
    steps = layers.LSTM(4, return_sequences=True)(x)
    ends = [layers.Dense(2, name="tags")(steps), layers.Dense(1, name="size")(layers.LSTM(2)(steps))]
    model = kcompile.Model(x, ends)
    model.compile("sgd", [SPARSE(from_logits=True), "mse"])
    signature = [spec(None, 3), [numbers(None), spec(1)], [spec(None), spec()]]
    names = ["tags", "size"]

    def formed(pair):
        return list(pair) if form is list else dict(zip(names, pair, strict=True))

    wanted = [signature[0], *map(formed, signature[1:])]
    model.export(tmp_path / "m.onnx", training=True, input_signature=wanted, verbose=False)
    runner, rng = Runner(tmp_path / "m.onnx"), np.random.default_rng(2)
    for sizes in SIZES:
        x, *y, a, b = batch_of([signature[0], *signature[1], *signature[2]], sizes, rng)
        order = (x, *y, a, b) if form is list else (x, *y[::-1], b, a)  # dicts are flattened by their keys
        expected = model.train_on_batch(x, formed(y), sample_weight=formed((a, b)), return_dict=True)
        assert runner.step(*order)["loss"] == pytest.approx(expected["loss"], rel=1e-5)


def exported(folder, given):
    options = [word for one in given for word in ("--input-signature", one)]
    return call("export", folder / "m.keras", "-o", folder / "m.onnx", "--training", *options)


@pytest.mark.parametrize("more", [[], ["float32[?,?]"]])
def test_command_line_takes_labels_and_weights(more, tmp_path):
    model = tagger(SPARSE)
    model.save(tmp_path / "m.keras")
    given = ["float32[?,?,3]", "int32[?,?]", *more]
    result = exported(tmp_path, given)
    assert result.exit_code == 0, result.output
    assert Runner(tmp_path / "m.onnx").inputs[1:] == ["y", "sample_weight"][: len(given) - 1]
    signature = [spec(None, 3), numbers(None), spec(None)][: len(given)]
    trains_as_the_model(tmp_path / "m.onnx", model, signature)


def test_command_line_says_how_many_can_follow(tmp_path):
    tagger(SPARSE).save(tmp_path / "m.keras")
    given = ["float32[?,?,3]", "int32[?,?]", "float32[?,?]", "float32[?,?]"]
    result = exported(tmp_path, given)
    assert result.exit_code == 2 and "with 1 output 2 can: labels and weights" in result.output


def refusal(signature, tmp_path, loss=SPARSE):
    with pytest.raises(ValueError) as caught:
        tagger(loss).export(
            tmp_path / "m.onnx", training=True, input_signature=[spec(None, 3), *signature], verbose=False
        )
    return str(caught.value)


def test_what_is_refused_says_why(tmp_path):
    said = refusal([numbers(None), spec(4)], tmp_path)  # the labels are right
    assert "the loss's values and sample_weight" in said and "class numbers" not in said
    assert "hint" not in refusal([numbers(7)], tmp_path)  # class numbers, of another length
    assert "for class numbers use" in refusal([numbers(None)], tmp_path, DENSE)
    assert "give one label array in `y`" in refusal([[numbers(None), numbers(None)]], tmp_path)


@pytest.mark.parametrize("given", [False, True])
def test_labels_of_a_dict_have_its_keys(given, tmp_path):
    """In their names, too; class numbers are found by trying, where no loss says so."""
    x = kcompile.Input((4,), name="x")
    model = kcompile.Model(x, {"top": layers.Dense(3, "softmax")(x), "below": layers.Dense(1)(x)})
    model.compile("sgd", {"top": CrossEntropyOfNumbers(), "below": "mse"})
    weights = {"top": spec(), "below": spec()}
    signature = [spec(4), {"top": numbers(), "below": spec(1)}, weights] if given else None
    model.export(path := tmp_path / "step.onnx", training=True, input_signature=signature, verbose=False)
    behind = ["sample_weight_below", "sample_weight_top"] if given else []
    names = [one.name for one in onnx.load(path).graph.input][1 : 3 + len(behind)]
    assert names == ["y_below", "y_top", *behind]


class CrossEntropyOfNumbers(kcompile.losses.SparseCategoricalCrossentropy):
    """Named after nothing that tells what its labels are."""

    def __init__(self):
        super().__init__(name="loss_of_top")

    def call(self, y_true, y_pred):
        if y_true.shape != y_pred.shape[:-1]:
            raise ValueError("Class numbers, please.")
        return super().call(y_true, y_pred)
