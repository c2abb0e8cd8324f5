"""The comparison of exporters: what is counted, how cases are ranked, and a run of our own exporter."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import helper

from benchmarks.__main__ import main, parse
from benchmarks.contenders import OURS
from benchmarks.exports import cases, compare, files, report, run
from benchmarks.exports.compare import Comparison, File
from benchmarks.exports.exporters import EXPORTERS


def test_every_case_has_a_name_and_builds_the_same_twice():
    import kcompile

    assert len(set(cases.NAMES)) == len(cases.NAMES) > 300
    first, second = (cases.build(kcompile, "model digits") for _ in range(2))
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_nodes_of_bodies_count_and_constants_do_not(tmp_path):
    def info(name):
        return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2])

    body = helper.make_graph([helper.make_node("Neg", ["s"], ["t"])], "body", [info("s")], [info("t")])
    nodes = [
        helper.make_node("Constant", [], ["c"], value=onnx.numpy_helper.from_array(np.zeros(2, "float32"))),
        helper.make_node("Scan", ["c"], ["y"], body=body, num_scan_inputs=1),
    ]
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [], [info("y")])), path)
    assert files.nodes(path) == 2
    assert files.size(path) == path.stat().st_size
    path.with_name("m.onnx.data").write_bytes(b"12345")
    assert files.size(path) == path.stat().st_size + 5


def compared(case, ours, **theirs):
    made = Comparison(case, {"kcompile": ours, **theirs})
    return made


def test_ratios_and_goals(capsys):
    rows = [
        compared("good", File(nodes=2, microseconds=1.0), a=File(nodes=4, microseconds=2.0), b=File("no")),
        compared("large", File(nodes=6, microseconds=5.0), a=File(nodes=4, microseconds=2.0), b=File("no")),
        compared("lost", File("no operator"), a=File("no"), b=File(nodes=3, microseconds=1.0)),
        compared("alone", File(nodes=3), a=File("no"), b=File("no")),
    ]
    assert [one.lacks for one in rows] == [False, False, True, False]
    wrong = compared("wrong", File(nodes=9, microseconds=1.0), a=File(nodes=1, difference=0.5))
    assert wrong.ratio("nodes") == 0  # a file that computes something else is no measure
    assert [one.ratio("nodes") for one in rows] == [0.5, 1.5, 0.0, 0.0]
    lines = report.summary(rows)
    assert "kcompile: 3 of 4 files run" in lines
    assert "written by another and not by us: 1 (lost)" in lines
    assert "larger than another's: 1 (large)" in lines
    assert "over 1.05 times as slow as another's, in a second run too: 1 (large)" in lines
    assert any("cases up to: 0% 0.50" in line and line.endswith("100% 2.50") for line in lines)
    report.print_report(rows, console_of_lines())
    shown = capsys.readouterr().out
    assert shown.index("lost") < shown.index("large") < shown.index("good")


def console_of_lines():
    from rich.console import Console

    return Console(width=160)


def test_differences_of_results():
    a, b = [np.array([1.0, 2.0])], [np.array([1.0, 2.5])]
    assert files.apart(a, a) == 0
    assert files.apart(a, b) == 0.2
    assert files.apart(a, [np.zeros(3)]) == float("inf")
    assert files.apart([*a, *a], [*a, np.full_like(a[0], np.nan)]) == float("inf")


class Named:
    def __init__(self, name):
        self.name = name


def test_inputs_are_fed_by_their_names():
    """A file may have dropped some."""
    arrays = [np.zeros((2, 3)), np.ones((2, 5)), np.full((2, 4), 2.0)]
    session = files.Session.__new__(files.Session)
    for names, expected in (
        (["x2", "x0:0"], {"x2": 2, "x0:0": 0}),
        (["a", "b", "c"], {"a": 0, "b": 1, "c": 2}),
    ):
        session.inputs = [Named(name) for name in names]
        assert {name: a[0, 0] for name, a in session.feeds(arrays, 3).items()} == expected
    session.inputs = [Named("a"), Named("b")]
    with pytest.raises(ValueError, match="inputs a, b are none of x0, x1, x2"):
        session.feeds(arrays, None)


@pytest.mark.parametrize(("ratio", "runs"), [(1.04, 1), (1.2, 2)])
def test_what_is_right_is_what_keras_predicts_and_slow_cases_run_again(ratio, runs, tmp_path, monkeypatch):
    """Ours is one apart from what another library's model told, which is asked first."""

    class Worker(compare.Worker):
        def __init__(self, name):
            self.name, self.folder = name, tmp_path

        def write(self, case):
            path, one = self.path_of(case), float(self.name == OURS)
            x, y = (helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["n", 4]) for n in ("x0", "y"))
            node = helper.make_node("Add", ["x0", "c"], ["y"])
            constant = onnx.numpy_helper.from_array(np.array(one, "float32"), "c")
            graph = helper.make_graph([node], "g", [x], [y], [constant])
            onnx.save(
                helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path
            )
            files.write_predicted(path, [cases.inputs(case)[0] + one])
            return path, ""

    timed = []

    def latencies(ready):
        timed.append(list(ready))
        return {name: ratio if name == OURS else 1.0 for name in ready}

    monkeypatch.setattr(compare, "latencies", latencies)
    case = next(name for name in cases.NAMES if name.startswith("layer ELU("))
    made = compare._compared(case, {n: Worker(n) for n in (OURS, "keras-x")}, 1, lambda text: None)
    assert made.reference == "keras-x" and list(made.files) == [OURS, "keras-x"]
    assert made.files["keras-x"].difference == 0 and made.files[OURS].difference > 0.1
    assert len(timed) == runs
    assert not list(tmp_path.iterdir())


def test_the_cases_that_are_asked_for():
    assert run.chosen(None) == cases.NAMES
    assert run.chosen(["digits", "ELU"]) == [
        "model digits",
        *(n for n in cases.NAMES if n.startswith("layer ELU(")),
    ]
    assert parse(["export", "--only", "digits,ELU", "--peers", "tf2onnx"]).only == ["digits", "ELU"]
    assert set(EXPORTERS) == {"kcompile", "keras-tensorflow", "tf2onnx", "keras-torch"}


def test_a_run_of_our_own_exporter(tmp_path, capsys):
    """Peers that are not installed are left out; one case that cannot be built does not stop the rest."""
    threads = ["--threads", "1", "--peers", "tf2onnx"]
    assert main(["export", "--only", "digits,ELU", "--out", str(tmp_path), *threads]) == 0
    (path,) = tmp_path.glob("export-*.json")
    told = json.loads(path.read_text())
    ours = {one["case"]: one["files"]["kcompile"] for one in told["cases"]}
    assert ours["model digits"]["nodes"] == 4 and ours["model digits"]["microseconds"] > 0
    assert all(not one["error"] and one["batch"] is None for one in ours.values())
    assert "kcompile: 2 of 2 files run" in capsys.readouterr().out
