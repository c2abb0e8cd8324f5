"""Mistakes are met before anything is compiled, with Keras's type of error, the argument's name and a way
out."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile.training import programs
from tests.training.models import classifier, data, linear

x, y = data()


@pytest.fixture(autouse=True)
def nothing_is_compiled(monkeypatch):
    def fail(self):
        raise AssertionError("a program was compiled before the mistake was seen")

    monkeypatch.setattr(programs.StepProgram, "run", property(fail))


def generator(*batches):
    yield from batches


FIT_ERRORS = {
    "empty": ((x[:0], y[:0]), {}, ValueError, "holds no samples"),
    "lengths": ((x, y[:5]), {}, ValueError, r"cardinality is ambiguous(?s:.)*'x' sizes: 20\n  'y' sizes: 5"),
    "weights' length": ((x, y), {"sample_weight": np.ones(9)}, ValueError, "'sample_weight' sizes: 9"),
    "batch_size 0": ((x, y), {"batch_size": 0}, ValueError, "`batch_size` must be at least 1.*batch_size=0"),
    "batch_size negative": ((x, y), {"batch_size": -3}, ValueError, "`batch_size` must be at least 1"),
    "batch_size float": ((x, y), {"batch_size": 2.5}, TypeError, "`batch_size` must be an integer.*2.5"),
    "Python numbers": (([1, 2, 3], [1, 2, 3]), {}, ValueError, "Unrecognized data type: x=.*NumPy arrays"),
    "list of labels": ((x, [1.0] * 20), {}, ValueError, "Unrecognized data type"),
    "strings": ((np.array(["a", "b"]), y[:2]), {}, ValueError, "Invalid dtype of `x`"),
    "objects": ((x[:2], np.array([{}, {}])), {}, ValueError, "Invalid dtype of `y`: object"),
    "0-d": ((np.array(1.0), np.array(1.0)), {}, ValueError, "`x` must have a first dimension"),
    "no labels": ((x,), {}, ValueError, "compiled with a loss, but no labels `y`"),
    "nothing": ((), {}, ValueError, "No data"),
    "features": ((x[:, :2], y), {}, ValueError, r"expected axis -1 of input shape to have value 4"),
    "labels' rank": (
        (x, np.zeros((20, 2, 3))),
        {},
        ValueError,
        r"loss 'mse'.*\(None, 2, 3\), y_pred \(None, 1\)",
    ),
    "weights' rank": ((x, y), {"sample_weight": np.ones((20, 2))}, ValueError, "sample_weight"),
    "split 1": ((x, y), {"validation_split": 1.0}, ValueError, "not sufficient to split"),
    "split 1.5": (
        (x, y),
        {"validation_split": 1.5},
        ValueError,
        "`validation_split` must lie between 0 and 1",
    ),
    "split negative": ((x, y), {"validation_split": -0.5}, ValueError, "`validation_split` must lie.*=-0.5"),
    "split text": ((x, y), {"validation_split": "0.1"}, TypeError, "`validation_split` must be a number"),
    "batch_size text": ((x, y), {"batch_size": "32"}, TypeError, "`batch_size` must be an integer.*'32'"),
    "steps -1": ((x, y), {"steps_per_epoch": -1}, ValueError, "`steps_per_epoch` must be at least 1.*=-1"),
    "steps 0": ((x, y), {"steps_per_epoch": 0}, ValueError, "`steps_per_epoch` must be at least 1.*=0"),
    "steps float": ((x, y), {"steps_per_epoch": 2.0}, TypeError, "`steps_per_epoch` must be an integer"),
    "steps text": ((x, y), {"steps_per_epoch": "2"}, TypeError, "`steps_per_epoch` must be an integer"),
    "steps array": ((x, y), {"steps_per_epoch": np.array([2])}, TypeError, "`steps_per_epoch` must be an"),
    "steps of a generator": ((generator((x, y)),), {"steps_per_epoch": -1}, ValueError, "`steps_per_epoch`"),
    "validation_steps": (
        (x, y),
        {"validation_data": (x, y), "validation_steps": -1},
        ValueError,
        "`validation_steps`.*=-1",
    ),
    "validation_steps float": ((x, y), {"validation_steps": 1.5}, TypeError, "`validation_steps` must be an"),
    "validation_batch_size": (
        (x, y),
        {"validation_data": (x, y), "validation_batch_size": -1},
        ValueError,
        "`validation_batch_size`.*=-1",
    ),
    "epochs float": ((x, y), {"epochs": 2.0}, TypeError, "`epochs` must be an integer.*2.0"),
    "epochs None": ((x, y), {"epochs": None}, TypeError, "`epochs` must be an integer.*None"),
    "initial_epoch": ((x, y), {"initial_epoch": "1"}, TypeError, "`initial_epoch` must be an integer.*'1'"),
    "frequency 0": ((x, y), {"validation_freq": 0}, ZeroDivisionError, "`validation_freq` must not be 0"),
    "split of a generator": (
        (generator((x, y)),),
        {"validation_split": 0.1},
        ValueError,
        "only supported for tensors",
    ),
    "both weights": (
        (x, y),
        {"class_weight": {0: 1}, "sample_weight": np.ones(20)},
        ValueError,
        "at the same time",
    ),
    "frequency": (
        (x, y),
        {"validation_data": (x, y), "validation_freq": "a"},
        ValueError,
        "`validation_freq`",
    ),
    "four parts": ((x, y), {"validation_data": (x, y, y, y)}, ValueError, "in format `x`, .*4 elements"),
    "validation lengths": ((x, y), {"validation_data": (x, y[:3])}, ValueError, "cardinality is ambiguous"),
    "generator and y": (
        (generator((x, y)), y),
        {},
        ValueError,
        "`y` should not be passed.*part of the generator",
    ),
    "generator of lists": ((generator([x, y]),), {}, ValueError, "must yield tuples"),
    "empty generator": ((generator(),), {}, ValueError, "at least one batch"),
    "generator, class_weight": (
        (generator((x, y)),),
        {"class_weight": {0: 1}},
        ValueError,
        "`class_weight` is not",
    ),
}


@pytest.mark.parametrize("name", FIT_ERRORS)
def test_fit(name):
    args, kwargs, error, text = FIT_ERRORS[name]
    with pytest.raises(error, match=f"(?s){text}"):
        linear().fit(*args, verbose=0, **kwargs)


@pytest.mark.parametrize(
    "steps, error", [(-1, ValueError), (2.5, TypeError), ("2", TypeError), ([2], TypeError)]
)
def test_steps_of_evaluate_and_predict(steps, error):
    for call in (linear().evaluate, linear().predict):
        for given in (x, generator((x, y))):
            labels = {"y": y} if given is x and call.__name__ == "evaluate" else {}
            with pytest.raises(error, match=rf"`steps` must be .*steps={steps!r}".replace("[", r"\[")):
                call(given, steps=steps, **labels)


def two_ends(structure=list):
    """A model of two inputs and two outputs, as lists or as dicts."""
    a, b = keras.Input((4,), name="a"), keras.Input((2,), name="b")
    c, d = keras.layers.Dense(1, name="c")(a), keras.layers.Dense(3, name="d")(b)
    lists = structure is list
    model = keras.Model([a, b] if lists else {"a": a, "b": b}, [c, d] if lists else {"c": c, "d": d})
    model.compile("sgd", "mse")
    return model


def one_end(kind):
    made = [keras.Input((4,), name="a"), keras.layers.Dense(1, name="c")]
    model = keras.Sequential(made) if kind == "sequential" else keras.Model(made[0], made[1](made[0]))
    model.compile("sgd", "mse")
    return model


def calls_on(model, x, y):
    """The methods that take inputs, each as a function without arguments."""
    return [
        lambda: model.fit(x, y, verbose=0),
        lambda: model.fit(generator((x, y), (x, y)), verbose=0),
        lambda: model.evaluate(x, y, verbose=0),
        lambda: model.predict(x, verbose=0),
        lambda: model.train_on_batch(x, y),
        lambda: model.test_on_batch(x, y),
        lambda: model.predict_on_batch(x),
    ]


@pytest.mark.parametrize("kind", ["functional", "sequential"])
@pytest.mark.parametrize(
    "inputs, text",
    [
        (
            [x, x],
            r"expects 1 input\(s\).* received 2|structure of the inputs.*received.*hint  *give 'a' alone",
        ),
        (
            (x, x, x),
            r"expects 1 input\(s\).* received 3|structure of the inputs.*received.*hint  *give 'a' alone",
        ),
        ({"z": x}, r"Missing data for input \"a\".*keys \['z'\].*\['a'\]"),
        ([], "expects 1 input|No data|structure of the inputs"),
        ({}, "Missing data|No data"),
    ],
)
def test_inputs_of_another_number_or_name(kind, inputs, text):
    for call in calls_on(one_end(kind), inputs, y):
        with pytest.raises(ValueError, match=f"(?s){text}"):
            call()


@pytest.mark.parametrize(
    "structure, inputs, text",
    [
        (list, x, r"expects 2 input\(s\)"),
        (list, [x], r"expects 2 input\(s\)"),
        (list, [x, x[:, :2], x], r"expects 2 input\(s\)"),
        (list, {"a": x, "e": x}, 'Missing data for input "b"'),
        (dict, {"a": x}, 'Missing data for input "b"'),
        (dict, {"a": x, "e": x}, 'Missing data for input "b"'),
    ],
)
def test_inputs_for_two(structure, inputs, text):
    labels = [y, np.ones((20, 3))] if structure is list else {"c": y, "d": np.ones((20, 3))}
    for call in calls_on(two_ends(structure), inputs, labels):
        with pytest.raises(ValueError, match=f"(?s){text}"):
            call()


@pytest.mark.parametrize(
    "labels, error, text",
    [
        (y, KeyError, "different structures.*hint  *give 2 label arrays"),
        ([y], KeyError, "different structures.*hint  *give 2 label arrays"),
        ([y, y, y], ValueError, "different structures"),
        ([[y], [y]], ValueError, "different structures"),
        ({"c": y}, KeyError, "different structures"),
        ({"c": y, "cc": y}, ValueError, "Unknown output in labels `y`: 'cc'.*did you mean 'c'"),
        (None, KeyError, "no labels `y`"),
    ],
)
@pytest.mark.parametrize("structure", [list, dict])
def test_labels_for_two(structure, labels, error, text):
    """Keras raises a KeyError where it looks for labels; it is a ValueError, too, and reads like one."""
    model = two_ends(structure)
    inputs = [x, x[:, :2]] if structure is list else {"a": x, "b": x[:, :2]}
    for call in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(error, match=f"(?s){text}") as caught:
            call(inputs, labels)
        assert isinstance(caught.value, ValueError) and "\\n" not in str(caught.value)


def test_weights_by_name_need_labels_by_name():
    with pytest.raises(ValueError, match="`sample_weight` is a dict, but the labels"):
        one_end("functional").fit(x, y, sample_weight={"c": np.ones(20)}, verbose=0)


@pytest.mark.parametrize(
    "labels, text",
    [
        (np.arange(20) % 4, "from 0 to 2.*from 0 to 3"),
        (np.arange(20) % 3 - 1, "from -1 to 1"),
        ((np.arange(20) % 4).astype("uint8"), "from 0 to 3"),
        ((np.arange(20) % 4).astype("float32"), "from 0.0 to 3.0"),
        ((np.arange(20) % 3)[:, None] + 1, "from 1 to 3"),
    ],
)
def test_labels_outside_of_the_classes(labels, text):
    model = classifier(3)
    for call in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=f"(?s)class numbers.*{text}"):
            call(x, labels, verbose=0)
    for call in (model.train_on_batch, model.test_on_batch):
        with pytest.raises(ValueError, match=f"(?s){text}"):
            call(x, labels)
    with pytest.raises(ValueError, match=f"(?s){text}"):
        model.fit(generator((x, labels)), verbose=0)


def test_labels_of_an_ignored_class_are_not_checked():
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    with pytest.raises(AssertionError, match="compiled"):
        classifier(3, loss=loss).train_on_batch(x, np.arange(20) % 4 - 1)


def test_labels_of_the_second_output_are_named():
    inputs = keras.Input((4,))
    a, b = keras.layers.Dense(1)(inputs), keras.layers.Dense(3, activation="softmax")(inputs)
    model = keras.Model(inputs, [a, b])
    model.compile("sgd", ["mse", "sparse_categorical_crossentropy"])
    with pytest.raises(ValueError, match="label array 1 of `y`"):
        model.fit(x, [y, np.full(20, 3)], verbose=0)


def test_one_hot_mistakes_get_a_hint():
    labels = np.arange(20) % 3
    with pytest.raises(ValueError, match="sparse_categorical_crossentropy"):
        classifier(3, loss="categorical_crossentropy").fit(x, labels, verbose=0)
    with pytest.raises(ValueError, match="loss='categorical_crossentropy'"):
        classifier(3).fit(x, np.eye(3)[labels], verbose=0)


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_a_model_that_was_not_compiled(method):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match=r"You must call `compile\(\)` before using the model"):
        getattr(model, method)(x, y)


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"optimizer": "adma"}, "optimizer: 'adma'.*'adam'"),
        ({"optimizer": 3}, "Could not interpret optimizer identifier: 3"),
        ({"loss": "msee"}, "loss identifier: msee.*'mse'"),
        ({"loss": 3}, "loss identifier: 3"),
        ({"loss": {"a": "msee"}}, "loss identifier: msee"),
        ({"metrics": ["acuracy"]}, "metric identifier: acuracy.*'accuracy'"),
        ({"metrics": [3]}, "metric identifier: 3"),
        ({"metrics": "mae"}, "`metrics` argument to be a list, tuple, or dict"),
        ({"weighted_metrics": "mae"}, "`weighted_metrics` argument"),
        ({"loss_weights": "a"}, "`loss_weights` argument"),
    ],
)
def test_compile(settings, text):
    with pytest.raises(ValueError, match=f"(?s){text}"):
        linear(**settings)


def test_no_loss():
    model = linear(loss=None)
    with pytest.raises(ValueError, match="No loss to compute"):
        model.fit(x, y, verbose=0)


def test_no_optimizer():
    with pytest.raises(ValueError, match="needs an optimizer"):
        linear(optimizer=None).fit(x, y, verbose=0)


def heads(**settings):
    inputs = keras.Input((4,))
    model = keras.Model(
        inputs, [keras.layers.Dense(1, name="a")(inputs), keras.layers.Dense(1, name="b")(inputs)]
    )
    model.compile(optimizer="sgd", **settings)
    return model


@pytest.mark.parametrize(
    "settings, labels, text",
    [
        ({"loss": {"a": "mse", "c": "mse"}}, [y, y], "the dict of losses must have an entry for each output"),
        ({"loss": ["mse", "mse", "mse"]}, [y, y], r"path: \(2,\) in the `loss` argument"),
        (
            {"loss": "mse", "loss_weights": [1.0, 1.0]},
            [y, y],
            "must match the number of losses, got 1 losses and 2",
        ),
        ({"loss": "mse"}, [y], "y_true and y_pred have different structures"),
        ({"loss": "mse"}, {"a": y, "c": y}, "output in labels `y`: 'c'"),
        ({"loss": "mse", "metrics": {"c": ["mae"]}}, [y, y], "output in `metrics`: 'c'"),
        ({"loss": "mse", "metrics": ["mae"]}, [y, y], "`metrics` must have one entry per output"),
    ],
)
def test_several_outputs(settings, labels, text):
    with pytest.raises(ValueError, match=f"(?s){text}"):
        heads(**settings).fit(x, labels, verbose=0)


def test_a_dict_of_losses_names_every_output():
    with pytest.raises(ValueError, match=r"(?s)keys \['a', 'b'\] in the loss dict.*add 'b': None"):
        heads(loss={"a": "mse"}).fit(x, [y, y], verbose=0)


def test_weights_of_another_structure():
    with pytest.raises(ValueError, match="one `sample_weight` array per output"):
        heads(loss="mse").fit(x, [y, y], sample_weight=[np.ones(20)] * 3, verbose=0)
    labels = {"a": y, "b": y}
    with pytest.raises(ValueError, match=r"- y: \{'a': '\*', 'b': '\*'\}\n- sample_weight: \{'a': '\*'\}"):
        heads(loss="mse").fit(x, labels, sample_weight={"a": np.ones(20)}, verbose=0)
    with pytest.raises(ValueError, match="one scalar score per sample"):
        heads(loss="mse").fit(x, [y, y], sample_weight=np.ones((20, 2)), verbose=0)


def test_unknown_arguments_of_evaluate():
    with pytest.raises(ValueError, match="Arguments not recognized: {'foo': 1}"):
        linear().evaluate(x, y, foo=1)


def test_predict_of_nothing():
    with pytest.raises(ValueError, match="holds no samples"):
        linear().predict(x[:0], verbose=0)
    with pytest.raises(ValueError, match="no batch to predict"):
        linear().predict(generator(), verbose=0)


@pytest.mark.parametrize("method", ["train_on_batch", "test_on_batch"])
def test_batches_of_different_lengths(method):
    with pytest.raises(ValueError, match=r"(?s)cardinality is ambiguous.*'x' sizes: 20.*'y' sizes: 5"):
        getattr(linear(), method)(x[:20], y[:5])
    with pytest.raises(ValueError, match="'sample_weight' sizes: 3"):
        getattr(linear(), method)(x[:20], y[:20], np.ones(3))
    with pytest.raises(ValueError, match="holds no samples"):
        getattr(linear(), method)(x[:0], y[:0])


@pytest.mark.parametrize(
    "arguments, text",
    [
        ({"class_weight": [1, 2, 3]}, "`class_weight` must be a dict"),
        ({"callbacks": ["es"]}, "`callbacks` must be Callback objects.*'es'"),
    ],
)
def test_arguments_of_fit(arguments, text):
    with pytest.raises(ValueError, match=text):
        linear().fit(x, y, verbose=0, **arguments)
