"""Options of the export: folded batch norms, external data, signatures with named dimensions, notes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import kcompile
from kcompile import layers
from kcompile.core import tree
from kcompile.export import onnx as onnx_export
from kcompile.export.onnx.emit import UnsupportedOps


def run(path, *arrays):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {i.name: a for i, a in zip(session.get_inputs(), arrays, strict=True)})


def operators(path):
    return [node.op_type for node in onnx.load(path).graph.node]


def trained_looking(model):
    """Weights as after some training: no variance of 1, no mean of 0."""
    rng = np.random.default_rng(3)
    model.set_weights([rng.uniform(0.5, 1.5, w.shape).astype("float32") * 0.3 for w in model.weights])
    return model


NORM = layers.BatchNormalization
FOLDABLE = {
    "conv": lambda: [layers.Conv2D(4, 3), NORM()],
    "conv without bias": lambda: [layers.Conv2D(4, 3, strides=2, use_bias=False), NORM(scale=False)],
    "depthwise": lambda: [layers.DepthwiseConv2D(3, depth_multiplier=2), NORM(center=False)],
    "groups": lambda: [layers.Conv2D(6, 3, groups=3), NORM(epsilon=0.1)],
    "transpose": lambda: [layers.Conv2DTranspose(5, 3, strides=2), NORM()],
    "dense": lambda: [layers.Flatten(), layers.Dense(5), NORM()],
    "dense without bias": lambda: [layers.Flatten(), layers.Dense(5, use_bias=False), NORM(), layers.ReLU()],
    "two with shared constants": lambda: [
        layers.Conv2D(3, 1, use_bias=False), NORM(scale=False, center=False),
        layers.Conv2D(3, 1, use_bias=False), NORM(scale=False, center=False),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDABLE)
def test_batch_norms_fold(name, tmp_path):
    model = trained_looking(kcompile.Sequential([kcompile.Input((6, 6, 3)), *FOLDABLE[name]()]))
    model.export(tmp_path / "plain.onnx", verbose=False)
    model.export(tmp_path / "folded.onnx", verbose=False, fold_batch_norm=True)
    assert "BatchNormalization" in operators(tmp_path / "plain.onnx")
    assert "BatchNormalization" not in operators(tmp_path / "folded.onnx")
    assert onnx_export.check(model, tmp_path / "folded.onnx") < 1e-5


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize(
    ("shape", "before", "behind", "expected"),
    [
        ((6, 4), [], [], "MatMul Add"),
        ((6, 4), [], [layers.ReLU], "MatMul Add Relu"),
        ((3, 6, 4), [], [layers.ReLU], "MatMul Add Relu"),
        ((6, 4), [lambda: layers.GRU(4, return_sequences=True)], [lambda: layers.GRU(2)],
         "Transpose GRU Squeeze MatMul Add GRU Squeeze"),
    ],
)  # fmt: skip
def test_batch_norms_fold_into_products_of_any_rank(shape, before, behind, expected, use_bias, tmp_path):
    made = [*(make() for make in before), layers.Dense(5, use_bias=use_bias), NORM(), *(f() for f in behind)]
    model = trained_looking(kcompile.Sequential([kcompile.Input(shape), *made]))
    model.export(tmp_path / "m.onnx", verbose=False, fold_batch_norm=True)
    assert operators(tmp_path / "m.onnx") == expected.split()
    assert onnx_export.check(model, tmp_path / "m.onnx") < 1e-5


def test_batch_norms_that_must_stay(tmp_path):
    x = kcompile.Input((6, 6, 3))
    shared = layers.Conv2D(3, 1)(x)
    read_twice = kcompile.Model(x, layers.Concatenate()([shared, NORM()(shared)]))
    activation_between = kcompile.Sequential([x, layers.Conv2D(3, 1, activation="relu"), NORM()])
    over_steps = kcompile.Sequential([kcompile.Input((4, 4)), layers.Dense(4), NORM(axis=1)])
    for model in (read_twice, activation_between, over_steps):
        trained_looking(model).export(tmp_path / "m.onnx", verbose=False, fold_batch_norm=True)
        assert operators(tmp_path / "m.onnx").count("BatchNormalization") == 1
        assert onnx_export.check(model, tmp_path / "m.onnx") < 1e-5


def test_a_batch_norm_over_rows_of_a_product_stays(tmp_path):
    """What is added has more dimensions than the product, so rows are its second one."""
    x, added = np.random.default_rng(1).normal(size=(2, 4, 4)).astype("float32")
    rows = kcompile.Input(batch_shape=(4, 4))
    product = layers.Dense(4, use_bias=False)(rows)
    model = trained_looking(kcompile.Model(rows, NORM(axis=1)(product + added[:3, None])))
    model.export(tmp_path / "m.onnx", verbose=False, fold_batch_norm=True)
    found = onnxruntime.InferenceSession(tmp_path / "m.onnx").run(None, {model.inputs[0].name: x})
    np.testing.assert_allclose(found[0], model(x), atol=1e-5)


def test_bias_of_a_transposed_convolution_is_its_own(tmp_path):
    model = trained_looking(
        kcompile.Sequential([kcompile.Input((4, 4, 2)), layers.Conv2DTranspose(3, 2, strides=2)])
    )
    model.export(tmp_path / "m.onnx", verbose=False)
    assert operators(tmp_path / "m.onnx") == ["Transpose", "ConvTranspose", "Transpose"]
    assert onnx_export.check(model, tmp_path / "m.onnx") < 1e-5


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_external_data_of_other_floats(dtype, tmp_path):
    model = kcompile.Sequential([kcompile.Input((40,)), layers.Dense(40, dtype=dtype)])
    model.export(tmp_path / "m.onnx", verbose=False, external_data=True)
    (stored,) = (t for t in onnx.load(tmp_path / "m.onnx").graph.initializer if t.dims == [40, 40])
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(stored), model.get_weights()[0])
    assert onnx_export.check(model, tmp_path / "m.onnx") < 1e-2


def test_external_data(tmp_path):
    model = kcompile.Sequential([kcompile.Input((5, 3)), layers.Dense(40), layers.Flatten(), layers.Dense(2)])
    model.export(tmp_path / "m.onnx", verbose=False, external_data=True)
    assert (tmp_path / "m.onnx.data").stat().st_size > 4096
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    stored = onnx.load(tmp_path / "m.onnx", load_external_data=False).graph.initializer
    outside = {t.name.split("/")[-1] for t in stored if t.data_location == onnx.TensorProto.EXTERNAL}
    assert outside == {"kernel"}  # small constants stay, among them shapes that inference must read
    x = np.random.default_rng(0).normal(size=(3, 5, 3)).astype("float32")
    np.testing.assert_allclose(
        run(tmp_path / "m.onnx", x)[0], model.predict(x, verbose=0), rtol=1e-5, atol=1e-6
    )


def dims_of(path):
    return {
        i.name: [d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim]
        for i in onnx.load(path).graph.input
    }


def test_dimensions_have_readable_names(tmp_path):
    image = kcompile.Input((None, None, 3), name="image")
    words = kcompile.Input((None,), dtype="int32", name="words")
    a = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    b = layers.GlobalAveragePooling1D()(layers.Embedding(10, 4)(words))
    kcompile.Model(image, a).export(tmp_path / "one.onnx", verbose=False)
    assert dims_of(tmp_path / "one.onnx") == {"image": ["batch", "height", "width", 3]}
    kcompile.Model([image, words], a + b).export(tmp_path / "two.onnx", verbose=False)
    assert dims_of(tmp_path / "two.onnx") == {
        "image": ["batch", "image_height", "image_width", 3], "words": ["batch", "words_length"],
    }  # fmt: skip


def test_a_signature_may_name_dimensions(tmp_path):
    from kcompile.export.onnx.signature import Spec

    model = kcompile.Sequential([kcompile.Input((None, 3)), layers.Dense(2)])
    signature = [Spec(("rows", "time", 3), "float32", "signal")]
    model.export(tmp_path / "m.onnx", verbose=False, input_signature=signature)
    assert dims_of(tmp_path / "m.onnx") == {"signal": ["rows", "time", 3]}
    assert run(tmp_path / "m.onnx", np.zeros((2, 9, 3), "float32"))[0].shape == (2, 9, 2)


def test_notes_producer_and_names_of_nodes(tmp_path):
    model = kcompile.Sequential([kcompile.Input((5,), name="x"), layers.Dense(4, name="hidden")], name="net")
    model.export(tmp_path / "m.onnx", verbose=False)
    found = onnx.load(tmp_path / "m.onnx")
    assert (found.producer_name, found.producer_version) == ("kcompile", kcompile.__version__)
    assert found.model_version == 1
    assert "model 'net'" in found.doc_string
    assert found.graph.input[0].doc_string == "Input of model 'net': float32 (batch, 5)."
    assert found.graph.output[0].doc_string == "Output of model 'net': float32 (batch, 4)."
    assert any("hidden" in node.name for node in found.graph.node)


def test_a_failed_export_names_the_layers_and_leaves_the_old_file(tmp_path):
    model = kcompile.Sequential([kcompile.Input((5,)), layers.Dense(4, name="dense")])
    path = tmp_path / "m.onnx"
    model.export(path, verbose=False)
    before = path.read_bytes()

    class Drawing(layers.Layer):
        def call(self, x):
            return x + kcompile.random.uniform((5,), seed=kcompile.random.SeedGenerator(1))

    bad = kcompile.Sequential([kcompile.Input((5,)), Drawing(name="draws"), Drawing(name="again")])
    with pytest.raises(UnsupportedOps) as caught:
        bad.export(path, verbose=False)
    assert "draws" in str(caught.value)
    assert "again" in str(caught.value)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


class Own(kcompile.Model):
    """A model of one's own: `function(dense, *arguments of its call)`."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)
        self.table = layers.Embedding(5, 3)


