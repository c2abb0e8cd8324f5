"""Pictures of models: the boxes and edges, their places, the files, and the errors."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

import kcompile
from kcompile import layers, utils
from kcompile.core.graph_layout import place
from kcompile.utils.model_boxes import Shown, boxes_of, lines_of

SVG = "{http://www.w3.org/2000/svg}"


def branching(name="net"):
    """A skip, a nested model, a layer called twice in a row, and an input that joins late."""
    image, extra = kcompile.Input((4,), name="image"), kcompile.Input((3,), name="extra")
    a = layers.Dense(4, activation="relu", name="first")(image)
    b = layers.Add(name="sum")([image, a])
    inner = kcompile.Sequential(
        [kcompile.Input((4,)), layers.Dense(4, name="deep"), layers.ReLU()], name="inner"
    )
    shared = layers.Dense(4, name="shared")
    c = shared(shared(inner(b)))
    return kcompile.Model([image, extra], layers.Concatenate(name="join")([c, extra, a]), name=name)


def edges_of(boxes):
    heads = [lines[0].split(" ")[0] for lines in boxes.texts]
    return {(heads[a], heads[b]) for a, b in boxes.edges}


def test_boxes_and_edges():
    boxes = boxes_of(branching())
    assert edges_of(boxes) == {
        ("image", "first"), ("image", "sum"), ("first", "sum"), ("sum", "inner"), ("inner", "shared"),
        ("shared", "shared"), ("shared", "join"), ("extra", "join"), ("first", "join"),
    }  # fmt: skip
    assert boxes.kinds.count("input") == 2


def test_nested_models_opened():
    boxes = boxes_of(branching(), expand_nested=True)
    found = edges_of(boxes)
    assert any(a == "sum" and b.startswith("inner/input") for a, b in found)
    assert any(a.startswith("inner/re_lu") and b == "shared" for a, b in found)
    assert not any("inner" in pair for pair in found)
    assert [len(members) for members in boxes.groups.values()] == [3]


def test_text_of_a_box():
    layer = branching().get_layer("first")
    shown = Shown(names=True, shapes=True, dtypes=True, activations=True, trainable=True)
    layer.trainable = False
    assert lines_of(layer, shown) == [
        "first (Dense)", "activation: relu", "in: (None, 4)", "out: (None, 4)", "dtype: float32", "frozen",
    ]  # fmt: skip
    assert lines_of(layer, Shown(names=False)) == ["Dense"]


def test_rows_go_down_and_boxes_do_not_overlap():
    sizes = [(60.0 + 10 * k, 20.0) for k in range(9)]
    edges = [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 5), (0, 5), (4, 6), (5, 6), (0, 6), (7, 8), (8, 6)]
    placed = place(sizes, edges)
    for a, b in edges:
        assert placed.centers[b][1] >= placed.centers[a][1] + 20
    for a in range(9):
        x, y = placed.centers[a]
        assert sizes[a][0] / 2 <= x + 1e-9
        assert x + sizes[a][0] / 2 <= placed.width + 1e-9
        assert 0 <= y <= placed.height
        for b in range(a):
            apart = abs(x - placed.centers[b][0]) - (sizes[a][0] + sizes[b][0]) / 2
            assert apart >= 0 or abs(y - placed.centers[b][1]) >= 20, (a, b)
    passing = placed.edges[edges.index((0, 6))]  # past the rows between, around their boxes
    assert len(passing) == 4
    for x, y in passing[1:-1]:
        for (cx, cy), (width, _) in zip(placed.centers, sizes, strict=True):
            assert abs(y - cy) > 10 or abs(x - cx) > width / 2


def test_two_branches_do_not_cross():
    edges = [(0, 1), (0, 2), (1, 4), (2, 3)]  # as numbered, 1 -> 4 and 2 -> 3 would cross
    x = [center[0] for center in place([(30.0, 10.0)] * 5, edges).centers]
    assert (x[1] < x[2]) == (x[4] < x[3])


def test_cycles_and_nothing_at_all():
    placed = place([(10.0, 10.0)] * 3, [(0, 1), (1, 2), (2, 0), (1, 1)])
    assert [y for _, y in placed.centers] == sorted(y for _, y in placed.centers)
    assert placed.edges[2][0][1] > placed.edges[2][-1][1]  # the closing edge runs up
    assert place([], []).width == 0


@pytest.mark.parametrize("rankdir", ["TB", "BT", "LR", "RL"])
def test_svg(rankdir, tmp_path):
    path = tmp_path / "m.svg"
    utils.plot_model(branching("a<&>b"), path, show_layer_names=True, rankdir=rankdir, show_shapes=True)
    root = ElementTree.parse(path).getroot()
    assert root.find(f"{SVG}title").text == "a<&>b"
    heads = {e.text: (float(e.get("x")), float(e.get("y"))) for e in root.iter(f"{SVG}text")}
    assert {"image (InputLayer)", "join (Concatenate)"} <= heads.keys()
    first, last = heads["image (InputLayer)"], heads["join (Concatenate)"]
    axis, sign = {"TB": (1, 1), "BT": (1, -1), "LR": (0, 1), "RL": (0, -1)}[rankdir]
    assert sign * (last[axis] - first[axis]) > 100
    width, height = (float(v) for v in root.get("viewBox").split()[2:])
    for box in root.iter(f"{SVG}rect"):
        x, y = float(box.get("x", 0)), float(box.get("y", 0))
        assert x >= 0 and x + float(box.get("width")) <= width + 0.2
        assert y >= 0 and y + float(box.get("height")) <= height + 0.2
    assert len(root.findall(f"{SVG}path")) == 8  # a layer that feeds itself has no edge drawn


def test_dot(tmp_path):
    dot = utils.model_to_dot(branching(), rankdir="LR", expand_nested=True)
    text = dot.to_string()
    assert text.startswith('digraph "net" {\n  rankdir="LR";')
    assert text.count("->") == 11
    assert 'label="inner"' in text
    assert utils.model_to_dot(branching(), subgraph=True).to_string().startswith('subgraph "cluster_net" {')
    dot.write(tmp_path / "m.dot")
    assert (tmp_path / "m.dot").read_text() == text


def test_subclassed_model_is_one_box():
    class Own(kcompile.Model):
        def call(self, x):
            return x * 2

    model = Own(name="own")
    with pytest.raises(ValueError, match="not yet been built"):
        utils.model_to_dot(model)
    model.build((None, 3))
    assert boxes_of(model).texts == [["own (Own)"]]


def test_errors(tmp_path, monkeypatch):
    model = branching()
    with pytest.raises(ValueError, match="rankdir"):
        utils.plot_model(model, tmp_path / "m.svg", rankdir="UP")
    with pytest.raises(ValueError, match="Unrecognized keyword"):
        utils.plot_model(model, tmp_path / "m.svg", wings=2)
    with pytest.raises(ValueError, match="layer_range"):
        utils.model_to_dot(model, layer_range=["a", "b"])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImportError, match=r"a \.svg file"):
        utils.plot_model(model, tmp_path / "m.png")
    assert list(tmp_path.iterdir()) == []
