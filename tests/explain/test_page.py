"""The page of `explain(html=...)`: what it says, and that a browser shows it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest

import kcompile
from kcompile import layers
from kcompile.explain import measured_programs
from kcompile.explain.boxes import of_graph, of_kernels
from kcompile.explain.wording import Layers
from kcompile.training.likely_labels import labels_for
from tests.explain.browser import look


def network() -> kcompile.Model:
    """Two branches, a loop, a split sum, dropout: what pictures must cope with."""
    kcompile.utils.set_random_seed(3)
    x = kcompile.Input((6, 5), name="steps")
    h = layers.LSTM(4, name="memory")(x)
    flat = layers.Dense(4, activation="relu", name="wide")(layers.Flatten()(x))
    y = layers.Dense(3, activation="softmax", name="classes")(layers.Dropout(0.5)(layers.Add()([h, flat])))
    model = kcompile.Model(x, y, name="both <ways>")
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    model = network()
    before = [w.copy() for w in model.get_weights()]
    programs = model.explain(batch_size=3, html=path)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    return path, programs


def svgs(text: str) -> list[ET.Element]:
    return [ET.fromstring(one) for one in re.findall(r"<svg.*?</svg>", text, re.S)]


def numbers(root: ET.Element) -> set[int]:
    return {int(part.get("data-k")) for part in root.iter() if part.get("data-k")}


def test_the_page_stands_alone(page):
    text = page[0].read_text()
    assert "{{" not in text
    assert not re.findall(r"(?:src|href)=\"(?!#)|url\((?!#)|@import|https?://", text)
    assert "both &lt;ways&gt;" in text


class Open(HTMLParser):
    """Elements that are open; ends with none if all are closed in order."""

    VOID = ("meta", "br")

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_every_element_is_closed(page):
    assert Open(page[0].read_text()).open == []


def test_every_kernel_is_in_every_picture(page):
    path, programs = page
    pictures = svgs(path.read_text())
    assert len(pictures) == 4 * len(programs) == 8
    for (_, kernels), (traced, after, roof, _memory) in zip(
        programs.items(), (pictures[:4], pictures[4:]), strict=True
    ):
        every = set(range(len(kernels)))
        assert numbers(traced) == set()
        assert numbers(after) == every
        assert numbers(roof) == {k for k, one in enumerate(kernels) if one.flops}


def test_every_op_is_in_a_kernel_and_boxes_follow_each_other():
    model = network()
    for one in measured_programs(model, None, None, 2).values():
        computed = set().union(*one.parts)
        assert {n for n in one.optimized.nodes() if n.inputs} <= computed
        names = Layers(n.origin for n in one.traced.nodes() if n.inputs)
        for drawing in (of_graph(one.traced, names), of_kernels(one, names)):
            assert all(a < b for a, b in drawing.edges)
            fed = {b for _, b in drawing.edges}
            assert fed, "nothing is connected"


def test_ranges_of_the_arena_never_overlap():
    for one in measured_programs(network(), None, None, 2).values():
        assert one.arena
        for a in one.arena:
            assert 0 <= a.first <= a.last < len(one.kernels)
            for b in one.arena:
                together = a.first <= b.last and b.first <= a.last
                apart = a.offset + a.size <= b.offset or b.offset + b.size <= a.offset
                assert a is b or not together or apart


def test_planned_memory_stands_beside_the_measured_one(page, capsys):
    text = page[0].read_text()
    assert (
        len(
            re.findall(r"intermediate values; planned [^:]+: .*?; (?:measured [\d.]+ .?B|not measured)", text)
        )
        == 2
    )
    network().explain(batch_size=2)
    told = " ".join(capsys.readouterr().out.split())
    assert (
        len(re.findall(r"memory planned .*? for intermediate values.*?scratch.*?; (?:not )?measured", told))
        == 2
    )


def test_names_of_layers_and_their_hues():
    names = Layers(["m/a", "m/b/c gradient", "m"])
    assert names.shown("m/a,m/b/c pack") == "a, b/c pack"
    assert (names.of("m/b/c gradient"), names.of("m/a")) == ("b", "a")
    assert names.style("m/a") != names.style("m/b/d") == names.style("m/b")
    assert names.style("add") == "--h:0;--s:0%"
    assert Layers(["encoder/a", "decoder/a"]).shown("encoder/a") == "encoder/a"


def test_a_failed_page_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr("kcompile.explain.page.memory_picture", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        network().explain(batch_size=1, html=path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_model_that_runs_eagerly_is_refused():
    model = network()
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    with pytest.raises(ValueError, match="run_eagerly=True"):
        model.explain()


PROBE = """<script>
const row = document.querySelector("#train tr[data-k='2']");
row.dispatchEvent(new PointerEvent("pointerover", {bubbles: true}));
const shown = [...document.querySelectorAll("svg")].map((s) => s.getBoundingClientRect());
const box = [...document.querySelectorAll(".box text")].filter((t) => {
  const r = t.parentNode.querySelector("rect").getBBox(), b = t.getBBox();
  return b.x + b.width > r.x + r.width + 1 || b.y + b.height > r.y + r.height + 2;
});
document.title = JSON.stringify({
  lit: [...document.querySelectorAll(".lit")].map((e) => e.dataset.k),
  hidden: shown.filter((r) => r.width < 100 || r.height < 50).length,
  outside: box.length,
  wide: document.documentElement.scrollWidth > innerWidth,
});
</script></body>"""


@pytest.mark.slow
def test_a_browser_shows_it(page, tmp_path):
    """Its script marks a kernel in all pictures, texts fit their boxes, nothing runs out of the window."""

    probed = tmp_path / "probed.html"
    probed.write_text(page[0].read_text().replace("</body>", PROBE))
    done = look(probed, tmp_path / "profile", "--window-size=1400,1000", "--dump-dom")
    told = json.loads(re.search(r"<title>(.*?)</title>", done.stdout, re.S)[1])
    assert "CONSOLE" not in done.stderr, done.stderr
    assert set(told["lit"]) == {"2"} and len(told["lit"]) >= 2
    assert (told["hidden"], told["outside"], told["wide"]) == (0, 0, False)


@pytest.mark.slow
def test_a_browser_paints_it(page, tmp_path):
    Image = pytest.importorskip("PIL.Image")
    picture = tmp_path / "page.png"
    look(page[0], tmp_path / "profile", "--window-size=1400,1500", f"--screenshot={picture}")
    pixels = np.asarray(Image.open(picture).convert("RGB")).reshape(-1, 3)
    assert pixels.shape[0] == 1400 * 1500
    colours = np.unique(pixels // 16, axis=0)
    assert len(colours) > 50  # paper, ink, and a hue for each layer


def test_labels_of_a_model_without_a_loss():
    """Its own step has one, which nobody knows: numbers like the outputs."""
    model = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(2)])
    model.compile("sgd")
    assert labels_for(model, [np.zeros((4, 2), "float32")]).shape == (4, 2)