class OfDict(Own):
    def call(self, x):
        return self.dense(x["query"]) + self.table(x["count"])


class Nested(Own):
    def call(self, x):
        return {"sum": self.dense(x["a"]["q"]) + self.dense(x["b"][0]), "first": x["b"][1]}


class OfTwo(Own):
    def call(self, left, right):
        return self.dense(left) - self.dense(right)


class OfList(Own):
    def call(self, x):
        return self.dense(x[0]) + self.dense(x[1])


X, LABELS = np.ones((2, 4), "float32"), np.array([1, 2], "int32")


@pytest.mark.parametrize(
    ("model", "given", "named", "results"),
    [
        (OfDict, [{"query": X, "count": LABELS}], {"count": "int32", "query": "float32"}, ["output_0"]),
        (Nested, [{"b": [X, X], "a": {"q": X}}], dict.fromkeys(("a_q", "b_0", "b_1"), "float32"),
         ["first", "sum"]),
        (OfTwo, [X, X * 2], {"left": "float32", "right": "float32"}, ["output_0"]),
        (OfList, [[X, X]], {"input_0": "float32", "input_1": "float32"}, ["output_0"]),
    ],
)  # fmt: skip
def test_inputs_of_models_of_ones_own_have_the_names_that_the_user_gave(
    model, given, named, results, tmp_path
):
    model = model()
    wanted = [np.asarray(leaf) for leaf in tree.flatten(model(*given))]
    model.export(tmp_path / "m.onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    kinds = {"tensor(float)": "float32", "tensor(int32)": "int32"}
    assert {one.name: kinds[one.type] for one in session.get_inputs()} == named
    assert [one.name for one in session.get_outputs()] == results
    found = session.run(None, dict(zip(named, tree.flatten(given), strict=True)))
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_training_step_names_the_entries_of_a_dict(tmp_path):
    model = OfDict()
    model.compile("sgd", "mse")
    model.fit({"query": X, "count": LABELS}, np.ones((2, 3)), verbose=0)
    model.export(tmp_path / "m.onnx", verbose=False, training=True)
    made = onnx.load(tmp_path / "m.onnx")
    assert [one.name for one in made.graph.input][:3] == ["count", "query", "y"]


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (lambda: layers.Conv2D(2, 3, strides=2, padding="same"), ["(height+1)//2", "(width+1)//2"]),
        (lambda: layers.Conv2D(2, 3), ["height-2", "width-2"]),
        (lambda: layers.UpSampling2D((2, 3)), ["2*height", "3*width"]),
        (lambda: layers.Reshape((-1, 3)), ["height*width"]),
    ],
)
def test_computed_dimensions_read_as_one_would_write_them(layer, named, tmp_path):
    model = kcompile.Sequential([kcompile.Input((None, None, 3)), layer()])
    model.export(tmp_path / "m.onnx", verbose=False)
    (output,) = onnx.load(tmp_path / "m.onnx").graph.output
    assert [d.dim_param for d in output.type.tensor_type.shape.dim][1:-1] == named
    assert all(name in output.doc_string for name in named)


@pytest.mark.parametrize(
    "more, opset",
    [
        ([], 18),
        ([layers.BatchNormalization(), layers.LayerNormalization()], 18),
        ([layers.Activation("gelu")], 20),  # one operator there, many before
        ([layers.MaxPooling2D()], 18),
    ],
)
def test_averages_of_windows_are_written_for_the_opset_in_which_they_are_quick(more, opset, tmp_path):
    path = tmp_path / "m.onnx"
    model = kcompile.Sequential(
        [kcompile.Input((8, 8, 3)), layers.AveragePooling2D(3, 1, padding="same"), *more]
    )
    model.export(path, format="onnx", verbose=False)
    assert onnx.load(path).opset_import[0].version == opset
    x = np.random.default_rng(0).normal(size=(3, 8, 8, 3)).astype("float32")
    np.testing.assert_allclose(run(path, x)[0], model(x), rtol=1e-5, atol=1e-5)
    model.export(path, format="onnx", opset_version=20, verbose=False)  # what is asked for is what is written
    assert onnx.load(path).opset_import[0].version == 20
